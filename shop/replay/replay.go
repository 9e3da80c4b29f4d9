package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Config says how a file is replayed, and against which shop. Handler and Outcomes are
// required; the zero value of the rest is the documented default.
type Config struct {
	// Handler serves the routes of the shop's services.
	Handler http.Handler
	// Outcomes tells how orders ended; see [FromLog].
	Outcomes Outcomes
	// Quiet reports whether nothing is under way in any service: every event is
	// consumed, every job done, every return settled. It is asked at the end, after
	// every order has ended, until it is so. Default: it is not waited for.
	Quiet func(ctx context.Context) (bool, error)

	// Begun is when the shop began to work in this run, on the orders of an earlier one
	// as well; default when Run is called. Orders that ended before have been resumed.
	Begun time.Time
	// Rate is the most orders a second; 0 means as fast as possible.
	Rate float64
	// Stock is what the shop has of each product at the beginning; default
	// 1,000,000.
	Stock int64
	// Decline is how many of a hundred orders are paid with a card that is
	// declined. Which ones depends on their number alone.
	Decline float64
	// Mixed has the orders take both styles, half of them each. Which one an order
	// takes depends on its number alone. Otherwise it is up to the shop.
	Mixed bool
	// Requests is how many are under way at once; default 256.
	Requests int
	// InFlight is how many orders may wait for their outcome; default 1000.
	InFlight int

	// Progress is called every ProgressEvery (default 250 ms) and at the end.
	Progress      func(Progress)
	ProgressEvery time.Duration
	// Rejected is called with every rejected line, one at a time. Those that are
	// rejected with or after their invoice come out of order.
	Rejected func(Rejection)
	// Logger defaults to slog.Default.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Stock = cmp.Or(c.Stock, 1_000_000)
	c.Requests = cmp.Or(c.Requests, 256)
	c.InFlight = cmp.Or(c.InFlight, 1_000)
	c.ProgressEvery = cmp.Or(c.ProgressEvery, 250*time.Millisecond)
	if c.Begun.IsZero() {
		c.Begun = time.Now()
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// validate reports all faults at once.
func (c Config) validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Handler != nil, "Handler is nil")
	check(c.Outcomes != nil, "Outcomes is nil")
	check(c.Rate >= 0, "Rate is %v, want 0 or more orders a second", c.Rate)
	check(c.Stock >= 1 && c.Stock <= maxStock, "Stock is %d, want 1 to %d", c.Stock, int64(maxStock))
	check(c.Decline >= 0 && c.Decline <= 100, "Decline is %v, want 0 to 100 percent", c.Decline)
	check(c.Requests >= 1 && c.Requests <= 10_000, "Requests is %d, want 1 to 10000", c.Requests)
	check(c.InFlight >= 1, "InFlight is %d, want 1 or more", c.InFlight)
	check(c.ProgressEvery > 0, "ProgressEvery is %v, want more than 0", c.ProgressEvery)
	return errors.Join(errs...)
}

const maxStock = 1_000_000_000

// Run replays a file. It returns when all its orders and returns have ended, or
// with an error and what was done so far if ctx ends or the shop fails. If the rest of
// the file cannot be read, it returns that error when what was placed has ended.
func Run(ctx context.Context, file *File, cfg Config) (Summary, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return Summary{}, fmt.Errorf("configure replay: %w", err)
	}
	r := &run{
		cfg: cfg, src: &file.source, plan: file.plan, ledger: newLedger(file.plan, cfg.Begun),
		client: &client{handler: cfg.Handler, slots: make(chan struct{}, cfg.Requests)},
		flight: make(chan struct{}, cfg.InFlight),
	}
	return r.run(ctx)
}

// run is a replay under way.
//
//	file ──read──▶ orders ──POST──▶ shop ──outcomes──▶ ledger ──ready──▶ returns ──POST──▶ shop
//	                 ▲                                   │
//	                 └───────── room in flight ──────────┘
type run struct {
	cfg    Config
	src    *source
	plan   *plan
	ledger *ledger
	client *client
	flight chan struct{} // one for each order whose outcome is not known
	read   atomic.Int64  // invoices

	work   sync.WaitGroup
	cancel context.CancelCauseFunc
	report sync.Mutex // one rejection at a time
	start  time.Time  // of the first order
	orders int        // that were paced
}

func (r *run) run(ctx context.Context) (Summary, error) {
	ctx, r.cancel = context.WithCancelCause(ctx)
	defer r.cancel(nil)
	var side sync.WaitGroup // what goes on beside, until the end
	side.Go(func() {
		err := r.cfg.Outcomes(ctx, r.settle(ctx))
		if err == nil {
			err = errors.New("the source of outcomes ended")
		}
		r.cancel(err) // the first call counts
	})
	side.Go(func() { r.tick(ctx) })
	unread := r.feed(ctx)
	err := r.wait(ctx) // also where the rest of the file is unread
	end := time.Now()
	if err == nil && r.cfg.Quiet != nil {
		err = r.quiet(ctx)
	}
	settled := err == nil
	if settled {
		err = unread
	}
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause // the first failure, not those that followed from it
	}
	r.cancel(err)
	side.Wait() // starts no more work
	r.work.Wait()
	r.progress()
	s := r.ledger.summary(end)
	s.Lines = r.plan.lines
	s.Unsettled, s.Settled = r.ledger.progress().UnderWay, settled
	return s, err
}

// feed makes the products and customers known, and sends what the file holds.
func (r *run) feed(ctx context.Context) error {
	if err := r.introduce(ctx); err != nil {
		return err
	}
	r.start = time.Now()
	r.ledger.open(r.start)
	defer r.ledger.finish()
	return eachInvoice(ctx, r.src, r.reject, func(inv invoice) error {
		if !inv.returned && !r.plan.orders[inv.id] {
			return r.src.changed()
		}
		r.read.Add(1)
		if inv.returned {
			r.takeBack(ctx, r.ledger.bring(inv))
			return nil
		}
		return r.place(ctx, inv)
	})
}

// wait returns when everything has ended.
func (r *run) wait(ctx context.Context) error {
	select {
	case <-r.ledger.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// quiet waits until the services have nothing under way.
func (r *run) quiet(ctx context.Context) error {
	for {
		quiet, err := r.cfg.Quiet(ctx)
		if err != nil {
			return fmt.Errorf("wait until the shop is quiet: %w", err)
		}
		if quiet {
			return nil
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("wait until the shop is quiet: %w", err)
		}
	}
}

// settle takes outcomes in.
func (r *run) settle(ctx context.Context) func(Outcome) {
	return func(o Outcome) {
		ready, ended := r.ledger.settle(o, time.Now())
		if ended {
			<-r.flight
		}
		r.takeBack(ctx, ready)
	}
}

func (r *run) reject(row row) {
	r.ledger.reject(row.reason)
	if r.cfg.Rejected == nil {
		return
	}
	r.report.Lock()
	defer r.report.Unlock()
	r.cfg.Rejected(Rejection{Line: row.line, Reason: row.reason, Detail: row.detail})
}

// tick reports progress.
func (r *run) tick(ctx context.Context) {
	for sleep(ctx, r.cfg.ProgressEvery) == nil {
		r.progress()
	}
}

func (r *run) progress() {
	if r.cfg.Progress == nil {
		return
	}
	p := r.ledger.progress()
	p.Invoices, p.Read = r.plan.invoices, int(r.read.Load())
	r.cfg.Progress(p)
}
