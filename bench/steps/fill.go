package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tutti-go/tutti/bench/rig"
	"github.com/tutti-go/tutti/event"
)

// fill stores n orders that are over, and the five events of each, as if the service
// had handled them: the rows go in in bulk, beside the service; the events are sent
// as those of an earlier service, of which this one knows how far it has read them.
func (b *bench) fill(ctx context.Context, n int) error {
	old := func(i int) step {
		o := rig.Placed(rig.OldID(b.settings.Plan, i, n))
		o.Status = "confirmed"
		return o
	}
	if err := rig.Store(ctx, b.settings.Database, rig.Rows{
		Table: "orders", Columns: []string{"id", "status", "sku", "quantity", "amount", "customer"}, N: n,
		Row: func(i int) []any { return row(old(i)) },
	}); err != nil {
		return err
	}
	if err := b.fillLog(ctx, n, old); err != nil {
		return fmt.Errorf("send the events of %d orders: %w", n, err)
	}
	return nil
}

func row(s step) []any { return []any{s.ID, s.Status, s.SKU, s.Quantity, s.Amount, s.Customer} }

const mostLogged = 1_000_000 // orders with events; ten million of them are 25 GB

func (b *bench) fillLog(ctx context.Context, n int, old func(int) step) error {
	producer, err := b.Bus.Producer("bench-fill")
	if err != nil {
		return err
	}
	defer producer.Close()
	failed := make(chan error, 1)
	seq := map[event.Partition]int64{}
	for i := range min(n, mostLogged) {
		o := old(i)
		number, err := b.Bus.Partition(topic().Name, o.ID)
		if err != nil {
			return err
		}
		p := event.Partition{Topic: topic().Name, Number: number}
		for _, status := range []string{"placed", "reserved", "paid", "shipped", "confirmed"} {
			seq[p]++
			o.Status = status
			if err := send(o, seq[p], func(r event.Record) {
				producer.Send(ctx, p, r, func(_ int64, err error) {
					if err != nil {
						select {
						case failed <- err:
						default: // the first is enough
						}
					}
				})
			}); err != nil {
				return err
			}
		}
	}
	if err := producer.Flush(ctx); err != nil {
		return err
	}
	select {
	case err := <-failed:
		return err
	default:
		return b.CaughtUp(ctx, topic().Name)
	}
}

// send encodes an event of old. Its type is none that the service handles.
func send(o step, seq int64, to func(event.Record)) error {
	data, err := json.Marshal(o)
	if err != nil {
		return err
	}
	id := fmt.Sprintf("old-orders.0-%d", seq)
	to(event.Encode(event.Envelope{
		ID: id, Source: "/old-orders", Type: "bench.order.was-" + o.Status, Version: 1, Key: o.ID, Time: time.Now(),
		CorrelationID: id, CausationID: id, Lane: "old-orders.0", Seq: seq,
	}, data))
	return nil
}
