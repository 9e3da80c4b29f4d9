package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/shop/orderv1"
)

// Outcome says how an order ended.
type Outcome struct {
	OrderID   string
	Confirmed bool // and not cancelled
	At        time.Time
}

// Outcomes calls tell with the outcome of every order of the shop, those of the
// past first, until ctx ends. It may tell one again.
type Outcomes func(ctx context.Context, tell func(Outcome)) error

const watcher = "shop-replay" // group and instance

// FromLog reads outcomes from the topic of orders, from its beginning. One replay
// at a time can use it.
func FromLog(bus *kafka.Bus) Outcomes {
	return func(ctx context.Context, tell func(Outcome)) error {
		topic := orderv1.Topic.Name
		if err := bus.EnsureTopics(ctx, []event.Topic{orderv1.Topic}); err != nil {
			return fmt.Errorf("watch orders: %w", err)
		}
		consumer, err := bus.Join(kafka.Membership{
			Group: watcher, Instance: watcher, Topics: []string{topic}, Lost: func([]event.Partition) {},
			Start: func(ctx context.Context, p event.Partition) (int64, error) {
				bounds, err := bus.Bounds(ctx, watcher, []string{topic})
				return bounds[p].Start, err
			},
		})
		if err != nil {
			return fmt.Errorf("watch orders: %w", err)
		}
		defer func() {
			// The replay's own context has ended by now.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			consumer.Close(ctx)
		}()
		for {
			fetched, err := consumer.Poll(ctx, 10_000)
			if err != nil {
				return fmt.Errorf("watch orders: %w", err)
			}
			for _, f := range fetched {
				for _, r := range f.Records {
					if o, ok := readOutcome(r.Record); ok {
						tell(o)
					}
				}
			}
		}
	}
}

var (
	confirmed = orderv1.Confirmed{}.Contract()
	cancelled = orderv1.Cancelled{}.Contract()
)

// readOutcome needs the envelope only: the key is the order's id.
func readOutcome(r event.Record) (Outcome, bool) {
	e, _, err := event.Decode(r)
	if err != nil && errors.Is(err, event.ErrMalformed) {
		return Outcome{}, false // the services park it
	}
	switch {
	case e.Type == confirmed.Type && e.Version == confirmed.Version:
		return Outcome{OrderID: e.Key, Confirmed: true, At: e.Time}, true
	case e.Type == cancelled.Type && e.Version == cancelled.Version:
		return Outcome{OrderID: e.Key, At: e.Time}, true
	}
	return Outcome{}, false
}
