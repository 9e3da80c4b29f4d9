package main

import (
	"context"
	"time"

	"github.com/tutti-go/tutti/bench/rig"
	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// fulfilment is the saga: four steps, each a command and its reply. The event that
// ends it is stored in the transaction that ends it, so the log has it only of an
// order that is durably completed.
func fulfilment() *saga.Definition[order] {
	no := saga.Failed(func(_ *order, m event.Message[refused]) string { return m.Body.Status })
	back := saga.Done(func(*order, event.Message[undone]) {})
	return saga.Define("bench.fulfilment", 1,
		saga.StartedBy(func(o *order, m event.Message[placed]) { *o = m.Body.order }),
		saga.Step("reserve",
			saga.Send(func(o *order) reserve { return reserve{*o} }),
			saga.Done(func(o *order, m event.Message[reserved]) { o.Status = m.Body.Status }), no,
			saga.Undo(func(o *order) release { return release{*o} }, back)),
		saga.Step("pay",
			saga.Send(func(o *order) pay { return pay{*o} }),
			saga.Done(func(o *order, m event.Message[paid]) { o.Status = m.Body.Status }), no,
			saga.Undo(func(o *order) refund { return refund{*o} }, back)),
		saga.Step("ship",
			saga.Send(func(o *order) ship { return ship{*o} }),
			saga.Done(func(o *order, m event.Message[shipped]) { o.Status = m.Body.Status }), no,
			saga.Undo(func(o *order) recall { return recall{*o} }, back)),
		saga.Step("confirm",
			saga.Send(func(o *order) confirm { return confirm{*o} }),
			saga.Done(func(o *order, m event.Message[confirmed]) { o.Status = m.Body.Status })).Pivot(),
		saga.Step("complete", saga.Send(func(o *order) completed { return completed{*o} })),
	)
}

const asleep = 30 * 24 * time.Hour

// reminder is a saga that does nothing for long.
func reminder() *saga.Definition[order] {
	return saga.Define("bench.reminder", 1,
		saga.Sleep("month", func(*order) time.Duration { return asleep }))
}

// mediator directs the orders.
func mediator(s *service.Service, cfg saga.Config) *saga.Engine {
	event.Publishes[placed](s)
	return saga.Register(s, cfg, fulfilment(), reminder())
}

// place begins an order in the mediator's next transaction: by a request that starts
// the saga, or by an event that does.
func place(s *service.Service, e *saga.Engine, by string) func(ctx context.Context, id string) error {
	return func(ctx context.Context, id string) error {
		return s.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			if by == "event" {
				return event.Publish(ctx, tx, placed{rig.Placed(id)})
			}
			_, err := e.Start(ctx, tx, "bench.fulfilment", id, rig.Placed(id))
			return err
		})
	}
}
