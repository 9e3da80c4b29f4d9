package main

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// application is what is known of an application while it is under way.
type application struct {
	ID        string `json:"id"`
	Applicant string `json:"applicant"`
	Amount    int64  `json:"amount"`

	By  string `json:"by,omitempty"`  // who decided
	Why string `json:"why,omitempty"` // it is refused
}

func (a *application) about() about { return about{a.ID} }

// small is what is lent without asking a person.
const small = 1000

// deciding is how it is decided on an application. The first part was done by the
// applicant; to undo it, when a later one fails or somebody cancels, is to decline.
func deciding(deadline time.Duration) *saga.Definition[application] {
	return saga.Define("loan.application", 1,
		saga.OnFailure(func(a *application, reason string) { a.Why = cmp.Or(a.Why, reason) }),
		saga.Step("apply",
			saga.Undo(func(a *application) loanDeclined { return loanDeclined{a.about(), a.Why} })),
		saga.Step("credit check",
			saga.Send(func(a *application) checkCredit { return checkCredit{a.about(), a.Applicant} }),
			saga.Done(func(*application, event.Message[creditGood]) {}),
			saga.Failed(func(a *application, m event.Message[creditPoor]) string {
				return a.refuse(fmt.Sprintf("a credit score of %d", m.Body.Score))
			})).NothingToUndo(),
		saga.Step("fraud check",
			saga.Send(func(a *application) checkFraud { return checkFraud{a.about(), a.Applicant} }),
			saga.Done(func(*application, event.Message[fraudUnlikely]) {}),
			saga.Failed(func(a *application, m event.Message[fraudSuspected]) string { return a.refuse(m.Body.Why) })).NothingToUndo(),
		saga.If("large", func(a *application) bool { return a.Amount > small },
			saga.Sequence(
				saga.Step("ask", saga.Send(func(a *application) decisionNeeded { return decisionNeeded{a.about()} })).NothingToUndo(),
				saga.Decide("approval",
					saga.Accept("approve", func(a *application, d saga.Decision) { a.By = d.By }),
					saga.Refuse("decline", func(a *application, d saga.Decision) { a.refuse(d.By + " says: " + d.Note) })).
					Within(deadline).Otherwise(func(a *application) { a.refuse("nobody has decided in time") }),
				saga.If("undecided", func(a *application) bool { return a.Why != "" },
					saga.Fail("too late", func(a *application) string { return a.Why })))),
		saga.Step("approve",
			saga.Send(func(a *application) loanApproved { return loanApproved{a.about(), a.Amount, a.By} })),
	)
}

func (a *application) refuse(why string) string {
	a.Why = why
	return why
}

//go:embed 0001_applications.sql
var loanTables embed.FS

// loans takes applications, and decides on them.
func loans(s *service.Service, deadline time.Duration) {
	def := deciding(deadline)
	d := desk{s, saga.Register(s, saga.Config{}, def), def.Name()}
	s.Migrations(loanTables)
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[decisionNeeded]) error {
		return d.set(ctx, tx, m.Key, asked, "")
	})
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[loanApproved]) error {
		return d.set(ctx, tx, m.Key, approved, m.Body.By)
	})
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[loanDeclined]) error {
		return d.set(ctx, tx, m.Key, declined, m.Body.Why)
	})
	s.Handle("POST /applications", d.apply)
	s.Handle("GET /applications/{id}", d.show)
	s.Handle("POST /applications/{id}/decision", d.decide)
}

// progress is how an application stands, as it is shown.
type progress struct {
	Status string `json:"status"`
	Why    string `json:"why,omitempty"`
}

const (
	received = "received"
	asked    = "waiting for a person"
	approved = "approved"
	declined = "declined"
)

func (p progress) over() bool { return p.Status == approved || p.Status == declined }

// desk is where applicants and those who decide come to.
type desk struct {
	*service.Service
	engine *saga.Engine
	saga   string
}

func (desk) set(ctx context.Context, tx *store.Tx, id, status, why string) error {
	return tx.Exec(ctx, `UPDATE applications SET status = $1, why = $2 WHERE id = $3`, status, why, id)
}

func (d desk) apply(w http.ResponseWriter, r *http.Request) error {
	var a application
	if err := service.ReadJSON(w, r, &a); err != nil {
		return err
	}
	if a.ID == "" || a.Applicant == "" || a.Amount <= 0 {
		return problem.BadRequest("want id, applicant and amount")
	}
	if len(a.ID) > 100 {
		return problem.BadRequest("the id is %d bytes long, want at most 100", len(a.ID))
	}
	if a.By != "" || a.Why != "" {
		return problem.BadRequest("by and why are for who decides")
	}
	if err := d.Write(r.Context(), func(ctx context.Context, tx *store.Tx) error {
		n, err := tx.Affected(ctx, `INSERT INTO applications (id, status, why) VALUES ($1, $2, '') ON CONFLICT (id) DO NOTHING`, a.ID, received)
		if err == nil && n == 0 {
			err = problem.Conflict("there is an application %s already", a.ID)
		}
		if err != nil {
			return err
		}
		_, err = d.engine.Start(ctx, tx, d.saga, a.ID, a)
		return err
	}); err != nil {
		return err
	}
	return service.WriteJSON(w, http.StatusAccepted, a)
}

func (d desk) show(w http.ResponseWriter, r *http.Request) error {
	var p progress
	err := d.Read().QueryRow(r.Context(), `SELECT status, why FROM applications WHERE id = $1`, r.PathValue("id")).Scan(&p.Status, &p.Why)
	if errors.Is(err, store.ErrNoRows) {
		return problem.NotFound("there is no application %s", r.PathValue("id"))
	}
	if err != nil {
		return err
	}
	return service.WriteJSON(w, http.StatusOK, p)
}

// decision is what a person says.
type decision struct {
	Choice string `json:"choice"` // approve or decline
	By     string `json:"by"`
	Note   string `json:"note,omitempty"`
}

// decide takes a person's decision: with 409 if none is asked for, or not any more.
func (d desk) decide(w http.ResponseWriter, r *http.Request) error {
	var what decision
	if err := service.ReadJSON(w, r, &what); err != nil {
		return err
	}
	if err := d.Write(r.Context(), func(ctx context.Context, tx *store.Tx) error {
		return d.engine.Decide(ctx, tx, saga.Action{Saga: d.saga, ID: r.PathValue("id"), By: what.By, Note: what.Note}, "approval", what.Choice)
	}); err != nil {
		return err
	}
	return service.WriteJSON(w, http.StatusOK, what)
}
