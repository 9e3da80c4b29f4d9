package payment

import (
	"context"
	"errors"
	"fmt"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/store"
)

// The states that events usually find. unusual makes no guess.
var (
	unusual      = State{}
	unknown      = New("").State
	waiting      = State{Status: Pending, Placed: true}
	beingCharged = State{Status: Charging, Placed: true, Reserved: true}
)

// change applies a decision to an order's payment. Mostly the state is known from
// what has happened, so one statement writes the decision on that condition; only
// where it does not hold is the payment read first.
func change(ctx context.Context, tx *store.Tx, order string, usual State, decide func(Payment) (Payment, Effect)) error {
	effect, done, err := guess(ctx, tx, order, usual, decide)
	if err == nil && !done {
		effect, err = decideOn(ctx, tx, order, decide)
	}
	if err != nil {
		return fmt.Errorf("change payment of order %s: %w", order, err)
	}
	if effect.Start != nil {
		return job.Start(ctx, tx, effect.Start.id(), effect.Start)
	}
	if effect.Publish != nil {
		return event.Publish(ctx, tx, effect.Publish)
	}
	return nil
}

func guess(ctx context.Context, tx *store.Tx, order string, usual State, decide func(Payment) (Payment, Effect)) (Effect, bool, error) {
	p := Payment{Order: order, State: usual}
	next, effect := decide(p)
	switch usual {
	case unusual:
		return Effect{}, false, nil
	case unknown:
		n, err := tx.Affected(ctx, insertPayment+` ON CONFLICT (order_id) DO NOTHING`, next.columns()...)
		return effect, n == 1, err
	}
	err := tx.QueryRow(ctx, `UPDATE payments SET status = $1, payment_id = $2, stopped = $3, reserved = $4, reason = $5
		WHERE order_id = $6 AND status = $7 AND stopped = $8 AND reserved = $9 AND amount > 0 RETURNING amount, token, directed`,
		next.Status, next.PaymentID, bit(next.Stopped), bit(next.Reserved), next.Reason,
		order, usual.Status, bit(usual.Stopped), bit(usual.Reserved)).Scan(&p.Amount, &p.Token, &p.Directed)
	if errors.Is(err, store.ErrNoRows) {
		return Effect{}, false, nil
	}
	_, effect = decide(p) // the state is as before, but the effect carries what was read
	return effect, true, err
}

func decideOn(ctx context.Context, tx *store.Tx, order string, decide func(Payment) (Payment, Effect)) (Effect, error) {
	p, _, err := load(ctx, tx, order)
	if err != nil {
		return Effect{}, err
	}
	next, effect := decide(p)
	if next == p {
		return effect, nil
	}
	return effect, tx.Exec(ctx, insertPayment+` ON CONFLICT (order_id) DO UPDATE SET status = excluded.status, amount = excluded.amount,
		token = excluded.token, payment_id = excluded.payment_id, stopped = excluded.stopped, reserved = excluded.reserved,
		reason = excluded.reason, directed = excluded.directed`, next.columns()...)
}

const (
	insertPayment = `INSERT INTO payments (order_id, status, amount, token, payment_id, stopped, reserved, reason, directed)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	selectPayment = `SELECT status, amount, token, payment_id, stopped, reserved, reason, directed FROM payments WHERE order_id = $1`
)

func (p Payment) columns() []any {
	return []any{p.Order, p.Status, p.Amount, p.Token, p.PaymentID, bit(p.Stopped), bit(p.Reserved), p.Reason, bit(p.Directed)}
}

// load reads an order's payment, new if nothing is known of it.
func load(ctx context.Context, q store.Querier, order string) (p Payment, known bool, err error) {
	p = New(order)
	err = q.QueryRow(ctx, selectPayment, order).
		Scan(&p.Status, &p.Amount, &p.Token, &p.PaymentID, &p.Stopped, &p.Reserved, &p.Reason, &p.Directed)
	if errors.Is(err, store.ErrNoRows) {
		return p, false, nil
	}
	if err != nil {
		return p, false, fmt.Errorf("read payment of order %s: %w", order, err)
	}
	p.Placed = p.Amount > 0
	return p, true, nil
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
