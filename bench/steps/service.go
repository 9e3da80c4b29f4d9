package main

import (
	"context"
	"testing/fstest"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// step is an order at one of its steps.
type step struct {
	ID       string `json:"id"`
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
	Amount   int64  `json:"amount"`
	Customer string `json:"customer"`
	Status   string `json:"status"`
}

func (s step) Key() string { return s.ID }

var prefix = "bench"

func topic() event.Topic { return event.Topic{Name: prefix + ".order"} }

func contract(name string) event.Contract {
	return event.Contract{Type: "bench.order." + name, Version: 1, Topic: topic()}
}

type (
	placed    struct{ step }
	reserved  struct{ step }
	paid      struct{ step }
	shipped   struct{ step }
	confirmed struct{ step }
)

func (placed) Contract() event.Contract    { return contract("placed") }
func (reserved) Contract() event.Contract  { return contract("reserved") }
func (paid) Contract() event.Contract      { return contract("paid") }
func (shipped) Contract() event.Contract   { return contract("shipped") }
func (confirmed) Contract() event.Contract { return contract("confirmed") }

var schema = fstest.MapFS{"0001_orders.sql": {Data: []byte(
	`CREATE TABLE orders (id TEXT PRIMARY KEY, status TEXT NOT NULL, sku TEXT NOT NULL, quantity INTEGER NOT NULL, amount BIGINT NOT NULL, customer TEXT NOT NULL)`)}}

// register makes a service of the steps. On PostgreSQL its handlers take a batch each, as
// what is written by hand does: there, each statement costs.
func register(s *service.Service, bulk bool) {
	s.Migrations(schema)
	event.Publishes[placed](s)
	event.Publishes[reserved](s)
	event.Publishes[paid](s)
	event.Publishes[shipped](s)
	event.Publishes[confirmed](s)
	if bulk {
		event.OnBatch(s, reserveAll)
		event.OnBatch(s, advanceAll("paid", func(m reserved) step { return m.step }, func(o step) event.Body { return paid{o} }))
		event.OnBatch(s, advanceAll("shipped", func(m paid) step { return m.step }, func(o step) event.Body { return shipped{o} }))
		event.OnBatch(s, advanceAll("confirmed", func(m shipped) step { return m.step }, func(o step) event.Body { return confirmed{o} }))
		return
	}
	event.On(s, reserve)
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[reserved]) error {
		return advance(ctx, tx, m.Body.step, "paid", func(o step) event.Body { return paid{o} })
	})
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[paid]) error {
		return advance(ctx, tx, m.Body.step, "shipped", func(o step) event.Body { return shipped{o} })
	})
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[shipped]) error {
		return advance(ctx, tx, m.Body.step, "confirmed", func(o step) event.Body { return confirmed{o} })
	})
}

func reserve(ctx context.Context, tx *store.Tx, m event.Message[placed]) error {
	o := m.Body.step
	o.Status = "reserved"
	if err := tx.Exec(ctx, `INSERT INTO orders (id, status, sku, quantity, amount, customer) VALUES ($1, $2, $3, $4, $5, $6)`,
		o.ID, o.Status, o.SKU, o.Quantity, o.Amount, o.Customer); err != nil {
		return err
	}
	return event.Publish(ctx, tx, reserved{o})
}

func advance(ctx context.Context, tx *store.Tx, o step, status string, next func(step) event.Body) error {
	o.Status = status
	if err := tx.Exec(ctx, `UPDATE orders SET status = $1 WHERE id = $2`, status, o.ID); err != nil {
		return err
	}
	return event.Publish(ctx, tx, next(o))
}

func reserveAll(ctx context.Context, tx *store.Tx, ms []event.Message[placed]) error {
	n := len(ms)
	ids, skus, customers := make([]string, n), make([]string, n), make([]string, n)
	quantities, amounts := make([]int, n), make([]int64, n)
	for i, m := range ms {
		o := m.Body
		ids[i], skus[i], quantities[i], amounts[i], customers[i] = o.ID, o.SKU, o.Quantity, o.Amount, o.Customer
	}
	if err := tx.Exec(ctx, `INSERT INTO orders (id, status, sku, quantity, amount, customer)
		SELECT id, 'reserved', sku, quantity, amount, customer
		FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::text[]) u (id, sku, quantity, amount, customer)`,
		ids, skus, quantities, amounts, customers); err != nil {
		return err
	}
	for _, m := range ms {
		o := m.Body.step
		o.Status = "reserved"
		tx.Handling(m.Cause())
		if err := event.Publish(ctx, tx, reserved{o}); err != nil {
			return err
		}
	}
	return nil
}

func advanceAll[T event.Typed](status string, of func(T) step, next func(step) event.Body) func(context.Context, *store.Tx, []event.Message[T]) error {
	return func(ctx context.Context, tx *store.Tx, ms []event.Message[T]) error {
		ids := make([]string, len(ms))
		for i, m := range ms {
			ids[i] = of(m.Body).ID
		}
		if err := tx.Exec(ctx, `UPDATE orders SET status = $1 WHERE id = ANY ($2::text[])`, status, ids); err != nil {
			return err
		}
		for _, m := range ms {
			o := of(m.Body)
			o.Status = status
			tx.Handling(m.Cause())
			if err := event.Publish(ctx, tx, next(o)); err != nil {
				return err
			}
		}
		return nil
	}
}
