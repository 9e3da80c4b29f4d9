package shipping

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

// change applies what is learned to deliveries, in its order: they are read together, and
// stored together.
func change(ctx context.Context, tx *store.Tx, facts []fact) error {
	ids := make([]string, len(facts))
	for i, f := range facts {
		ids[i] = f.order
	}
	deliveries, err := loadAll(ctx, tx, ids)
	if err != nil {
		return err
	}
	changed := map[string]bool{}
	for _, f := range facts {
		d, known := deliveries[f.order]
		if !known {
			d = New(f.order)
		}
		next, effect := f.learn(d)
		if next != d {
			deliveries[f.order], changed[f.order] = next, true
		}
		tx.Handling(f.cause)
		switch {
		case effect.Start != nil:
			err = job.Start(ctx, tx, effect.Start.id(), effect.Start)
		case effect.Publish != nil:
			err = event.Publish(ctx, tx, effect.Publish)
		}
		if err != nil {
			return fmt.Errorf("change delivery of order %s: %w", f.order, err)
		}
	}
	return save(ctx, tx, deliveries, slices.Sorted(maps.Keys(changed)))
}

// save stores the deliveries of some orders.
func save(ctx context.Context, tx *store.Tx, deliveries map[string]Shipment, orders []string) error {
	for piece := range bulk.Chunks(orders) {
		var args []any
		for _, order := range piece {
			d := deliveries[order]
			args = append(args, d.Order, d.Status, d.Address, bit(d.Paid), bit(d.Stopped), d.ShipmentID, d.Carrier, d.Reason, bit(d.Directed))
		}
		if err := tx.Exec(ctx, `INSERT INTO shipments (order_id, status, address, paid, stopped, shipment_id, carrier, reason, directed)
			VALUES `+bulk.Values(len(piece), "?, ?, ?, ?, ?, ?, ?, ?, ?")+`
			ON CONFLICT (order_id) DO UPDATE SET status = excluded.status, address = excluded.address, paid = excluded.paid,
			stopped = excluded.stopped, shipment_id = excluded.shipment_id, carrier = excluded.carrier,
			reason = excluded.reason, directed = excluded.directed`, args...); err != nil {
			return fmt.Errorf("store deliveries of %d orders: %w", len(piece), err)
		}
	}
	return nil
}

const columns = `order_id, status, address, paid, stopped, shipment_id, carrier, reason, directed`

func scan(r store.Rows) (d Shipment, err error) {
	err = r.Scan(&d.Order, &d.Status, &d.Address, &d.Paid, &d.Stopped, &d.ShipmentID, &d.Carrier, &d.Reason, &d.Directed)
	d.Placed = d.Address != ""
	return d, err
}

// loadAll reads the deliveries of orders; those of which nothing is known are missing.
func loadAll(ctx context.Context, q store.Querier, orders []string) (map[string]Shipment, error) {
	deliveries := make(map[string]Shipment, len(orders))
	for piece := range bulk.Chunks(orders) {
		found, err := store.Collect(ctx, q, scan, `SELECT `+columns+` FROM shipments WHERE order_id IN (`+bulk.Params(1, len(piece))+`)`, bulk.Args(nil, piece)...)
		if err != nil {
			return nil, fmt.Errorf("read deliveries of %d orders: %w", len(piece), err)
		}
		for _, d := range found {
			deliveries[d.Order] = d
		}
	}
	return deliveries, nil
}

// load reads an order's delivery, new if nothing is known of it.
func load(ctx context.Context, q store.Querier, order string) (d Shipment, known bool, err error) {
	deliveries, err := loadAll(ctx, q, []string{order})
	if d, known = deliveries[order]; !known {
		d = New(order)
	}
	return d, known, err
}

// bit stores a truth in an INTEGER column, which every database has.
func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
