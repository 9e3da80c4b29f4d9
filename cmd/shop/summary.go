package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/shop/orderv1"
)

// summarize keeps a live line of what happens to orders, as the log tells it,
// until ctx ends.
func (s *shop) summarize(ctx context.Context, to *screen) error {
	t := &tally{open: map[string]bool{}}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := t.watch(ctx, s.bus.Bus); err != nil && ctx.Err() == nil {
			s.log.Warn("the live line goes without orders", "error", err)
		}
		return nil
	})
	group.Go(func() error {
		published := s.published()
		for at, pause := time.Now(), time.NewTicker(time.Second); ; {
			select {
			case <-ctx.Done():
				pause.Stop()
				return nil
			case now := <-pause.C:
				count := s.published()
				to.live(t.line(float64(count-published) / now.Sub(at).Seconds()))
				at, published = now, count
			}
		}
	})
	return group.Wait()
}

// published is how many events the services of this process have published.
func (s *shop) published() (n int64) {
	for _, svc := range s.services {
		n += svc.Status().Published
	}
	return n
}

// tally counts orders since its start.
type tally struct {
	mu                           sync.Mutex
	placed, confirmed, cancelled int
	open                         map[string]bool // orders placed and not ended
}

func (t *tally) line(rate float64) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("orders %d  confirmed %d  cancelled %d  in flight %d  %.0f events/s",
		t.placed, t.confirmed, t.cancelled, len(t.open), rate)
}

// watch counts from the log's present end on, until ctx ends.
func (t *tally) watch(ctx context.Context, bus *kafka.Bus) error {
	if err := bus.EnsureTopics(ctx, []event.Topic{orderv1.Topic}); err != nil {
		return err
	}
	bounds, err := bus.Bounds(ctx, "", []string{orderv1.Topic.Name})
	if err != nil {
		return err
	}
	from := map[event.Partition]int64{}
	for p, b := range bounds {
		from[p] = b.End
	}
	log, err := bus.Reader("shop-summary", from)
	if err != nil {
		return err
	}
	defer log.Kill()
	for {
		fetched, err := log.Poll(ctx, 10_000)
		if err != nil {
			return err
		}
		t.mu.Lock()
		for _, f := range fetched {
			for _, r := range f.Records {
				if e, _, err := event.Decode(r.Record); err == nil {
					t.count(e)
				}
			}
		}
		t.mu.Unlock()
	}
}

var (
	placed    = orderv1.Placed{}.Contract().Type
	confirmed = orderv1.Confirmed{}.Contract().Type
	cancelled = orderv1.Cancelled{}.Contract().Type
)

func (t *tally) count(e event.Envelope) {
	switch e.Type {
	case placed:
		t.placed++
		t.open[e.Key] = true
	case confirmed:
		t.confirmed++
		delete(t.open, e.Key)
	case cancelled:
		t.cancelled++
		delete(t.open, e.Key)
	}
}
