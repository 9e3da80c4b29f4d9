package notification

import (
	"context"
	"fmt"
	"time"

	"github.com/tutti-go/tutti/internal/bulk"
	"github.com/tutti-go/tutti/store"
)

// add stores notifications as queued, and returns the ids of those that were there
// before. One may be in ns several times.
func add(ctx context.Context, tx *store.Tx, ns []Notification) (known map[string]bool, err error) {
	known = map[string]bool{}
	for piece := range bulk.Chunks(ns) {
		var ids []any
		for _, n := range piece {
			ids = append(ids, n.ID())
		}
		there, err := store.Collect(ctx, tx, func(r store.Rows) (id string, err error) { return id, r.Scan(&id) },
			`SELECT id FROM notifications WHERE id IN (`+bulk.Params(1, len(ids))+`)`, ids...)
		if err != nil {
			return nil, fmt.Errorf("look for %d notifications: %w", len(piece), err)
		}
		for _, id := range there {
			known[id] = true
		}
	}
	for piece := range bulk.Chunks(ns) {
		var args []any
		for _, n := range piece {
			args = append(args, n.ID(), n.Order, n.Customer, n.Kind, Queued, tx.Now().UnixMilli())
		}
		if err := tx.Exec(ctx, `INSERT INTO notifications (id, order_id, customer, kind, status, at)
			VALUES `+bulk.Values(len(piece), "?, ?, ?, ?, ?, ?")+` ON CONFLICT (id) DO NOTHING`, args...); err != nil {
			return nil, fmt.Errorf("add %d notifications: %w", len(piece), err)
		}
	}
	return known, nil
}

// addresses reads where customers get their mails; those that are not known are missing.
func addresses(ctx context.Context, tx *store.Tx, customers []string) (map[string]string, error) {
	of := map[string]string{}
	for piece := range bulk.Chunks(customers) {
		_, err := store.Collect(ctx, tx, func(r store.Rows) (_ struct{}, err error) {
			var customer, email string
			err = r.Scan(&customer, &email)
			of[customer] = email
			return struct{}{}, err
		}, `SELECT customer, email FROM recipients WHERE customer IN (`+bulk.Params(1, len(piece))+`)`, bulk.Args(nil, piece)...)
		if err != nil {
			return nil, fmt.Errorf("read addresses of %d customers: %w", len(piece), err)
		}
	}
	return of, nil
}

// settle ends those notifications that are queued.
func settle(ctx context.Context, tx *store.Tx, ids []string, status Status) error {
	for piece := range bulk.Chunks(ids) {
		if err := tx.Exec(ctx, `UPDATE notifications SET status = $1 WHERE status = $2 AND id IN (`+bulk.Params(3, len(piece))+`)`,
			bulk.Args([]any{status, Queued}, piece)...); err != nil {
			return fmt.Errorf("settle %d notifications: %w", len(piece), err)
		}
	}
	return nil
}

func setRecipient(ctx context.Context, tx *store.Tx, r registered) error {
	if err := tx.Exec(ctx, `INSERT INTO recipients (customer, email, revision) VALUES ($1, $2, $3)
		ON CONFLICT (customer) DO UPDATE SET email = excluded.email, revision = excluded.revision
		WHERE recipients.revision <= excluded.revision OR excluded.revision = 0`, r.CustomerID, r.Email, r.Revision); err != nil {
		return fmt.Errorf("set address of customer %s: %w", r.CustomerID, err)
	}
	return nil
}

// view is a notification as clients see it.
type view struct {
	ID       string    `json:"id"`
	OrderID  string    `json:"orderId"`
	Customer string    `json:"customerId"`
	Kind     Kind      `json:"kind"`
	Status   Status    `json:"status"`
	At       time.Time `json:"at"`
}

// list reads the notifications of an order, oldest first.
func list(ctx context.Context, q store.Querier, order string) ([]view, error) {
	views, err := store.Collect(ctx, q, func(r store.Rows) (view, error) {
		var v view
		var at int64
		err := r.Scan(&v.ID, &v.OrderID, &v.Customer, &v.Kind, &v.Status, &at)
		v.At = time.UnixMilli(at).UTC()
		return v, err
	}, `SELECT id, order_id, customer, kind, status, at FROM notifications WHERE order_id = $1 ORDER BY at, id`, order)
	if err != nil {
		return nil, fmt.Errorf("list notifications of order %s: %w", order, err)
	}
	return views, nil
}
