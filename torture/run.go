package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tutti-go/tutti/shop/verify"
)

// run is a shop under load.
type run struct {
	set     *settings
	out     io.Writer
	begin   time.Time
	site    *site
	journal *journal
	load    *load

	printing sync.Mutex
}

// torture runs a shop, kills it, and checks what is left.
func torture(ctx context.Context, set *settings, out io.Writer) error {
	return within(ctx, set, out, func(ctx context.Context, r *run) error {
		h := newHarm(r)
		err := r.under(ctx, h.do)
		r.say("%v", &h.hits)
		if err != nil {
			return err
		}
		return r.conclude(ctx)
	})
}

// within makes a directory, a shop in it that is not started, and a journal, and
// lets do work with them. What failed is kept.
func within(ctx context.Context, set *settings, out io.Writer, do func(context.Context, *run) error) (err error) {
	set.seed = cmp.Or(set.seed, rand.Uint64()>>32)
	dir, temporary := set.dir, set.dir == ""
	if temporary {
		if dir, err = os.MkdirTemp("", "torture-"); err != nil {
			return fmt.Errorf("make directory: %w", err)
		}
	} else if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
		return fmt.Errorf("--data %s has a shop of an earlier run in it, want a new directory", dir)
	}
	r := &run{set: set, out: out, begin: time.Now()}
	defer func() {
		switch {
		case err != nil:
			err = fmt.Errorf("%w\nseed %d; databases, log and what the processes said are in %s", err, set.seed, dir)
		case temporary && !set.keep:
			err = os.RemoveAll(dir)
		default:
			r.say("everything is in %s", dir)
		}
	}()
	if r.site, err = newSite(ctx, set, dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.site.abandon()) }()
	if r.journal, err = openJournal(filepath.Join(dir, "journal")); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.journal.close()) }()
	r.load = newLoad(r.site, set, r.journal)
	r.begin = time.Now()
	r.say("layout %s, seed %d, %v orders/s", set.layout, set.seed, set.rate)
	return do(ctx, r)
}

// filling is how many times as fast as the others the first orders are placed.
const filling = 20

// under starts the shop and the load, and stops the load when do has returned.
func (r *run) under(ctx context.Context, do func(context.Context) error) error {
	if err := r.site.start(); err != nil {
		return err
	}
	opening, cancel := context.WithTimeout(ctx, r.set.patience)
	defer cancel()
	if err := r.load.open(opening); err != nil {
		return fmt.Errorf("set up the shop: %w\n%s", err, r.health(ctx))
	}
	var loading sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	if r.set.fill > 0 {
		r.say("%d orders first", r.set.fill)
		r.load.run(ctx, 0, r.set.fill, filling*r.set.rate)
	}
	loading.Go(func() { r.load.run(ctx, r.set.fill, math.MaxInt, r.set.rate) })
	err := do(ctx)
	stop()
	loading.Wait()
	select {
	case e := <-r.load.failed:
		err = errors.Join(err, e)
	default:
	}
	return err
}

// conclude waits until all is settled, checks it, and says so.
func (r *run) conclude(ctx context.Context) error {
	r.say("%d orders acknowledged, %d requests repeated; waiting until all have ended", r.journal.len(), r.load.again.Load())
	e, report, err := r.settle(ctx)
	if err != nil {
		return err
	}
	for _, p := range r.site.processes {
		falls := p.fallen()
		for _, how := range sorted(falls) {
			r.say("%s ended by itself %d times, and was started again: %s", p.name, falls[how], how)
		}
	}
	r.say("all %d orders that were acknowledged are there, and have ended: %d confirmed, %d cancelled", e.confirmed+e.cancelled, e.confirmed, e.cancelled)
	r.say("shop verify: %s", summary(report))
	return nil
}

func summary(report verify.Report) string {
	return fmt.Sprintf("all %d invariants hold over %d orders and %d events, and nothing is under way", len(report.Invariants), report.Orders, report.Events)
}

// say prints a line with the time since the beginning.
func (r *run) say(format string, args ...any) {
	r.printing.Lock()
	defer r.printing.Unlock()
	fmt.Fprintf(r.out, "%7.1fs  %s\n", time.Since(r.begin).Seconds(), fmt.Sprintf(format, args...))
}
