package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Plan says what to measure: a closed loop, or an open one if Rate is set.
type Plan struct {
	InFlight int           // orders under way at once
	Rate     float64       // orders a second
	Warm     time.Duration // how long to run before
	For      time.Duration // how long to measure
	// RandomIDs makes the orders' ids random, so that rows of one time lie all over
	// an index; otherwise they ascend.
	RandomIDs bool
}

// Patience is how long the orders under way at the end are waited for.
const Patience = 30 * time.Second

// Order places the order of that id, and returns once it is confirmed.
type Order func(ctx context.Context, id string) error

func (p Plan) validate() error {
	var errs []error
	if (p.InFlight > 0) == (p.Rate > 0) {
		errs = append(errs, fmt.Errorf("in flight is %d and rate %v, want one of them above 0", p.InFlight, p.Rate))
	}
	if p.Warm < 0 || p.For <= 0 {
		errs = append(errs, fmt.Errorf("warm is %v and for %v, want 0 or more, and more than 0", p.Warm, p.For))
	}
	return errors.Join(errs...)
}

// Run measures. It returns early with the context's error if that ends.
func (p Plan) Run(ctx context.Context, order Order) (Result, error) {
	nothing := func() error { return nil }
	return p.run(ctx, order, nothing, nothing)
}

// run calls begin and end when the measured time does.
func (p Plan) run(ctx context.Context, order Order, begin, end func() error) (Result, error) {
	if err := p.validate(); err != nil {
		return Result{}, err
	}
	r := &runner{plan: p, order: order, run: time.Now().UnixNano(), orders: make(chan struct{})}
	r.ctx, r.abandon = context.WithCancel(ctx)
	defer r.abandon()
	if p.Rate > 0 {
		go r.open()
	} else {
		go r.closed()
	}
	if err := r.window(ctx, begin, end); err != nil {
		return Result{}, err
	}
	return r.result()
}

// The phases of a measurement.
const (
	warming int32 = iota
	measuring
	ending
)

// runner is a measurement under way.
type runner struct {
	plan    Plan
	order   Order
	run     int64 // part of the ids, so that two runs share none
	ctx     context.Context
	abandon context.CancelFunc
	orders  chan struct{} // closed once no order is under way

	next  atomic.Int64
	phase atomic.Int32

	mu     sync.Mutex
	took   []time.Duration
	failed int
	first  error

	began, ended  time.Time // when the last order before the measured time ended, and the last one within it
	before, after usage
}

// window waits for the measured time to begin and to end, and for the orders that
// are then under way.
func (r *runner) window(ctx context.Context, begin, end func() error) error {
	if err := sleep(ctx, r.plan.Warm); err != nil {
		return err
	}
	if err := begin(); err != nil {
		return err
	}
	r.before = measure()
	r.phase.Store(measuring)
	if err := sleep(ctx, r.plan.For); err != nil {
		return err
	}
	r.phase.Store(ending)
	r.after = measure()
	if err := end(); err != nil {
		return err
	}
	patience := time.AfterFunc(Patience, r.abandon)
	defer patience.Stop()
	select {
	case <-r.orders:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// closed keeps InFlight orders under way until the measured time is over.
func (r *runner) closed() {
	defer close(r.orders)
	var all sync.WaitGroup
	for range r.plan.InFlight {
		all.Go(func() {
			var took []time.Duration
			var began, ended time.Time
			for r.phase.Load() != ending && r.ctx.Err() == nil {
				begin := time.Now()
				if err := r.order(r.ctx, r.id()); err != nil {
					r.fail(err)
					_ = sleep(r.ctx, 10*time.Millisecond) // a system in trouble is not to be hammered
					continue
				}
				switch now := time.Now(); r.phase.Load() {
				case warming:
					began = now
				case measuring:
					took, ended = append(took, now.Sub(begin)), now
				}
			}
			r.mu.Lock()
			r.took = append(r.took, took...)
			r.began, r.ended = later(r.began, began), later(r.ended, ended)
			r.mu.Unlock()
		})
	}
	all.Wait()
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

const mostUnderWay = 50_000 // orders of an open loop; beyond that, the system is lost

// open begins an order each 1/Rate seconds. Those that were to begin within the
// measured time count, however late they end.
func (r *runner) open() {
	defer close(r.orders)
	var all sync.WaitGroup
	var underWay atomic.Int64
	begin := time.Now()
	for n := 0; r.ctx.Err() == nil; n++ {
		at := begin.Add(time.Duration(float64(n) / r.plan.Rate * float64(time.Second)))
		if at.Sub(begin) >= r.plan.Warm+r.plan.For {
			break
		}
		if sleep(r.ctx, time.Until(at)) != nil {
			break
		}
		if underWay.Load() >= mostUnderWay {
			r.fail(fmt.Errorf("%d orders are under way: the system does not keep up with %v a second", mostUnderWay, r.plan.Rate))
			break
		}
		underWay.Add(1)
		all.Go(func() {
			defer underWay.Add(-1)
			if err := r.order(r.ctx, r.id()); err != nil {
				r.fail(err)
			} else if at.Sub(begin) >= r.plan.Warm {
				r.mu.Lock()
				r.took = append(r.took, time.Since(at))
				r.mu.Unlock()
			}
		})
	}
	all.Wait()
}

func (r *runner) id() string {
	if r.plan.RandomIDs {
		return fmt.Sprintf("o-%016x-%08x", rand.Uint64(), r.next.Add(1)) //nolint:gosec // no secret
	}
	return fmt.Sprintf("o-%d-%d", r.run, r.next.Add(1))
}

func (r *runner) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed++
	if r.first == nil {
		r.first = err
	}
}
