package service

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/store"
)

// loop is the heart of a service: it gathers what waits, handles it in one
// transaction, and hands on what the commit leaves to be done.
//
//	Kafka ── fetch ──► deliveries ─┐
//	HTTP ── Write ───► requests ───┤            ┌─► relay ──► Kafka
//	workers ─────────► completions ┼─► transact ┼─► workers
//	clock ───────────► due, parked ┘            └─► answers to requests
//
// All but transact run beside it: the next records are fetched and decoded, and
// the last events sent, while a transaction runs.
type loop struct {
	s       *Service
	db      atomic.Pointer[store.Store]
	relay   *relay
	workers *workers

	requests    chan *request
	fetched     chan []delivery
	completions chan completion
	nudge       chan struct{} // something may be due

	// Of the loop's own goroutine.
	partitions map[event.Partition]*partition
	parked     int       // records parked in known partitions
	next       time.Time // when something is due; zero: never
	gaps       map[string]bool
	held       time.Time // when the last transaction committed

	mu    sync.Mutex
	first map[event.Partition]int64 // where partitions without a position begin
	lost  []event.Partition         // no longer assigned: to be forgotten
	due   bool                      // something has become due
	ends  map[event.Partition]end

	busy   atomic.Int64 // when the current transaction began, ms; 0: none
	totals totals
}

// end is how far the log of a partition is known to go, and how far it is handled.
type end struct {
	log, next int64
	told      int64     // next, as last told to Kafka
	handled   time.Time // time of the last record handled
}

// totals counts since the start.
type totals struct{ handled, unknown, duplicate, gap, parked, dead, redelivered, published, transactions atomic.Int64 }

const queued = 4096 // requests and completions that may wait for the loop

func newLoop(s *Service) *loop {
	return &loop{
		s: s, requests: make(chan *request, queued), fetched: make(chan []delivery, 1), completions: make(chan completion, queued),
		nudge: make(chan struct{}, 1), partitions: map[event.Partition]*partition{}, gaps: map[string]bool{},
		first: map[event.Partition]int64{}, ends: map[event.Partition]end{},
	}
}

// run handles inputs until ctx ends; then, until drained says that nothing is
// under way any more, only what is under way. It ends at once when hard ends.
func (l *loop) run(ctx, hard context.Context, drained func() bool) error {
	for {
		in, err := l.gather(ctx, hard)
		if err != nil {
			return err
		}
		if in.empty() && l.relay.landed() <= l.swept() && !l.beat() {
			if ctx.Err() != nil && drained() && len(l.requests)+len(l.completions) == 0 {
				return nil
			}
			continue
		}
		if !l.relay.room(hard, l.s.cfg.Unsent) {
			return context.Cause(hard)
		}
		if err := l.transact(hard, in); err != nil {
			return err
		}
	}
}

// beat reports whether it is time to say that the lane is still held, where others
// could take it.
func (l *loop) beat() bool {
	return l.s.cfg.Shared && time.Since(l.held) >= store.LeaseTime/3
}

func (l *loop) swept() int64 { return l.db.Load().Swept() }

// gather waits for something to do, and takes with it what else is there.
func (l *loop) gather(ctx, hard context.Context) (*inputs, error) {
	in := &inputs{}
	l.forgetLost()
	fetched, stopping := l.fetched, ctx.Done()
	if ctx.Err() != nil {
		fetched, stopping = nil, nil // only what is under way
	}
	if l.parked >= l.s.cfg.Parked {
		fetched = nil // until some have been handled or discarded
	}
	timer := time.NewTimer(l.idle(ctx))
	defer timer.Stop()
	select {
	case <-hard.Done():
		return nil, context.Cause(hard)
	case <-stopping:
	case r := <-l.requests:
		in.requests = append(in.requests, r)
	case c := <-l.completions:
		in.completions = append(in.completions, c)
	case in.deliveries = <-fetched:
	case <-l.nudge:
	case <-timer.C:
	}
	if in.deliveries == nil && fetched != nil {
		select {
		case in.deliveries = <-fetched:
		default:
		}
	}
	drain(l.requests, &in.requests, l.s.cfg.Batch)
	drain(l.completions, &in.completions, l.s.cfg.Batch)
	if ctx.Err() == nil {
		if err := l.clock(hard, in); err != nil {
			l.s.log.Error("read what is due", "error", err)
			l.next = time.Now().Add(time.Second)
		}
	}
	return in, nil
}

func drain[T any](from chan T, to *[]T, limit int) {
	for len(*to) < limit {
		select {
		case v := <-from:
			*to = append(*to, v)
		default:
			return
		}
	}
}

// idle is how long the loop may wait if nothing comes: until something is due, the
// outbox is to be swept, or the lane to be held on to.
func (l *loop) idle(ctx context.Context) time.Duration {
	d := store.LeaseTime / 3
	if l.relay.landed() > l.swept() {
		d = 500 * time.Millisecond
	}
	if !l.next.IsZero() {
		d = min(d, max(0, time.Until(l.next)))
	}
	if ctx.Err() != nil {
		d = min(d, 5*time.Millisecond)
	}
	return d
}

// clock takes the jobs, timers and parked records that are due.
func (l *loop) clock(ctx context.Context, in *inputs) error {
	now := time.Now()
	if l.next.IsZero() || now.Before(l.next) {
		return nil
	}
	const limit = 256
	db := l.db.Load()
	due, nextJob, err := db.DueJobs(ctx, now, limit, l.workers.full()...)
	if err != nil {
		return err
	}
	in.due = due
	parked, nextParked, err := db.DueParked(ctx, now, limit)
	if err != nil {
		return err
	}
	in.parked = parked
	l.next = earlier(nextJob, nextParked)
	if l.workers.full() != nil { // jobs may wait in the table for room
		l.next = earlier(l.next, now.Add(100*time.Millisecond))
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// transact handles the inputs in one transaction, and tries again until it has
// succeeded or cannot. Where a handler fails, all is handled one by one.
func (l *loop) transact(ctx context.Context, in *inputs) error {
	l.busy.Store(time.Now().UnixMilli())
	defer l.busy.Store(0)
	each := false
	for attempt := 0; ; {
		err := l.attempt(ctx, in, each)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			in.answer(problem.Unavailable(time.Second, "%s is stopping; the outcome is unknown", l.s.name))
			return context.Cause(ctx)
		case errors.Is(err, errHandler) && !each:
			l.s.log.Debug("handling one by one", "error", err)
			each = true
			continue
		case errors.Is(err, store.ErrFenced):
			if err := l.refenced(ctx, err); err != nil {
				in.answer(problem.Unavailable(time.Second, "%s was replaced", l.s.name))
				return err
			}
			continue
		}
		l.s.log.Error("the database does not take a transaction; trying again", "attempt", attempt+1, "error", err)
		in.answer(problem.Unavailable(time.Second, "the database of %s does not answer; the outcome is unknown", l.s.name))
		in.requests = nil
		if !sleep(ctx, l.backoff(attempt)) {
			return context.Cause(ctx)
		}
		attempt++
	}
}

// refenced looks at why a transaction was fenced. If the lane is still held, a
// position was moved by another instance: what is known of partitions is read
// again. Otherwise this instance has been replaced.
func (l *loop) refenced(ctx context.Context, cause error) error {
	clear(l.partitions)
	held, err := l.db.Load().HoldsLane(ctx)
	if err != nil {
		return err
	}
	if !held {
		return fmt.Errorf("service %s: %w", l.s.name, cause)
	}
	l.s.log.Warn("another instance moved a position; going on from there", "error", cause)
	return nil
}

func (in *inputs) answer(err error) {
	for _, r := range in.requests {
		r.done <- err
	}
}

// attempt is one try at a transaction.
func (l *loop) attempt(ctx context.Context, in *inputs, each bool) error {
	db := l.db.Load()
	tx, err := db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	handling, cancel := context.WithTimeout(ctx, l.s.cfg.HandlerTimeout)
	defer cancel()
	if each {
		handling = ctx // each handler has a timeout of its own
	}
	b := &batch{l: l, tx: tx, ctx: handling, each: each, parts: map[event.Partition]*progress{}}
	if err := b.run(in); err != nil {
		return err
	}
	books := b.books()
	books.Sent = l.relay.landed()
	if err := l.s.fault(BeforeCommit); err != nil {
		return err
	}
	done, err := tx.Commit(ctx, books)
	if err != nil {
		return err
	}
	if err := l.s.fault(AfterCommit); err != nil {
		return err
	}
	l.committed(in, b, done)
	return nil
}

// committed hands on what a commit leaves to be done.
func (l *loop) committed(in *inputs, b *batch, done store.Committed) {
	if len(done.Events) > 0 {
		l.relay.push(store.Batch{Number: done.Batch, Events: done.Events})
	}
	for _, r := range in.requests {
		r.done <- r.err
	}
	for _, g := range b.parts {
		g.commit()
		for _, n := range g.parks {
			l.parked += n
		}
	}
	l.held = b.tx.Now()
	l.mark(b)
	l.workers.release(b.finished)
	for _, j := range done.Jobs {
		if j.Running {
			l.workers.push(j)
		} else {
			b.wake(j.Due)
		}
	}
	for _, j := range b.claimed {
		l.workers.push(j)
	}
	l.next = earlier(l.next, b.earliest)
	l.totals.add(b.counts, len(done.Events))
}

func (t *totals) add(c counts, published int) {
	t.handled.Add(c.Handled)
	t.unknown.Add(c.Unknown)
	t.duplicate.Add(c.Duplicate)
	t.gap.Add(c.Gap)
	t.parked.Add(c.Parked)
	t.dead.Add(c.Dead)
	t.redelivered.Add(c.Redelivered)
	t.published.Add(int64(published))
	t.transactions.Add(1)
}

// mark notes how far partitions are handled, for lag and for Kafka's own offsets.
func (l *loop) mark(b *batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, g := range b.parts {
		e := l.ends[p]
		e.next = g.now
		e.log = max(e.log, e.next)
		if !g.latest.IsZero() {
			e.handled = g.latest
		}
		l.ends[p] = e
	}
}

// partition returns what is known of a partition, and reads it if nothing is.
func (l *loop) partition(ctx context.Context, p event.Partition) (*partition, error) {
	if part, ok := l.partitions[p]; ok {
		return part, nil
	}
	db := l.db.Load()
	positions, err := db.Positions(ctx)
	if err != nil {
		return nil, err
	}
	pos, stored := positions[p]
	if !stored {
		l.mu.Lock()
		pos.Next = l.first[p]
		l.mu.Unlock()
		pos.Origin = pos.Next
	}
	part, err := load(ctx, db, p, pos, stored)
	if err != nil {
		return nil, err
	}
	l.partitions[p] = part
	l.countParked()
	return part, nil
}

func (l *loop) countParked() {
	l.parked = 0
	for _, part := range l.partitions {
		for _, n := range part.parked {
			l.parked += n
		}
	}
}

// start tells the consumer where to begin in a partition that was assigned.
func (l *loop) start(ctx context.Context, p event.Partition) (int64, error) {
	positions, err := l.db.Load().Positions(ctx)
	if err != nil {
		return 0, err
	}
	if pos, ok := positions[p]; ok {
		return pos.Next, nil
	}
	bounds, err := l.s.cfg.bus.Bounds(ctx, l.s.name, []string{p.Topic})
	if err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.first[p] = bounds[p].Start
	return bounds[p].Start, nil
}

// lose is told of partitions that are no longer assigned.
func (l *loop) lose(ps []event.Partition) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = append(l.lost, ps...)
	for _, p := range ps {
		delete(l.ends, p)
	}
}

// forget makes the loop read the state of a partition again.
func (l *loop) forget(p event.Partition) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = append(l.lost, p)
}

func (l *loop) forgetLost() {
	l.mu.Lock()
	lost := l.lost
	l.lost = nil
	if l.due {
		l.due, l.next = false, time.Now()
	}
	l.mu.Unlock()
	for _, p := range lost {
		delete(l.partitions, p)
	}
	if len(lost) > 0 {
		l.countParked()
	}
}

// noticeGap says once for each lane and partition that something is missing.
func (l *loop) noticeGap(d *delivery) {
	id := d.env.Lane + " " + d.Partition.String()
	if l.gaps[id] {
		return
	}
	l.gaps[id] = true
	l.s.log.Warn("an event is missing before this one; its sender will send both again", "at", d.env.Position(), "lane", d.env.Lane, "seq", d.env.Seq)
}

// fetch polls and decodes until ctx ends.
func (l *loop) fetch(ctx context.Context, c *kafka.Consumer) error {
	for {
		fetched, err := c.Poll(ctx, l.s.cfg.Batch)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("service %s: %w", l.s.name, err)
		}
		var ds []delivery
		for _, f := range fetched {
			for _, r := range f.Records {
				ds = append(ds, delivery{f.Partition, r, l.decode(f.Partition, r.Offset, r.Record)})
			}
			l.mu.Lock()
			e := l.ends[f.Partition]
			e.log = max(e.log, f.End)
			l.ends[f.Partition] = e
			l.mu.Unlock()
		}
		if len(ds) == 0 {
			continue
		}
		select {
		case l.fetched <- ds:
		case <-ctx.Done():
			return nil
		}
	}
}

// decode reads a record, and finds who handles it.
func (l *loop) decode(p event.Partition, offset int64, r event.Record) message {
	var m message
	var data []byte
	m.env, data, m.err = event.Decode(r)
	m.env.Topic, m.env.Partition, m.env.Offset = p.Topic, p.Number, offset
	if m.err != nil {
		return m
	}
	if m.binding, m.err = l.s.binding(m.env); m.err != nil || m.binding == nil {
		return m
	}
	m.err = safely(func() (err error) {
		m.body, err = m.binding.Decode(m.env, data)
		return err
	})
	return m
}

// binding finds the handler of a message: nil if nobody here wants its type, an
// error if its version is not known.
func (s *Service) binding(e event.Envelope) (*event.Binding[*store.Tx], error) {
	versions := s.byType[typeID{e.Topic, e.Type}]
	if len(versions) == 0 {
		return nil, nil
	}
	if e.Version == 0 && len(versions) == 1 {
		return versions[0], nil // foreign, and there is no choice
	}
	for _, b := range versions {
		if b.Contract.Version == e.Version {
			return b, nil
		}
	}
	return nil, fmt.Errorf("%w: %s has version %d, and service %s handles version %d", event.ErrMalformed, e.Type, e.Version, s.name, versions[0].Contract.Version)
}

func (l *loop) backoff(attempt int) time.Duration {
	return jittered(l.s.cfg.Backoff, l.s.cfg.MaxBackoff, attempt)
}

// write is [Service.Write].
func (l *loop) write(ctx context.Context, fn func(context.Context, *store.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, l.s.cfg.WriteTimeout)
	defer cancel()
	r := &request{ctx: ctx, fn: fn, cause: causeOf(ctx), done: make(chan error, 1)}
	select {
	case l.requests <- r:
	case <-l.s.stopped:
		return problem.Unavailable(time.Second, "%s is stopping", l.s.name)
	case <-ctx.Done():
		return l.unanswered(ctx)
	}
	select {
	case err := <-r.done:
		return err
	case <-l.s.stopped:
		select { // answered in the last moment
		case err := <-r.done:
			return err
		default:
			return problem.Unavailable(time.Second, "%s stopped; the outcome is unknown", l.s.name)
		}
	case <-ctx.Done():
		return l.unanswered(ctx)
	}
}

func (l *loop) unanswered(ctx context.Context) error {
	return problem.Unavailable(time.Second, "%s did not answer in time (%w); the outcome is unknown", l.s.name, context.Cause(ctx))
}

// Query implements [store.Querier].
func (l *loop) Query(ctx context.Context, query string, args ...any) (store.Rows, error) {
	db := l.db.Load()
	if db == nil {
		return nil, problem.Unavailable(time.Second, "%s is starting", l.s.name)
	}
	return db.Reader().Query(ctx, query, args...)
}

// QueryRow implements [store.Querier].
func (l *loop) QueryRow(ctx context.Context, query string, args ...any) store.Row {
	rows, err := l.Query(ctx, query, args...)
	return store.NewRow(rows, err)
}
