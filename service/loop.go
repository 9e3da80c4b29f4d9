package service

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-go/tutti/event"
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
	lane    int64
	jitter  *jitter
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
	rest       *inputs          // of a batch that took too long for one transaction
	kept       time.Time        // when the last transaction committed
	spare      []event.Received // empty: memory for those that a handler takes together
	held       []delivery       // nobody here wants them; handled with what comes next
	holding    time.Time        // since when
	recounts   time.Time        // when parked records are counted again, where they are too many
	turn       *turn            // what other instances are to send first; nil: nothing

	mu       sync.Mutex
	first    map[event.Partition]int64 // where partitions without a position begin
	lost     []event.Partition         // no longer assigned: to be forgotten
	assigned map[event.Partition]bool  // to this instance, now
	due      bool                      // something has become due
	ends     map[event.Partition]end
	unread   map[event.Partition]unread               // which could not be read, last
	open     map[event.Partition]map[string]store.Gap // what is missing

	inherited atomic.Int64 // adopted lanes that are being sent

	busy    atomic.Int64                   // when the current transaction began, ms; 0: none
	doing   atomic.Pointer[event.Envelope] // what is being handled, where it is a record
	id      atomic.Value                   // string: of the loop's goroutine, in stacks
	ill     atomic.Pointer[illness]        // why the database takes no transactions
	stalled atomic.Pointer[fullness]       // why no more records are read
	totals  totals
	waits   atomic.Pointer[error] // why the service has not started yet
}

// end is how far the log of a partition is known to go, and how far it is handled.
type end struct {
	log, next int64
	told      int64     // next, as last told to Kafka
	handled   time.Time // time of the last record handled
}

// unread is why a partition could not be read, and when.
type unread struct {
	err error
	at  time.Time
}

// totals counts since the start.
type totals struct{ handled, unknown, duplicate, gap, parked, dead, redelivered, published, transactions atomic.Int64 }

const queued = 4096 // requests and completions that may wait for the loop

func newLoop(s *Service) *loop {
	return &loop{
		s: s, jitter: newJitter(s.cfg.Seed), rest: &inputs{}, requests: make(chan *request, queued), fetched: make(chan []delivery, 1), completions: make(chan completion, queued),
		nudge: make(chan struct{}, 1), partitions: map[event.Partition]*partition{}, gaps: map[string]bool{},
		first: map[event.Partition]int64{}, assigned: map[event.Partition]bool{}, ends: map[event.Partition]end{}, unread: map[event.Partition]unread{},
		open: map[event.Partition]map[string]store.Gap{},
	}
}

// run handles inputs until ctx ends; then, until drained says that nothing is
// under way any more, only what is under way. It ends at once when hard ends.
func (l *loop) run(ctx, hard context.Context, drained func() bool) error {
	l.id.Store(goroutine())
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
		if err := l.room(hard); err != nil {
			return err
		}
		if err := l.transact(hard, in); err != nil {
			return err
		}
	}
}

// beat reports whether it is time to say that the lane is still held, where others
// could take it.
func (l *loop) beat() bool {
	return l.db.Load().Shared() && time.Since(l.kept) >= store.LeaseTime/3
}

// keep says that the lane is still held, if it is time to: for where the loop waits.
func (l *loop) keep(ctx context.Context) error {
	if !l.beat() {
		return nil
	}
	err := l.db.Load().Update(ctx, func(*store.Tx) error { return nil })
	if err == nil {
		l.kept = time.Now()
	}
	return err
}

// room waits until there is room for more events that wait for Kafka.
func (l *loop) room(hard context.Context) error {
	for {
		waiting, cancel := context.WithTimeout(hard, store.LeaseTime/3)
		ok := l.relay.room(waiting, l.s.cfg.Unsent, l.s.cfg.UnsentBytes)
		late := waiting.Err() != nil
		cancel()
		if hard.Err() != nil || !ok && !late {
			return cmp.Or(context.Cause(hard), context.Canceled)
		}
		if ok {
			return nil
		}
		if err := l.keep(hard); errors.Is(err, store.ErrFenced) {
			return err
		}
	}
}

func (l *loop) swept() int64 { return l.db.Load().Swept() }

// gather waits for something to do, and takes with it what else is there.
func (l *loop) gather(ctx, hard context.Context) (*inputs, error) {
	in := l.rest
	l.rest = &inputs{}
	l.forgetLost()
	fetched, stopping := l.fetched, ctx.Done()
	if ctx.Err() != nil {
		fetched, stopping = nil, nil // only what is under way
		in.deliveries = nil          // read again at the next start
	}
	if l.full(hard) {
		fetched = nil // until some have been handled or discarded
	}
	if in.empty() {
		l.await(in, hard, fetched, stopping, l.idle(ctx))
	}
	if hard.Err() != nil {
		return nil, context.Cause(hard)
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
		if err := l.clock(hard, in); err != nil && hard.Err() == nil {
			l.s.log.Error("read what is due", "error", err)
			l.next = l.now().Add(time.Second)
		}
	}
	l.hold(ctx, in)
	return in, nil
}

// holdFor is how long records that nobody here wants may wait for a transaction.
const holdFor = time.Second

// hold keeps records that nobody here wants back until there is something to do with
// which their positions are stored as well: alone they are not worth a transaction.
func (l *loop) hold(ctx context.Context, in *inputs) {
	if len(l.held) > 0 {
		in.deliveries = append(l.held, in.deliveries...)
	} else {
		l.holding = time.Now()
	}
	l.held = nil
	if ctx.Err() != nil || len(in.deliveries) == 0 || len(in.deliveries) >= l.s.cfg.Batch || time.Since(l.holding) >= holdFor ||
		len(in.requests)+len(in.completions)+len(in.due)+len(in.parked) > 0 || slices.ContainsFunc(in.deliveries, delivery.wanted) {
		return
	}
	for i := range in.deliveries {
		in.deliveries[i].Record = event.Record{} // what it was read with can go
	}
	l.held, in.deliveries = in.deliveries, nil
}

// await waits until there is something to do, and takes it.
func (l *loop) await(in *inputs, hard context.Context, fetched <-chan []delivery, stopping <-chan struct{}, atMost time.Duration) {
	timer := time.NewTimer(atMost)
	defer timer.Stop()
	select {
	case <-hard.Done():
	case <-stopping:
	case r := <-l.requests:
		in.requests = append(in.requests, r)
	case c := <-l.completions:
		in.completions = append(in.completions, c)
	case in.deliveries = <-fetched:
	case <-l.nudge:
	case <-timer.C:
	}
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
	if !l.db.Load().Shared() { // nobody waits to hear of it
		d = max(d, l.s.cfg.Calm)
	}
	if l.relay.landed() > l.swept() {
		d = 500 * time.Millisecond
	}
	if !l.next.IsZero() {
		d = min(d, max(0, l.next.Sub(l.now())))
	}
	if l.stalled.Load() != nil {
		d = min(d, recountEvery)
	}
	if len(l.held) > 0 {
		d = min(d, max(0, holdFor-time.Since(l.holding)))
	}
	if ctx.Err() != nil {
		d = min(d, 5*time.Millisecond)
	}
	return d
}

// clock takes the jobs, timers and parked records that are due.
func (l *loop) clock(ctx context.Context, in *inputs) error {
	now := l.now()
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
	var nextParked time.Time
	if in.parked, nextParked, err = db.DueParked(ctx, now, limit, l.owned()); err != nil {
		return err
	}
	l.next = earlier(nextJob, nextParked)
	if l.db.Load().Shared() { // other instances may leave us more to do
		l.next = earlier(l.next, now.Add(time.Second))
	}
	if l.workers.full() != nil { // jobs may wait in the table for room
		l.next = earlier(l.next, now.Add(100*time.Millisecond))
	}
	return nil
}

// now is the time by the machine's clock, which may be put right at any time.
func (l *loop) now() time.Time {
	if now := l.s.cfg.hooks.now; now != nil {
		return now()
	}
	return time.Now()
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// mark notes how far partitions are handled, for lag and for Kafka's own offsets.
func (l *loop) mark(b *batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, g := range b.parts {
		if !l.assigned[p] { // lost meanwhile: it is another's to tell
			continue
		}
		e := l.ends[p]
		e.next = g.now
		e.log = max(e.log, e.next)
		if !g.latest.IsZero() {
			e.handled = g.latest
		}
		l.ends[p] = e
		l.open[p] = g.gaps // never changed, only replaced
	}
}

func (l *loop) backoff(attempt int) time.Duration {
	return l.jitter.before(attempt, l.s.cfg.Backoff, l.s.cfg.MaxBackoff)
}
