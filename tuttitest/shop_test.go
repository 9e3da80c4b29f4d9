package tuttitest_test

import (
	"context"
	"fmt"
	"net/http"
	"testing/fstest"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// A shop of three services: order takes orders and cancels those that are not paid
// in time, payment charges them by a job, and mail counts how they ended.

var (
	orders   = event.Topic{Name: "tiny.order"}
	payments = event.Topic{Name: "tiny.payment"}
)

type Placed struct {
	ID     string `json:"id"`
	Amount int64  `json:"amount"`
}

func (Placed) Contract() event.Contract {
	return event.Contract{Type: "tiny.order.placed", Version: 1, Topic: orders}
}
func (p Placed) Key() string { return p.ID }

type Ended struct {
	ID   string `json:"id"`
	Paid bool   `json:"paid"`
}

func (Ended) Contract() event.Contract {
	return event.Contract{Type: "tiny.order.ended", Version: 1, Topic: orders}
}
func (e Ended) Key() string { return e.ID }

type Paid struct {
	ID     string `json:"id"`
	Amount int64  `json:"amount"`
}

func (Paid) Contract() event.Contract {
	return event.Contract{Type: "tiny.payment.paid", Version: 1, Topic: payments}
}
func (p Paid) Key() string { return p.ID }

type deadline struct{ ID string }

func (deadline) JobType() string { return "order.deadline" }

type charge struct {
	ID     string
	Amount int64
}

func (charge) JobType() string { return "payment.charge" }

func tables(text string) fstest.MapFS {
	return fstest.MapFS{"0001_tables.sql": &fstest.MapFile{Data: []byte(text)}}
}

func order(s *service.Service) {
	s.Migrations(tables(`CREATE TABLE orders (id TEXT PRIMARY KEY, status TEXT NOT NULL)`))
	event.Publishes[Placed](s)
	event.Publishes[Ended](s)
	s.Handle("PUT /orders/{id}", func(w http.ResponseWriter, r *http.Request) error {
		id := r.PathValue("id")
		if err := s.Write(r.Context(), func(ctx context.Context, tx *store.Tx) error { return place(ctx, tx, id) }); err != nil {
			return err
		}
		return service.WriteJSON(w, http.StatusAccepted, id)
	})
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Paid]) error {
		if _, err := job.Cancel[deadline](ctx, tx, m.Body.ID); err != nil {
			return err
		}
		return end(ctx, tx, m.Body.ID, "paid")
	})
	job.OnDue(s, func(ctx context.Context, tx *store.Tx, d job.Due[deadline]) error {
		return end(ctx, tx, d.Args.ID, "late")
	})
}

func place(ctx context.Context, tx *store.Tx, id string) error {
	n, err := tx.Affected(ctx, `INSERT INTO orders (id, status) VALUES ($1, 'placed') ON CONFLICT (id) DO NOTHING`, id)
	if err != nil || n == 0 {
		return err
	}
	if err := job.At(ctx, tx, tx.Now().Add(30*time.Minute), id, deadline{id}); err != nil {
		return err
	}
	return event.Publish(ctx, tx, Placed{ID: id, Amount: int64(100 * len(id))})
}

func end(ctx context.Context, tx *store.Tx, id, status string) error {
	n, err := tx.Affected(ctx, `UPDATE orders SET status = $1 WHERE id = $2 AND status = 'placed'`, status, id)
	if err != nil || n == 0 {
		return err
	}
	return event.Publish(ctx, tx, Ended{ID: id, Paid: status == "paid"})
}

func payment(s *service.Service) {
	s.Migrations(tables(`CREATE TABLE payments (id TEXT PRIMARY KEY, amount BIGINT NOT NULL, times INTEGER NOT NULL)`))
	event.Publishes[Paid](s)
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Placed]) error {
		return job.Start(ctx, tx, "charge-"+m.Body.ID, charge(m.Body))
	})
	job.Handle(s, job.Config{}, func(ctx context.Context, c job.Call[charge]) (int64, error) {
		time.Sleep(300 * time.Millisecond) // the bank is far
		if c.Attempt == 1 && c.Args.ID == "shy" {
			return 0, fmt.Errorf("the bank is busy")
		}
		return c.Args.Amount, nil
	}, func(ctx context.Context, tx *store.Tx, r job.Result[charge, int64]) error {
		if err := tx.Exec(ctx, `INSERT INTO payments (id, amount, times) VALUES ($1, $2, 1)
			ON CONFLICT (id) DO UPDATE SET times = payments.times + 1`, r.Args.ID, r.Value); err != nil {
			return err
		}
		return event.Publish(ctx, tx, Paid{ID: r.Args.ID, Amount: r.Value})
	})
}

func mail(s *service.Service) {
	s.Migrations(tables(`CREATE TABLE mails (id TEXT PRIMARY KEY, times INTEGER NOT NULL)`))
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Ended]) error {
		return tx.Exec(ctx, `INSERT INTO mails (id, times) VALUES ($1, 1) ON CONFLICT (id) DO UPDATE SET times = mails.times + 1`, m.Body.ID)
	})
}
