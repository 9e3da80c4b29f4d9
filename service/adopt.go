package service

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tutti-go/tutti/store"
)

// adopt looks for lanes of instances that are gone, and takes over what they left:
// jobs and timers become this instance's, and unsent events are sent under their
// lane's name and numbers. It returns an error if this instance itself was taken for
// gone.
func (r *running) adopt(ctx context.Context) error {
	if !r.db.Shared() {
		return nil
	}
	var heirs sync.WaitGroup
	defer heirs.Wait()
	// After a time in which the database was not there, or this process did not run,
	// nobody looks alive: all get the time to say that they are.
	since, last := time.Now(), time.Now()
	before := false // it was so at the last look: one that lives says so meanwhile, whatever a clock did
	for sleep(ctx, store.LeaseTime/3) {
		if time.Since(last) > store.LeaseTime*2/3 {
			since = time.Now()
		}
		last = time.Now()
		abandoned, err := r.db.Abandoned(ctx)
		if err == nil && abandoned && before && time.Since(since) >= store.LeaseTime {
			err = r.adoptAll(ctx, &heirs)
		}
		before = abandoned
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, store.ErrFenced):
			return err
		case err != nil:
			since = time.Now()
			r.s.log.Warn("look for lanes whose instances are gone", "error", err)
		}
	}
	return nil
}

// adoptAll adopts what is to be adopted now.
func (r *running) adoptAll(ctx context.Context, heirs *sync.WaitGroup) error {
	for {
		lane, unsent, err := r.db.AdoptLane(ctx)
		if lane == nil || err != nil {
			return err
		}
		r.s.log.Warn("took over from an instance that is gone: its jobs and timers, and what it had not sent", "lane", lane.Name, "batches", len(unsent))
		r.s.loop.look()
		heirs.Go(func() { r.expel(ctx, lane) })
		if len(unsent) > 0 {
			heirs.Go(func() { r.inherit(ctx, lane, unsent) })
		}
	}
}

// expel removes an instance whose lane was adopted from the group, or its partitions
// would wait until its session ends; on the embedded broker for ever, if it died while
// it joined (kfake expects no sign of life of a member whose answer to a join could not
// be delivered).
func (r *running) expel(ctx context.Context, lane *store.Lane) {
	if r.consumer.Load() == nil {
		return
	}
	if err := r.s.cfg.bus.Expel(ctx, r.s.name, lane.Name); err != nil && ctx.Err() == nil {
		r.s.log.Warn("remove an instance that is gone from the group; its session ends by itself", "lane", lane.Name, "error", err)
	}
}

// inherit sends what was left in an adopted lane, and gives the lane up for reuse.
// If it cannot finish, another instance adopts the lane later.
func (r *running) inherit(ctx context.Context, lane *store.Lane, unsent []store.Batch) {
	l := r.s.loop
	l.inherited.Add(1)
	defer l.inherited.Add(-1)
	relay, err := r.newRelay(lane, unsent, unsent[0].Number-1)
	if err != nil {
		r.s.log.Error("send what an adopted lane has left", "lane", lane.Name, "error", err)
		return
	}
	sending, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer func() {
		stop()
		wg.Wait()
		relay.producer.Close()
	}()
	wg.Go(func() { relay.run(sending) })
	for ctx.Err() == nil {
		waiting, cancel := context.WithTimeout(ctx, store.LeaseTime/5)
		done := relay.flush(waiting)
		cancel()
		if ctx.Err() != nil {
			return
		}
		err := r.db.KeepLane(ctx, lane, relay.landed(), done)
		switch {
		case err == nil && done:
			r.s.log.Info("sent all that an instance that is gone had left", "lane", lane.Name)
			return
		case errors.Is(err, store.ErrFenced):
			r.s.log.Warn("another instance sends what this lane has left", "lane", lane.Name, "error", err)
			return
		case err != nil:
			r.s.log.Warn("keep an adopted lane", "lane", lane.Name, "error", err)
			sleep(ctx, time.Second)
		}
	}
}
