package service

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/store"
)

// ErrCrash is, as the cause of the end of Run's context, what makes Run return at
// once without draining or cleaning up, as kill -9 would: for tests.
var ErrCrash = errors.New("crash")

// Run runs the service until ctx ends; then it stops reading, finishes what is
// under way within Config.Drain, and returns nil. It returns an error if it cannot
// start, or cannot go on.
func (s *Service) Run(ctx context.Context) error {
	err := s.run(ctx)
	if err == nil || errors.Is(err, ErrCrash) {
		return err
	}
	return fmt.Errorf("service %s: %w", s.name, err)
}

func (s *Service) run(ctx context.Context) error {
	if err := s.cfg.validate(); err != nil {
		return err
	}
	if err := s.checkContracts(); err != nil {
		return err
	}
	hard, kill := context.WithCancelCause(context.WithoutCancel(ctx))
	defer kill(nil)
	defer close(s.stopped)
	s.kill = kill
	crash := context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), ErrCrash) {
			kill(ErrCrash)
		}
	})
	defer crash()
	r := &running{s: s, hard: hard, kill: kill}
	defer r.close()
	if err := r.open(ctx); err != nil {
		if ctx.Err() != nil && hard.Err() == nil {
			s.log.Info("stopped before it had started", "error", err)
			return nil
		}
		return fmt.Errorf("start: %w", err)
	}
	return r.run(ctx)
}

// fault asks the test's fault hook; an error of it kills the service.
func (s *Service) fault(p Point) error {
	err := s.cfg.Fault(p)
	if err != nil {
		s.kill(err)
	}
	return err
}

// running is what a service holds while it runs.
type running struct {
	s        *Service
	hard     context.Context // ends when the service is to die on the spot
	kill     context.CancelCauseFunc
	db       *store.Store
	lane     *store.Lane
	consumer atomic.Pointer[kafka.Consumer] // nil: nothing is read
	left     bool                           // the loop does not end: what it uses stays open
	noting   sync.Mutex                     // held while Kafka is told how far events are sent
}

// open opens the database, topics and connections, and checks that database and
// log fit together.
func (r *running) open(ctx context.Context) (err error) {
	s, l := r.s, r.s.loop
	l.workers = newWorkers(r.hard, l)
	publishes := map[event.Contract]bool{}
	for c := range s.publishes {
		publishes[c] = true
	}
	if err := r.reach(ctx, func() error { return r.openDatabase(ctx, publishes) }); err != nil {
		return err
	}
	if err := r.reach(ctx, func() error { return r.compare(ctx) }); err != nil {
		return err
	}
	lane, unsent, err := r.db.TakeLane(ctx)
	if err != nil {
		return err
	}
	r.lane, l.lane = lane, lane.Number
	if err := r.revive(ctx); err != nil {
		return err
	}
	if l.relay, err = r.newRelay(lane, unsent, r.db.Swept()); err != nil {
		return err
	}
	l.db.Store(r.db)
	l.next = l.now() // jobs and parked records may be due
	return r.join()
}

// revive makes jobs and parked records run that died for want of a handler, which they
// have now.
func (r *running) revive(ctx context.Context) error {
	var jobs int64
	err := r.db.Update(ctx, func(tx *store.Tx) (err error) {
		jobs, err = tx.ReviveKinds(ctx, slices.Sorted(maps.Keys(r.s.jobs)))
		return err
	})
	if err != nil {
		return err
	}
	var errs []string
	for _, b := range r.s.bindings {
		errs = append(errs, r.s.unhandled(b.Contract.Type).Error(), r.s.unversed(b.Contract.Type, b.Contract.Version).Error())
	}
	records, err := r.db.RedriveAll(ctx, errs)
	if jobs > 0 || records > 0 {
		r.s.log.Info("what was dead for want of a handler has one again, and runs", "jobs", jobs, "records", records)
	}
	return err
}

// compare makes the topics that there are not, and finds out whether database and
// log fit together.
func (r *running) compare(ctx context.Context) error {
	s := r.s
	if err := s.cfg.bus.EnsureTopics(ctx, s.topics()); err != nil {
		return err
	}
	if !s.cfg.guards.checks {
		return nil
	}
	if err := s.checkAccess(ctx); err != nil {
		return err
	}
	return r.check(ctx)
}

// newRelay makes the relay of a lane, with what the lane's last holder left unsent.
// All up to sent is in the log.
func (r *running) newRelay(lane *store.Lane, unsent []store.Batch, sent int64) (*relay, error) {
	s := r.s
	renew := func() (*kafka.Producer, error) { return s.cfg.bus.Producer(lane.Name) }
	producer, err := renew()
	if err != nil {
		return nil, err
	}
	relay := newRelay(lane.Name, s.log, producer, sent)
	relay.renew = renew
	relay.fault, relay.die = s.cfg.Fault, func(err error) { r.kill(err) }
	relay.backoff = s.loop.backoff
	relay.guards, relay.fails = s.cfg.guards, s.cfg.hooks.send
	if !relay.guards.resend {
		unsent = nil
	}
	relay.more = func(ctx context.Context, after int64) ([]store.Batch, bool, error) {
		batches, err := r.db.Unsent(ctx, lane, after)
		return batches, len(batches) > 0 && lane.Left(batches[len(batches)-1].Number), err
	}
	relay.cut = func(p event.Partition, m mark, lost error) { r.cut(lane.Name, p, m, lost) }
	if len(unsent) > 0 {
		relay.resume(unsent, lane.Left(unsent[len(unsent)-1].Number))
		s.log.Info("sending what was committed but not sent before", "lane", lane.Name, "batches", len(unsent))
	}
	return relay, nil
}

// cut ends the service because the log has lost a part of what it sent, and notes that
// for the next start: by then the log may be longer than before.
func (r *running) cut(lane string, p event.Partition, m mark, lost error) {
	ctx, cancel := context.WithTimeout(r.hard, 5*time.Second)
	defer cancel()
	r.noting.Lock()
	defer r.noting.Unlock()
	mark := kafka.Mark{Offset: m.offset + 1, Metadata: lane + " " + strconv.FormatInt(m.seq, 10) + cutMark}
	if err := r.s.cfg.bus.Commit(ctx, r.s.sentGroup(), map[event.Partition]kafka.Mark{p: mark}); err != nil {
		r.s.log.Warn("note that the log was cut", "error", err)
	}
	r.kill(fmt.Errorf("%w. What it has lost is lost for those who had not read it. The next start says what can be done", lost))
}

// cutMark, behind a number that was noted, says that the log has lost it.
const cutMark = " cut"

// laneOf returns the lane that numbered a batch.
func laneOf(b store.Batch) string {
	for _, e := range b.Events {
		for _, h := range e.Record.Headers {
			if h.Key == "lane" {
				return string(h.Value)
			}
		}
	}
	return ""
}

// run runs the parts until ctx ends or one fails.
func (r *running) run(ctx context.Context) error {
	s, l := r.s, r.s.loop
	reading, stopReading := context.WithCancel(ctx)
	defer stopReading()
	stopHard := context.AfterFunc(r.hard, stopReading)
	defer stopHard()
	var wg sync.WaitGroup
	failed := make(chan error, 8+len(s.background))
	start := func(fn func() error) {
		wg.Go(func() {
			if err := fn(); err != nil {
				failed <- err
			}
		})
	}
	sending, stopSending := context.WithCancel(r.hard)
	defer stopSending()
	wg.Go(func() { l.relay.run(sending) })
	if r.consumer.Load() != nil {
		start(func() error { return r.read(reading) })
	}
	start(func() error { return r.watchTopics(reading) })
	adopting := make(chan struct{})
	start(func() error {
		defer close(adopting)
		return r.adopt(reading)
	})
	reporting, stopReporting := context.WithCancel(sending)
	defer stopReporting()
	reported := make(chan struct{})
	wg.Go(func() {
		defer close(reported)
		r.report(reporting)
	})
	for _, fn := range s.background {
		start(func() error { return safely(func() error { return fn(reading) }) })
	}
	looping := make(chan error, 1)
	go func() {
		defer close(looping) // below, the first answer may be taken before drain asks for it
		looping <- l.run(reading, r.hard, l.workers.idle)
	}()
	close(s.ready)

	var err error
	select {
	case err = <-looping:
	case err = <-failed:
		stopReading()
	case <-ctx.Done():
	}
	if err != nil {
		r.kill(err)
	} else {
		err = r.drain(looping, func() {
			stopReporting()
			<-reported
			<-adopting
		})
	}
	stopReading()
	stopSending()
	wg.Wait()
	if errors.Is(err, ErrCrash) {
		return ErrCrash
	}
	return err
}

// drain finishes what is under way, for at most Config.Drain. alone has ended what runs
// beside it when it reports for the last time, and gives its lane up.
func (r *running) drain(looping <-chan error, alone func()) error {
	l := r.s.loop
	l.workers.close()
	timeout, cancel := context.WithTimeout(r.hard, r.s.cfg.Drain)
	defer cancel()
	select {
	case err := <-looping:
		if err != nil {
			return err
		}
	case <-timeout.Done():
		r.kill(fmt.Errorf("stop: not drained in %v: what is under way will be done again", r.s.cfg.Drain))
		return r.leave(looping)
	}
	if !l.relay.flush(timeout) && r.hard.Err() == nil {
		r.s.log.Warn("stopping with events unsent; they are sent at the next start")
	}
	if r.hard.Err() != nil {
		return context.Cause(r.hard)
	}
	err := r.db.Sweep(r.hard, l.relay.landed()) // Kafka may have used the time up; the database needs none of it
	alone()
	r.commit(timeout)
	err = errors.Join(err, r.db.ReleaseLane(r.hard))
	if r.hard.Err() != nil { // it was to die on the spot
		return context.Cause(r.hard)
	}
	return err
}

// leave waits a little for a loop that was told to end at once. One that does not is
// left behind with its transaction, which cannot commit any more.
func (r *running) leave(looping <-chan error) error {
	timer := time.NewTimer(2 * time.Second)
	defer timer.Stop()
	select {
	case err := <-looping:
		return err
	case <-timer.C:
	}
	r.left = true
	r.s.log.Error("a handler does not end, and ignores its context: it is left behind with its transaction, which will not be committed. End this process",
		"stack", r.s.loop.stack())
	return fmt.Errorf("%w; a handler ignores that its context has ended, and is left behind", context.Cause(r.hard))
}

// close ends connections; after a crash as abruptly as the crash would.
func (r *running) close() {
	if c := r.consumer.Load(); c != nil {
		if r.hard.Err() == nil {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			c.Close(ctx)
			cancel()
		} else {
			c.Kill()
		}
	}
	if relay := r.s.loop.relay; relay != nil {
		relay.producer.Close()
	}
	if r.db != nil && !r.left {
		if err := r.db.Close(); err != nil && r.hard.Err() == nil {
			r.s.log.Error("close database", "error", err)
		}
	}
}

// report tells Kafka once a second how far the service is: for monitoring, and to
// notice at the next start if log or database went back in time.
func (r *running) report(ctx context.Context) {
	hanging, said := int64(0), map[store.Gap]bool{}
	for n := 0; sleep(ctx, max(time.Second, r.s.cfg.Calm)); n++ {
		hanging = r.s.loop.watch(hanging)
		r.s.loop.complain(said)
		r.commit(ctx)
		if n%forgetEvery == forgetEvery-1 {
			if err := r.forget(ctx); err != nil && ctx.Err() == nil {
				r.s.log.Warn("forget what the log no longer holds", "error", err)
			}
		}
	}
}

const (
	forgetEvery  = 600  // seconds
	forgetAtOnce = 5000 // in one transaction: others wait for it
)

// forget drops the ids of messages without a lane that the log no longer holds, or that
// are further back than Config.Remember.
func (r *running) forget(ctx context.Context) error {
	bounds, err := r.s.cfg.bus.Bounds(ctx, r.s.name, r.s.subscribed())
	if err != nil {
		return err
	}
	positions, err := r.db.Positions(ctx)
	if err != nil {
		return err
	}
	for p, b := range bounds {
		before := max(b.Start, positions[p].Next-r.s.cfg.Remember)
		for more := before > 0; more; {
			if err := r.s.Write(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
				more, err = tx.ForgetForeign(ctx, p, before, forgetAtOnce)
				return err
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// sentGroup is the group under which a service notes how far its events are in
// the log.
func (s *Service) sentGroup() string { return s.name + ".sent" }

func (r *running) commit(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	l := r.s.loop
	if next := l.changed(); len(next) > 0 && r.consumer.Load() != nil {
		if !r.consumer.Load().Commit(ctx, next) {
			l.untold(next)
		}
	}
	r.noting.Lock()
	defer r.noting.Unlock()
	marks := map[event.Partition]kafka.Mark{}
	for p, m := range l.relay.news() {
		marks[p] = kafka.Mark{Offset: m.offset + 1, Metadata: r.lane.Name + " " + strconv.FormatInt(m.seq, 10)}
	}
	if len(marks) == 0 {
		return
	}
	if err := r.s.cfg.bus.Commit(ctx, r.s.sentGroup(), marks); err != nil {
		r.s.log.Debug("note how far events are sent", "error", err)
	}
}

// topics lists the topics that the service reads and writes.
func (s *Service) topics() []event.Topic {
	byName := map[string]event.Topic{}
	for c := range s.publishes {
		byName[c.Topic.Name] = c.Topic
	}
	for _, b := range s.bindings {
		byName[b.Contract.Topic.Name] = b.Contract.Topic
	}
	return slices.SortedFunc(maps.Values(byName), func(a, b event.Topic) int { return strings.Compare(a.Name, b.Name) })
}

func (s *Service) subscribed() []string {
	names := map[string]bool{}
	for _, b := range s.bindings {
		names[b.Contract.Topic.Name] = true
	}
	return slices.Sorted(maps.Keys(names))
}
