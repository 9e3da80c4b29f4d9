package order

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/fastjson"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/store"
)

// takeGoodsBack stores a return, and says so. The same request again has no
// effect; it returns the return's status and refund either way.
func takeGoodsBack(ctx context.Context, tx *store.Tx, g giveBack) (returned, error) {
	o, ordered, err := lockOrder(ctx, tx, g.OrderID)
	if err != nil {
		return returned{}, err
	}
	hash := fingerprint(g)
	first, known, err := findReturn(ctx, tx, g.ReturnID)
	switch {
	case err != nil:
		return returned{}, err
	case known && first.hash != hash:
		return returned{}, problem.Unprocessable("return %s was made by another request with the same key", g.ReturnID)
	case known:
		return first, nil
	}
	before, err := returnedLines(ctx, tx, g.OrderID)
	if err != nil {
		return returned{}, err
	}
	ev, err := o.takeBack(g, ordered, before)
	if err != nil {
		return returned{}, err
	}
	if err := insertReturn(ctx, tx, ev, hash); err != nil {
		return returned{}, err
	}
	note := fmt.Sprintf("return %s of goods for %d pence", ev.ReturnID, ev.Refund)
	if err := annotate(ctx, tx, o.id, entry{tx.Now().UnixMilli(), o.status, note}); err != nil {
		return returned{}, err
	}
	return returned{status: requested, refund: ev.Refund}, event.Publish(ctx, tx, ev)
}

// lockOrder reads an order and its lines. It writes the row to do so, because two
// returns of one order must not both count on the same goods, whichever instance
// handles them.
func lockOrder(ctx context.Context, tx *store.Tx, id string) (order, []orderv1.Line, error) {
	o := order{id: id}
	var st, raw string
	err := tx.QueryRow(ctx, `UPDATE orders SET freed = freed WHERE id = $1 RETURNING customer, status, lines`, id).Scan(&o.customer, &st, &raw)
	if errors.Is(err, store.ErrNoRows) {
		return o, nil, problem.NotFound("there is no order %s", clip(id))
	}
	if err != nil {
		return o, nil, fmt.Errorf("read order %s: %w", id, err)
	}
	o.status = status(st)
	lines, err := decodeLines(raw)
	if err != nil {
		return o, nil, fmt.Errorf("read order %s: %w", id, err)
	}
	return o, lines, nil
}

func decodeLines(raw string) ([]orderv1.Line, error) {
	var lines []orderv1.Line
	if err := fastjson.Unmarshal([]byte(raw), &lines); err != nil {
		return nil, fmt.Errorf("decode lines: %w", err)
	}
	return lines, nil
}

// returnedLines are the lines of all returns of an order.
func returnedLines(ctx context.Context, tx *store.Tx, orderID string) ([]orderv1.Line, error) {
	texts, err := store.Collect(ctx, tx, func(r store.Rows) (raw string, err error) { return raw, r.Scan(&raw) },
		`SELECT lines FROM returns WHERE order_id = $1`, orderID)
	if err != nil {
		return nil, fmt.Errorf("read the returns of order %s: %w", orderID, err)
	}
	var all []orderv1.Line
	for _, raw := range texts {
		lines, err := decodeLines(raw)
		if err != nil {
			return nil, fmt.Errorf("read the returns of order %s: %w", orderID, err)
		}
		all = append(all, lines...)
	}
	return all, nil
}

func insertReturn(ctx context.Context, tx *store.Tx, ev orderv1.Returned, hash string) error {
	lines, err := json.Marshal(ev.Lines)
	if err != nil {
		return fmt.Errorf("store return %s: %w", ev.ReturnID, err)
	}
	// Another instance may have stored one of this id for another order meanwhile.
	err = tx.Expect(ctx, 1, errMoved, `INSERT INTO returns (id, order_id, status, refund, created_at, request_hash, lines)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING`,
		ev.ReturnID, ev.OrderID, requested, ev.Refund, tx.Now().UnixMilli(), hash, string(lines))
	if err != nil {
		return fmt.Errorf("store return %s: %w", ev.ReturnID, err)
	}
	return nil
}

func annotate(ctx context.Context, tx *store.Tx, id string, e entry) error {
	if err := tx.Exec(ctx, `UPDATE orders SET history = history || $1 WHERE id = $2`, e.line(), id); err != nil {
		return fmt.Errorf("note %q at order %s: %w", e.Note, id, err)
	}
	return nil
}

// The two halves of a return, each stored by one statement that also sees whether
// the other is there: they come from two topics, maybe to two instances at once.
const (
	markRefunded = `UPDATE returns SET refunded = 1, status = CASE WHEN restocked = 1 THEN 'settled' ELSE status END
		WHERE id = $1 AND order_id = $2 RETURNING status`
	markRestocked = `UPDATE returns SET restocked = 1, status = CASE WHEN refunded = 1 THEN 'settled' ELSE status END
		WHERE id = $1 AND order_id = $2 RETURNING status`
)

// settle marks one half of a return as done, and notes when both are.
func settle(ctx context.Context, tx *store.Tx, mark, id, orderID string) error {
	var st string
	err := tx.QueryRow(ctx, mark, id, orderID).Scan(&st)
	if errors.Is(err, store.ErrNoRows) {
		return event.Reject(fmt.Errorf("settle return %s of order %s: there is none", clip(id), clip(orderID)))
	}
	if err != nil {
		return fmt.Errorf("settle return %s: %w", id, err)
	}
	if st != settled {
		return nil
	}
	return annotate(ctx, tx, orderID, entry{tx.Now().UnixMilli(), confirmed, "return " + id + " settled"})
}
