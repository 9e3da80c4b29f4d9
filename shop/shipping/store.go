package shipping

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
	unusual     = State{}
	unknown     = New("").State
	waiting     = State{Status: Pending, Placed: true}
	beingBooked = State{Status: Booking, Placed: true, Paid: true}
)

// change applies a decision to an order's delivery. Mostly the state is known from
// what has happened, so one statement writes the decision on that condition; only
// where it does not hold is the delivery read first.
func change(ctx context.Context, tx *store.Tx, order string, usual State, decide func(Shipment) (Shipment, Effect)) error {
	effect, done, err := guess(ctx, tx, order, usual, decide)
	if err == nil && !done {
		effect, err = decideOn(ctx, tx, order, decide)
	}
	if err != nil {
		return fmt.Errorf("change delivery of order %s: %w", order, err)
	}
	if effect.Start != nil {
		return job.Start(ctx, tx, effect.Start.id(), effect.Start)
	}
	if effect.Publish != nil {
		return event.Publish(ctx, tx, effect.Publish)
	}
	return nil
}

func guess(ctx context.Context, tx *store.Tx, order string, usual State, decide func(Shipment) (Shipment, Effect)) (Effect, bool, error) {
	d := Shipment{Order: order, State: usual}
	next, effect := decide(d)
	switch usual {
	case unusual:
		return Effect{}, false, nil
	case unknown:
		n, err := tx.Affected(ctx, insertShipment+` ON CONFLICT (order_id) DO NOTHING`, next.columns()...)
		return effect, n == 1, err
	}
	err := tx.QueryRow(ctx, `UPDATE shipments SET status = $1, paid = $2, stopped = $3, shipment_id = $4, carrier = $5, reason = $6
		WHERE order_id = $7 AND status = $8 AND paid = $9 AND stopped = $10 AND address <> '' RETURNING address, directed`,
		next.Status, bit(next.Paid), bit(next.Stopped), next.ShipmentID, next.Carrier, next.Reason,
		order, usual.Status, bit(usual.Paid), bit(usual.Stopped)).Scan(&d.Address, &d.Directed)
	if errors.Is(err, store.ErrNoRows) {
		return Effect{}, false, nil
	}
	_, effect = decide(d) // the state is as before, but the effect carries what was read
	return effect, true, err
}

func decideOn(ctx context.Context, tx *store.Tx, order string, decide func(Shipment) (Shipment, Effect)) (Effect, error) {
	d, _, err := load(ctx, tx, order)
	if err != nil {
		return Effect{}, err
	}
	next, effect := decide(d)
	if next == d {
		return effect, nil
	}
	return effect, tx.Exec(ctx, insertShipment+` ON CONFLICT (order_id) DO UPDATE SET status = excluded.status, address = excluded.address,
		paid = excluded.paid, stopped = excluded.stopped, shipment_id = excluded.shipment_id, carrier = excluded.carrier,
		reason = excluded.reason, directed = excluded.directed`, next.columns()...)
}

const (
	insertShipment = `INSERT INTO shipments (order_id, status, address, paid, stopped, shipment_id, carrier, reason, directed)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	selectShipment = `SELECT status, address, paid, stopped, shipment_id, carrier, reason, directed FROM shipments WHERE order_id = $1`
)

func (d Shipment) columns() []any {
	return []any{d.Order, d.Status, d.Address, bit(d.Paid), bit(d.Stopped), d.ShipmentID, d.Carrier, d.Reason, bit(d.Directed)}
}

// load reads an order's delivery, new if nothing is known of it.
func load(ctx context.Context, q store.Querier, order string) (d Shipment, known bool, err error) {
	d = New(order)
	err = q.QueryRow(ctx, selectShipment, order).
		Scan(&d.Status, &d.Address, &d.Paid, &d.Stopped, &d.ShipmentID, &d.Carrier, &d.Reason, &d.Directed)
	if errors.Is(err, store.ErrNoRows) {
		return d, false, nil
	}
	if err != nil {
		return d, false, fmt.Errorf("read delivery of order %s: %w", order, err)
	}
	d.Placed = d.Address != ""
	return d, true, nil
}

// bit stores a truth in an INTEGER column, which every database has.
func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
