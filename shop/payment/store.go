package payment

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/bulk"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/store"
)

// change applies what is learned to payments, in its order: they are read together, and
// stored together.
func change(ctx context.Context, tx *store.Tx, facts []fact) error {
	ids := make([]string, len(facts))
	for i, f := range facts {
		ids[i] = f.order
	}
	payments, err := loadAll(ctx, tx, ids)
	if err != nil {
		return err
	}
	changed := map[string]bool{}
	for _, f := range facts {
		p, known := payments[f.order]
		if !known {
			p = New(f.order)
		}
		next, effect := f.learn(p)
		if next != p {
			payments[f.order], changed[f.order] = next, true
		}
		tx.Handling(f.cause)
		switch {
		case effect.Start != nil:
			err = job.Start(ctx, tx, effect.Start.id(), effect.Start)
		case effect.Publish != nil:
			err = event.Publish(ctx, tx, effect.Publish)
		}
		if err != nil {
			return fmt.Errorf("change payment of order %s: %w", f.order, err)
		}
	}
	return save(ctx, tx, payments, slices.Sorted(maps.Keys(changed)))
}

// save stores the payments of some orders.
func save(ctx context.Context, tx *store.Tx, payments map[string]Payment, orders []string) error {
	for piece := range bulk.Chunks(orders) {
		var args []any
		for _, order := range piece {
			p := payments[order]
			args = append(args, p.Order, p.Status, p.Amount, p.Token, p.PaymentID, bit(p.Stopped), bit(p.Reserved), p.Reason, bit(p.Directed))
		}
		if err := tx.Exec(ctx, `INSERT INTO payments (order_id, status, amount, token, payment_id, stopped, reserved, reason, directed)
			VALUES `+bulk.Values(len(piece), "?, ?, ?, ?, ?, ?, ?, ?, ?")+`
			ON CONFLICT (order_id) DO UPDATE SET status = excluded.status, amount = excluded.amount, token = excluded.token,
			payment_id = excluded.payment_id, stopped = excluded.stopped, reserved = excluded.reserved,
			reason = excluded.reason, directed = excluded.directed`, args...); err != nil {
			return fmt.Errorf("store payments of %d orders: %w", len(piece), err)
		}
	}
	return nil
}

const columns = `order_id, status, amount, token, payment_id, stopped, reserved, reason, directed`

func scan(r store.Rows) (p Payment, err error) {
	err = r.Scan(&p.Order, &p.Status, &p.Amount, &p.Token, &p.PaymentID, &p.Stopped, &p.Reserved, &p.Reason, &p.Directed)
	p.Placed = p.Amount > 0
	return p, err
}

// loadAll reads the payments of orders; those of which nothing is known are missing.
func loadAll(ctx context.Context, q store.Querier, orders []string) (map[string]Payment, error) {
	payments := make(map[string]Payment, len(orders))
	for piece := range bulk.Chunks(orders) {
		found, err := store.Collect(ctx, q, scan, `SELECT `+columns+` FROM payments WHERE order_id IN (`+bulk.Params(1, len(piece))+`)`, bulk.Args(nil, piece)...)
		if err != nil {
			return nil, fmt.Errorf("read payments of %d orders: %w", len(piece), err)
		}
		for _, p := range found {
			payments[p.Order] = p
		}
	}
	return payments, nil
}

// load reads an order's payment, new if nothing is known of it.
func load(ctx context.Context, q store.Querier, order string) (p Payment, known bool, err error) {
	payments, err := loadAll(ctx, q, []string{order})
	if p, known = payments[order]; !known {
		p = New(order)
	}
	return p, known, err
}

// addRefund stores a refund that is to be made, and reports whether it is new.
func addRefund(ctx context.Context, tx *store.Tx, j returnJob) (bool, error) {
	n, err := tx.Affected(ctx, `INSERT INTO refunds (return_id, order_id, amount, status) VALUES ($1, $2, $3, $4)
		ON CONFLICT (return_id) DO NOTHING`, j.Return, j.Order, j.Amount, Refunding)
	if err != nil {
		return false, fmt.Errorf("add refund of return %s: %w", j.Return, err)
	}
	return n == 1, nil
}

// settleRefund marks a refund as made, and reports whether it was not before.
func settleRefund(ctx context.Context, tx *store.Tx, id string) (bool, error) {
	n, err := tx.Affected(ctx, `UPDATE refunds SET status = $1 WHERE return_id = $2 AND status = $3`, Refunded, id, Refunding)
	if err != nil {
		return false, fmt.Errorf("settle refund of return %s: %w", id, err)
	}
	return n == 1, nil
}

// refund is a part of a payment that was given back, as clients see it.
type refund struct {
	ReturnID string `json:"returnId"`
	Amount   int64  `json:"amount"`
	Status   Status `json:"status"`
}

func refundsOf(ctx context.Context, q store.Querier, order string) ([]refund, error) {
	refunds, err := store.Collect(ctx, q, func(r store.Rows) (refund, error) {
		var v refund
		return v, r.Scan(&v.ReturnID, &v.Amount, &v.Status)
	}, `SELECT return_id, amount, status FROM refunds WHERE order_id = $1 ORDER BY return_id`, order)
	if err != nil {
		return nil, fmt.Errorf("read refunds of order %s: %w", order, err)
	}
	return refunds, nil
}

// bit stores a truth in an INTEGER column, which every database has.
func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
