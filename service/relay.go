package service

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/store"
)

// relay sends committed events to Kafka, in the order of their lane within each
// partition.
//
// A record that fails is sent again together with all that follow it in its
// partition, after everything under way has been answered ("go back N"): consumers
// drop what lands after a gap, so the order within a partition holds, whatever
// client and broker do. A batch counts as sent once it and all before it are
// acknowledged.
type relay struct {
	lane     string
	log      *slog.Logger
	producer *kafka.Producer
	fault    func(Point) error
	die      func(error)
	backoff  func(attempt int) time.Duration
	renew    func() (*kafka.Producer, error)
	guards   guards
	fails    func(e *store.Sendable) (landed bool, err error) // of tests; may be nil
	// more reads what the lane's last holder left unsent behind a batch.
	more func(ctx context.Context, after int64) (batches []store.Batch, left bool, err error)
	cut  func(p event.Partition, m mark, lost error) // told once that the log has lost what it had acknowledged

	arrived  chan struct{} // a batch was pushed
	troubled chan struct{} // a record failed

	mu          sync.Mutex
	idle        *sync.Cond // outstanding or waiting went down, or the relay stopped
	stopped     bool
	flights     []*flight // not acknowledged, oldest first
	queue       []*flight // those of them that were never handed to the client
	old         []*flight // of the lane's last holder, and before those of queue
	read        int64     // the last batch that was read for old
	left        bool      // there is more to be read
	waiting     int       // events in flights that are not acknowledged
	size        int       // bytes of flights
	outstanding int       // records handed to the client and not answered
	failed      map[stream]failure
	marks       map[event.Partition]mark
	told        map[event.Partition]mark // as last told to Kafka
	lost        bool                     // the log has lost a part: nothing more is told
	sent        int64                    // batch up to which all is acknowledged
	trouble     error                    // why sending does not succeed now
	resent      atomic.Int64
}

// flight is one batch on its way.
type flight struct {
	store.Batch
	left   int    // events not acknowledged; guarded by relay.mu
	size   int    // bytes in memory, about
	handed bool   // to the client; used by the sending goroutine only
	lane   string // that numbered it: another one, if that was before the database got a new identity
	at     time.Time
}

// stream is what a lane writes to a partition: within it, events are numbered.
type stream struct {
	event.Partition
	lane string
}

type failure struct {
	seq int64 // the first that failed
	err error
}

// mark is the last acknowledged event of a partition.
type mark struct {
	seq, offset int64
	blind       bool // an event after it is in the log, and nobody knows where
}

func newRelay(lane string, log *slog.Logger, producer *kafka.Producer, sent int64) *relay {
	r := &relay{
		lane: lane, log: log, producer: producer, sent: sent, arrived: make(chan struct{}, 1), troubled: make(chan struct{}, 1),
		failed: map[stream]failure{}, marks: map[event.Partition]mark{},
		guards: allGuards,
	}
	r.idle = sync.NewCond(&r.mu)
	return r
}

func newFlight(b store.Batch, lane string) *flight {
	f := &flight{Batch: b, left: len(b.Events), lane: lane, at: time.Now()}
	for i := range b.Events {
		e := &b.Events[i].Record
		f.size += len(e.Key) + len(e.Value) + perEvent
	}
	return f
}

const perEvent = 1 << 10 // bytes that an event takes beside key and body, about

// push hands a committed batch over. It waits for nothing.
func (r *relay) push(b store.Batch) {
	f := newFlight(b, r.lane)
	r.mu.Lock()
	r.flights = append(r.flights, f)
	r.queue = append(r.queue, f)
	r.waiting += f.left
	r.size += f.size
	r.mu.Unlock()
	r.wake()
}

func (r *relay) wake() {
	select {
	case r.arrived <- struct{}{}:
	default:
	}
}

// resume adds what the lane's last holder left unsent, before all that was pushed.
// left says that there is more of it.
func (r *relay) resume(batches []store.Batch, left bool) {
	r.mu.Lock()
	for _, b := range batches {
		f := newFlight(b, laneOf(b))
		r.flights = slices.Insert(r.flights, len(r.flights)-len(r.queue), f)
		r.old = append(r.old, f)
		r.waiting += f.left
		r.size += f.size
		r.read = b.Number
	}
	r.left = left && len(batches) > 0
	r.mu.Unlock()
	r.wake()
}

// page reads on in what the lane's last holder left unsent, once all that was read
// before is sent. It returns false at the end.
func (r *relay) page(ctx context.Context) bool {
	r.mu.Lock()
	for len(r.flights) > len(r.queue) && len(r.failed) == 0 && !r.stopped {
		r.idle.Wait()
	}
	again, after, stopped := len(r.failed) > 0, r.read, r.stopped
	r.mu.Unlock()
	if again || stopped {
		return !stopped
	}
	batches, left, err := r.more(ctx, after)
	if err != nil {
		r.log.Error("read what is to be sent; trying again", "error", err)
		return sleep(ctx, r.backoff(5))
	}
	r.resume(batches, left)
	return true
}

// take returns the next batch to hand to the client, nil if there is none. left says
// that there is more to be read before.
func (r *relay) take() (next *flight, left bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	from := &r.old
	switch {
	case len(r.old) > 0:
	case r.left:
		return nil, true
	case len(r.queue) == 0:
		return nil, false
	default:
		from = &r.queue
	}
	next = (*from)[0]
	(*from)[0] = nil
	*from = (*from)[1:]
	return next, false
}

// run sends until ctx ends.
func (r *relay) run(ctx context.Context) {
	defer r.stop()
	stopping := context.AfterFunc(ctx, r.stop)
	defer stopping()
	attempt := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.arrived:
		case <-r.troubled:
		}
		for {
			for r.hasFailed() {
				if !r.recover(ctx, attempt) {
					return
				}
				attempt++
			}
			attempt = 0
			f, left := r.take()
			if left {
				if !r.page(ctx) {
					return
				}
				continue
			}
			if f == nil {
				break
			}
			f.handed = true
			if !r.send(ctx, f.Events, f, nil) {
				return
			}
		}
	}
}

func (r *relay) stop() {
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	r.idle.Broadcast()
}

// send hands events to the client; from picks those of failed streams, from the first
// that failed. It reports whether to go on.
func (r *relay) send(ctx context.Context, events []store.Sendable, f *flight, from map[stream]failure) bool {
	for i := range events {
		e := &events[i]
		if from != nil {
			if first, ok := from[stream{e.Partition, f.lane}]; !ok || !r.affected(e.Seq, first) {
				continue
			}
		}
		if err := r.fault(BetweenSends); err != nil {
			r.die(err)
			return false
		}
		r.hand(ctx, f, e)
		if e.Seq == 1 && r.guards.first && !r.begun(ctx, f, e) {
			return false
		}
	}
	return ctx.Err() == nil
}

// affected reports whether an event is to be sent again after a failure.
func (r *relay) affected(seq int64, first failure) bool {
	return seq == first.seq || seq > first.seq && r.guards.again
}

func (r *relay) hand(ctx context.Context, f *flight, e *store.Sendable) {
	r.mu.Lock()
	r.outstanding++
	r.mu.Unlock()
	if r.fails != nil {
		if landed, err := r.fails(e); err != nil {
			if landed {
				r.producer.Send(ctx, e.Partition, e.Record, func(offset int64, _ error) { r.answered(f, e, offset, err) })
				return
			}
			r.answered(f, e, 0, err)
			return
		}
	}
	r.producer.Send(ctx, e.Partition, e.Record, func(offset int64, err error) { r.answered(f, e, offset, err) })
}

// begun waits until the first event of the lane in a partition is acknowledged, and
// repeats it until it is: nothing may land before it, since a reader that does not
// know the log from its beginning takes the first number it sees for the first.
func (r *relay) begun(ctx context.Context, f *flight, e *store.Sendable) bool {
	begins := stream{e.Partition, f.lane}
	for attempt := 0; ; attempt++ {
		r.mu.Lock()
		for r.outstanding > 0 && !r.stopped {
			r.idle.Wait()
		}
		first, failed := r.failed[begins]
		if failed = failed && first.seq == e.Seq; failed {
			delete(r.failed, begins)
		}
		stopped := r.stopped
		r.mu.Unlock()
		if stopped || !failed {
			return !stopped
		}
		r.resent.Add(1)
		r.log.Warn("sending the first event of this lane failed; it is sent again", "to", e.String(), "attempt", attempt+1, "error", first.err)
		if !sleep(ctx, r.backoff(attempt)) {
			return false
		}
		if attempt%renewEvery == renewEvery-1 {
			r.replace()
		}
		r.hand(ctx, f, e)
	}
}

// answered is called for each record, in order within a partition.
func (r *relay) answered(f *flight, e *store.Sendable, offset int64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outstanding--
	if err != nil {
		in := stream{e.Partition, f.lane}
		if first, ok := r.failed[in]; !ok || e.Seq < first.seq {
			r.failed[in] = failure{e.Seq, err}
		}
		select {
		case r.troubled <- struct{}{}:
		default:
		}
	} else {
		if f.lane == r.lane {
			r.mark(e, offset)
		}
		f.left--
		r.waiting--
		if f.left == 0 {
			r.land()
		}
	}
	if r.outstanding == 0 || r.waiting == 0 {
		r.idle.Broadcast()
	}
}

// mark notes how far a partition is sent. Later events land behind earlier ones:
// where Kafka says otherwise, its log has lost its end meanwhile, as by the election of
// a leader that did not have all.
func (r *relay) mark(e *store.Sendable, offset int64) {
	m, known := r.marks[e.Partition]
	switch {
	case known && e.Seq <= m.seq: // sent again
	case offset < 0: // written before, so long ago that the broker has forgotten where
		m.blind = true
		r.marks[e.Partition] = m
	case !known || offset > m.offset:
		r.marks[e.Partition] = mark{seq: e.Seq, offset: offset}
	case !m.blind && r.cut != nil && r.guards.checks:
		tell := r.cut
		r.cut, r.lost = nil, true // once
		go tell(e.Partition, m, fmt.Errorf("%w: %s: event %d of lane %s was at offset %d, and event %d is now at %d: the log has lost what it had acknowledged, "+
			"while it was written", ErrMismatch, e.Partition, m.seq, r.lane, m.offset, e.Seq, offset))
	}
}

// land counts the acknowledged batches at the head as sent. Batches are kept as
// long as a failure may ask for them again.
func (r *relay) land() {
	if len(r.failed) > 0 {
		return
	}
	for len(r.flights) > 0 && r.flights[0].left == 0 {
		r.sent = r.flights[0].Number
		r.size -= r.flights[0].size
		r.flights[0] = nil
		r.flights = r.flights[1:]
	}
	r.trouble = nil
	r.idle.Broadcast()
}

// room waits until fewer than limit events wait for Kafka, of fewer than size bytes.
func (r *relay) room(ctx context.Context, limit, size int) bool {
	return r.until(ctx, func() bool { return r.waiting < limit && r.size < size })
}

// flush waits until everything is acknowledged.
func (r *relay) flush(ctx context.Context) bool {
	return r.until(ctx, func() bool { return r.waiting == 0 && !r.left })
}

func (r *relay) until(ctx context.Context, ok func() bool) bool {
	stopping := context.AfterFunc(ctx, func() {
		r.mu.Lock() // or it could be before who has looked at ctx waits
		defer r.mu.Unlock()
		r.idle.Broadcast()
	})
	defer stopping()
	r.mu.Lock()
	defer r.mu.Unlock()
	for !ok() && !r.stopped && ctx.Err() == nil {
		r.idle.Wait()
	}
	return !r.stopped && ctx.Err() == nil
}

// landed returns the batch up to which everything is acknowledged.
func (r *relay) landed() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent
}

// status returns how many events wait, since when, and why they do.
func (r *relay) status() (waiting int, since time.Time, trouble error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.flights) > 0 {
		since = r.flights[0].at
	}
	waiting = r.waiting
	if r.left { // how many, nobody has counted
		waiting++
	}
	return waiting, since, r.trouble
}

// sleep waits for d, and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
