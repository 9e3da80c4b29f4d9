package main

import (
	"context"
	"testing/fstest"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

var schema = fstest.MapFS{"0001_orders.sql": {Data: []byte(
	`CREATE TABLE orders (id TEXT PRIMARY KEY, status TEXT NOT NULL, sku TEXT NOT NULL, quantity INTEGER NOT NULL, amount BIGINT NOT NULL, customer TEXT NOT NULL)`)}}

// participant does what the steps ask for: each stores a row, or changes it, and
// replies.
func participant(s *service.Service) {
	s.Migrations(schema)
	event.Publishes[reserved](s)
	event.Publishes[paid](s)
	event.Publishes[shipped](s)
	event.Publishes[confirmed](s)
	event.Publishes[refused](s)
	event.Publishes[undone](s)
	event.On(s, take)
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[pay]) error {
		return advance(ctx, tx, m.Body.order, "paid", func(o order) event.Body { return paid{o} })
	})
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[ship]) error {
		return advance(ctx, tx, m.Body.order, "shipped", func(o order) event.Body { return shipped{o} })
	})
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[confirm]) error {
		return advance(ctx, tx, m.Body.order, "confirmed", func(o order) event.Body { return confirmed{o} })
	})
	undo := func(o order) event.Body { return undone{o} }
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[release]) error {
		return advance(ctx, tx, m.Body.order, "released", undo)
	})
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[refund]) error {
		return advance(ctx, tx, m.Body.order, "refunded", undo)
	})
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[recall]) error {
		return advance(ctx, tx, m.Body.order, "recalled", undo)
	})
}

func take(ctx context.Context, tx *store.Tx, m event.Message[reserve]) error {
	o := m.Body.order
	o.Status = "reserved"
	// A command may come twice.
	if err := tx.Exec(ctx, `INSERT INTO orders (id, status, sku, quantity, amount, customer) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING`,
		o.ID, o.Status, o.SKU, o.Quantity, o.Amount, o.Customer); err != nil {
		return err
	}
	return event.Publish(ctx, tx, reserved{o})
}

func advance(ctx context.Context, tx *store.Tx, o order, status string, next func(order) event.Body) error {
	o.Status = status
	if err := tx.Exec(ctx, `UPDATE orders SET status = $1 WHERE id = $2`, status, o.ID); err != nil {
		return err
	}
	return event.Publish(ctx, tx, next(o))
}
