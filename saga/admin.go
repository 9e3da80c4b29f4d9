package saga

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/admin"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// administer serves what openapi.yaml says on the admin interface of the service.
func (e *Engine) administer() {
	e.s.HandleAdmin("GET /sagas", e.adminDefinitions)
	e.s.HandleAdmin("GET /sagas/{saga}", e.adminList)
	e.s.HandleAdmin("GET /sagas/{saga}/{id}", e.adminShow)
	e.s.HandleAdmin("POST /sagas/{action}", e.adminChange)
}

// ready refuses requests before there is a database to ask.
func (e *Engine) ready() error {
	select {
	case <-e.s.Ready():
		return nil
	default:
		return problem.Unavailable(time.Second, "service %s is starting", e.s.Name())
	}
}

func (e *Engine) adminDefinitions(w http.ResponseWriter, r *http.Request) error {
	counted := true
	if text := r.URL.Query().Get("counts"); text != "" {
		var err error
		if counted, err = strconv.ParseBool(text); err != nil {
			return problem.BadRequest("counts is %q, want true or false", clip(text))
		}
	}
	if err := e.ready(); err != nil {
		return err
	}
	out, err := e.definitions(r.Context(), counted)
	if err != nil {
		return err
	}
	return service.WriteJSON(w, http.StatusOK, out)
}

func (e *Engine) adminList(w http.ResponseWriter, r *http.Request) error {
	sel, err := readSelection(r.PathValue("saga"), r.URL.Query())
	if err != nil {
		return err
	}
	if err := e.ready(); err != nil {
		return err
	}
	if err := e.knownOnce(r.Context(), sel.saga); err != nil {
		return err
	}
	out, err := e.list(r.Context(), sel)
	if err != nil {
		return err
	}
	return service.WriteJSON(w, http.StatusOK, out)
}

// knownOnce refuses names of sagas that are not, and never were, directed here.
func (e *Engine) knownOnce(ctx context.Context, saga string) error {
	if e.current[saga] != nil {
		return nil
	}
	var n int
	if err := e.s.Read().QueryRow(ctx, `SELECT COUNT(*) FROM (SELECT saga FROM saga_done WHERE saga = $1 LIMIT 1) AS one`, saga).Scan(&n); err != nil {
		return err
	}
	if n == 0 {
		return problem.NotFound("there is no saga %q here: there are %s", clip(saga), e.names())
	}
	return nil
}

// readSelection reads what a list is to have.
func readSelection(saga string, v url.Values) (sel selection, err error) {
	sel = selection{saga: saga, id: v.Get("id"), prefix: v.Get("key"), status: v.Get("status")}
	if all := []Status{"", Running, Deciding, Compensating, Stuck, Completed, Compensated, live, over}; !slices.Contains(all, Status(sel.status)) {
		return sel, problem.BadRequest("status is %q, want running, deciding, compensating, stuck, completed, compensated, live or over", clip(sel.status))
	}
	for _, t := range []struct {
		name string
		ms   *int64
	}{
		{"startedAfter", &sel.startedAfter}, {"startedBefore", &sel.startedBefore}, {"changedAfter", &sel.changedAfter}, {"changedBefore", &sel.changedBefore},
	} {
		text := v.Get(t.name)
		if text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return sel, problem.BadRequest("%s is %q, want a time as in 2026-11-24T09:00:00Z", t.name, clip(text))
		}
		*t.ms = at.UnixMilli()
	}
	const usual, most = 200, 1000
	sel.limit = usual
	if text := v.Get("limit"); text != "" {
		if sel.limit, err = strconv.Atoi(text); err != nil || sel.limit < 1 || sel.limit > most {
			return sel, problem.BadRequest("limit is %q, want 1 to %d", clip(text), most)
		}
	}
	if text := v.Get("after"); text != "" {
		sel.after, err = parsePlace(text)
	}
	return sel, err
}

func (e *Engine) adminShow(w http.ResponseWriter, r *http.Request) error {
	if err := e.ready(); err != nil {
		return err
	}
	out, err := e.show(r.Context(), key{r.PathValue("saga"), r.PathValue("id")})
	if err != nil {
		return err
	}
	return service.WriteJSON(w, http.StatusOK, out)
}

// adminChange does what a person wants of some instances.
func (e *Engine) adminChange(w http.ResponseWriter, r *http.Request) error {
	action := r.PathValue("action")
	c, err := readChange(w, r, action)
	if err != nil {
		return err
	}
	if err := e.ready(); err != nil {
		return err
	}
	out, err := e.change(r.Context(), action, c)
	if err != nil {
		return err
	}
	done := 0
	for _, o := range out.Outcomes {
		if o.Done {
			done++
		}
	}
	e.s.Logger().Info("sagas changed by an operator", "action", action, "by", someone(c.By), "asked", len(c.Refs), "done", done)
	return service.WriteJSON(w, http.StatusOK, out)
}

func readChange(w http.ResponseWriter, r *http.Request, action string) (c admin.SagaChange, err error) {
	if !slices.Contains([]string{"retry", "skip", "cancel", "decide"}, action) {
		return c, problem.NotFound("%q is nothing to be done with sagas, want retry, skip, cancel or decide", clip(action))
	}
	if media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(media), "application/json") {
		return c, problem.BadRequest("the content type is %q, want application/json", clip(r.Header.Get("Content-Type")))
	}
	if err := service.ReadJSON(w, r, &c); err != nil {
		return c, err
	}
	switch {
	case len(c.Refs) > admin.MaxRefs:
		return c, problem.Large("the change names %d, want at most %d at once", len(c.Refs), admin.MaxRefs)
	case len(c.Refs) == 0:
		return c, problem.BadRequest("refs is empty, want the instances that are to be changed")
	case action == "skip" && c.Part == "":
		return c, problem.BadRequest("part is missing: which is to be skipped?")
	case action == "decide" && c.Option == "":
		return c, problem.BadRequest("option is missing: what is decided?")
	case action != "decide" && c.Option != "":
		return c, problem.BadRequest("option is for decide")
	case action == "cancel" && c.Part != "":
		return c, problem.BadRequest("part is given, but an instance is cancelled as a whole")
	}
	for _, ref := range c.Refs {
		if n, err := strconv.ParseInt(cmp.Or(ref.Version, "1"), 10, 64); err != nil || n < 1 {
			return c, problem.BadRequest("version is %q, want that of a list", clip(ref.Version))
		}
		if ref.Version == "" && len(c.Refs) > 1 {
			return c, problem.BadRequest("%s %s has no version, which may be left out for one instance only", clip(ref.Kind), clip(ref.ID))
		}
	}
	return c, nil
}

// change changes each instance in a transaction of its own, or rather in a savepoint:
// those that come at once share a transaction with whatever else is waiting.
func (e *Engine) change(ctx context.Context, action string, c admin.SagaChange) (admin.Outcomes, error) {
	const atOnce = 32
	outcomes, errs := make([]admin.Outcome, len(c.Refs)), make([]error, len(c.Refs))
	next := make(chan int)
	var all sync.WaitGroup
	for range min(atOnce, len(c.Refs)) {
		all.Go(func() {
			for i := range next {
				ref := c.Refs[i]
				err := e.s.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return e.order(ctx, tx, action, ref, c) })
				o := admin.Outcome{Service: e.s.Name(), Action: action, Kind: ref.Kind, ID: ref.ID, Done: err == nil}
				switch kind := problem.KindOf(err); {
				case kind == problem.Missing, kind == problem.Clash, kind == problem.Invalid,
					event.Rejected(err): // an id that the database does not take, a state that is too large
					o.Reason, err = err.Error(), nil
				}
				outcomes[i], errs[i] = o, err
			}
		})
	}
	for i := range c.Refs {
		next <- i
	}
	close(next)
	all.Wait()
	for i, err := range errs {
		if err != nil {
			return admin.Outcomes{}, fmt.Errorf("%s saga %s %s: %w", action, c.Refs[i].Kind, c.Refs[i].ID, err)
		}
	}
	return admin.Outcomes{Outcomes: outcomes}, nil
}

// order does what a person wants of one instance.
func (e *Engine) order(ctx context.Context, tx *store.Tx, action string, ref admin.Ref, c admin.SagaChange) error {
	revision, _ := strconv.ParseInt(ref.Version, 10, 64) // none is 0
	o := Action{Saga: ref.Kind, ID: ref.ID, By: c.By, Note: c.Note, Revision: revision}
	switch action {
	case "retry":
		return e.Retry(ctx, tx, o, c.Part)
	case "skip":
		return e.Skip(ctx, tx, o, c.Part)
	case "cancel":
		return e.Cancel(ctx, tx, o)
	}
	return e.Decide(ctx, tx, o, c.Part, c.Option)
}
