package rig

import (
	"context"
	"testing/fstest"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// Order is what messages say of an order.
type Order struct {
	ID       string `json:"id"`
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
	Amount   int64  `json:"amount"`
	Customer string `json:"customer"`
	Status   string `json:"status"`
}

// Placed is an order that goes its way from now on.
func Placed(id string) Order {
	return Order{ID: id, SKU: "sku-1", Quantity: 2, Amount: 4200, Customer: "cust-77", Status: "placed"}
}

// Key implements event.Body for messages that embed an order.
func (o Order) Key() string { return o.ID }

// Itself is the order that a message embeds.
func (o Order) Itself() Order { return o }

// Schema is the table of orders.
var Schema = fstest.MapFS{"0001_orders.sql": {Data: []byte(
	`CREATE TABLE orders (id TEXT PRIMARY KEY, status TEXT NOT NULL, sku TEXT NOT NULL, quantity INTEGER NOT NULL, amount BIGINT NOT NULL, customer TEXT NOT NULL)`)}}

// Orders is the table as handlers write it. On PostgreSQL, where each statement costs, they
// write a batch with one, as what is written by hand does.
type Orders struct{ Bulk bool }

// Insert stores orders. Those that are there already stay as they are.
func (t Orders) Insert(ctx context.Context, tx *store.Tx, orders []Order) error {
	if !t.Bulk {
		for _, o := range orders {
			if err := tx.Exec(ctx, `INSERT INTO orders (id, status, sku, quantity, amount, customer) VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT (id) DO NOTHING`, o.ID, o.Status, o.SKU, o.Quantity, o.Amount, o.Customer); err != nil {
				return err
			}
		}
		return nil
	}
	n := len(orders)
	ids, statuses, skus, customers := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	quantities, amounts := make([]int, n), make([]int64, n)
	for i, o := range orders {
		ids[i], statuses[i], skus[i], quantities[i], amounts[i], customers[i] = o.ID, o.Status, o.SKU, o.Quantity, o.Amount, o.Customer
	}
	return tx.Exec(ctx, `INSERT INTO orders (id, status, sku, quantity, amount, customer)
		SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::bigint[], $6::text[]) ON CONFLICT (id) DO NOTHING`,
		ids, statuses, skus, quantities, amounts, customers)
}

// Advance stores the status of orders, which is one for all.
func (t Orders) Advance(ctx context.Context, tx *store.Tx, orders []Order) error {
	if !t.Bulk {
		for _, o := range orders {
			if err := tx.Exec(ctx, `UPDATE orders SET status = $1 WHERE id = $2`, o.Status, o.ID); err != nil {
				return err
			}
		}
		return nil
	}
	ids := make([]string, len(orders))
	for i, o := range orders {
		ids[i] = o.ID
	}
	return tx.Exec(ctx, `UPDATE orders SET status = $1 WHERE id = ANY ($2::text[])`, orders[0].Status, ids)
}

// message is one that embeds an order.
type message interface {
	event.Typed
	Itself() Order
}

// Step has a service do a step when it is asked by a T: orders get a status, which write
// stores, and next is said.
func Step[T message](s *service.Service, status string, write func(context.Context, *store.Tx, []Order) error, next func(Order) event.Body) {
	event.OnBatch(s, func(ctx context.Context, tx *store.Tx, ms []event.Message[T]) error {
		orders := make([]Order, len(ms))
		for i, m := range ms {
			orders[i] = m.Body.Itself()
			orders[i].Status = status
		}
		if err := write(ctx, tx, orders); err != nil {
			return err
		}
		for i, m := range ms {
			tx.Handling(m.Cause())
			if err := event.Publish(ctx, tx, next(orders[i])); err != nil {
				return err
			}
		}
		return nil
	})
}
