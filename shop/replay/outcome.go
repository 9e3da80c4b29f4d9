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

// FromLog reads outcomes from the topic of orders, from its beginning.
func FromLog(bus *kafka.Bus) Outcomes {
	return func(ctx context.Context, tell func(Outcome)) error {
		err := watch(ctx, bus, tell)
		return fmt.Errorf("watch orders: %w", err)
	}
}

func watch(ctx context.Context, bus *kafka.Bus, tell func(Outcome)) error {
	if err := bus.EnsureTopics(ctx, []event.Topic{orderv1.Topic}); err != nil {
		return err
	}
	bounds, err := bus.Bounds(ctx, "", []string{orderv1.Topic.Name})
	if err != nil {
		return err
	}
	from := map[event.Partition]int64{}
	for p, b := range bounds {
		from[p] = b.Start
	}
	log, err := bus.Reader("shop-replay", from)
	if err != nil {
		return err
	}
	defer log.Kill() // it belongs to no group: there is nothing to leave
	for {
		fetched, err := log.Poll(ctx, 10_000)
		if err != nil {
			return err
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
