package notification

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tutti-go/tutti/store"
)

// add stores a notification as queued, and returns the customer's address, empty
// if it is not known, and whether the notification is new.
func add(ctx context.Context, tx *store.Tx, n Notification) (email string, first bool, err error) {
	err = tx.QueryRow(ctx, `INSERT INTO notifications (id, order_id, customer, kind, status, at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (id) DO NOTHING
		RETURNING COALESCE((SELECT email FROM recipients WHERE recipients.customer = notifications.customer), '')`,
		n.ID(), n.Order, n.Customer, n.Kind, Queued, tx.Now().UnixMilli()).Scan(&email)
	if errors.Is(err, store.ErrNoRows) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("add notification %s: %w", n.ID(), err)
	}
	return email, true, nil
}

// settle ends a notification that is queued.
func settle(ctx context.Context, tx *store.Tx, id string, status Status) error {
	if err := tx.Exec(ctx, `UPDATE notifications SET status = $1 WHERE id = $2 AND status = $3`, status, id, Queued); err != nil {
		return fmt.Errorf("settle notification %s: %w", id, err)
	}
	return nil
}

func setRecipient(ctx context.Context, tx *store.Tx, customer, email string) error {
	if err := tx.Exec(ctx, `INSERT INTO recipients (customer, email) VALUES ($1, $2)
		ON CONFLICT (customer) DO UPDATE SET email = excluded.email`, customer, email); err != nil {
		return fmt.Errorf("set address of customer %s: %w", customer, err)
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
