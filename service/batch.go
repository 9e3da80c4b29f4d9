package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/store"
)

// delivery is a record that was read and decoded.
type delivery struct {
	event.Partition
	kafka.Consumed
	message
	given bool // to its handler, in an attempt
}

// message is a record's content: what it says, for whom, or why that is unknown.
type message struct {
	env     event.Envelope
	body    any
	binding *event.Binding[*store.Tx] // nil: nobody here wants it
	err     error                     // it cannot be decoded
}

// wanted reports whether there is something to do about it.
func (d delivery) wanted() bool { return d.binding != nil || d.err != nil }

// request is a write from outside that joins a transaction.
type request struct {
	ctx   context.Context
	fn    func(context.Context, *store.Tx) error
	cause event.Cause
	err   error
	done  chan error
}

// completion is how a call of a job ended.
type completion struct {
	job   store.Job
	value any
	err   error
	// retry says when the job is to be tried again; zero if it is over.
	retry time.Time
}

// inputs is what one transaction handles.
type inputs struct {
	requests    []*request
	deliveries  []delivery
	completions []completion
	due         []store.Job
	parked      []store.Parked
	each        bool    // one by one from the start: it is the rest of such a batch
	later       *inputs // for other transactions; nil: nothing
}

// postpone leaves more for another transaction, before what was left for it already.
func (in *inputs) postpone(more inputs) {
	if in.later == nil {
		in.later = &inputs{}
	}
	in.later.requests = slices.Concat(more.requests, in.later.requests)
	in.later.deliveries = slices.Concat(more.deliveries, in.later.deliveries)
	in.later.completions = slices.Concat(more.completions, in.later.completions)
}

// halve leaves one half for another transaction, of each kind.
func (in *inputs) halve() {
	var more inputs
	in.requests, more.requests = halves(in.requests)
	in.deliveries, more.deliveries = halves(in.deliveries)
	in.completions, more.completions = halves(in.completions)
	in.due, _ = halves(in.due) // these are in the table
	in.parked, _ = halves(in.parked)
	in.postpone(more)
}

func halves[T any](all []T) (first, second []T) {
	n := (len(all) + 1) / 2
	return all[:n:n], all[n:]
}

func (in *inputs) empty() bool {
	return len(in.requests)+len(in.deliveries)+len(in.completions)+len(in.due)+len(in.parked) == 0
}

// errHandler says that a handler failed in a transaction shared with others: all
// is rolled back and handled one by one.
var errHandler = errors.New("a handler failed")

// batch is one attempt at handling inputs in a transaction.
type batch struct {
	l    *loop
	tx   *store.Tx
	ctx  context.Context // of the bookkeeping; a batch lives as long as its transaction
	each bool            // every handler runs in a savepoint of its own
	// together is the context of handlers that are not each on their own. It ends
	// with their common time; the bookkeeping goes on.
	together context.Context
	begun    time.Time

	// blamed are those whose code has ended the database's transaction, and not just
	// failed in it, or has used up the time of all, with why: they are not run again.
	blamed map[any]error

	parts    map[event.Partition]*progress
	counts   counts
	claimed  []store.Job // due jobs, to be handed to workers after the commit
	finished []store.Job // no longer in memory after the commit
	earliest time.Time   // when something is due again
	rest     inputs      // not handled: time was up
	begins   bool        // something was handled, so that each transaction gets on
	one      [1]event.Received
}

// counts is what happened to the records of a batch.
type counts struct {
	Handled, Unknown, Duplicate, Gap, Parked, Dead, Redelivered int64
}

// run handles the inputs. Requests come first: someone is waiting for them.
func (b *batch) run(in *inputs) error {
	for i, r := range in.requests {
		if b.late() {
			b.rest.requests = in.requests[i:]
			break
		}
		if err := b.request(r); err != nil {
			return err
		}
		if r.err != nil && i > 0 && !b.each && b.together.Err() != nil { // those before it took the time
			b.rest.requests = in.requests[i:]
			break
		}
	}
	if err := b.deliver(in.deliveries); err != nil {
		return err
	}
	b.l.doing.Store(nil)
	slices.SortStableFunc(in.completions, func(x, y completion) int { return cmp.Compare(x.job.Kind, y.job.Kind) })
	if err := b.completeAll(in.completions); err != nil {
		return err
	}
	for _, j := range in.due {
		if b.late() {
			b.wake(b.tx.Now()) // it is in the table
			break
		}
		if err := b.due(j); err != nil {
			return err
		}
	}
	for _, p := range in.parked {
		if b.late() || time.Since(b.begun) > b.l.s.cfg.HandlerTimeout { // the rest in another transaction
			b.wake(b.tx.Now())
			break
		}
		if err := b.retry(p); err != nil {
			return err
		}
	}
	return nil
}

// late reports whether handlers that are each on their own have had their time
// together, or have published much: the rest is for another transaction, since others
// wait for this one's commit, and a database for its end. It is asked before each.
func (b *batch) late() bool {
	first := !b.begins
	b.begins = true
	return !first && (b.each && time.Since(b.begun) > b.l.s.cfg.HandlerTimeout || b.tx.Appended() > b.l.s.cfg.UnsentBytes)
}

// limited returns the context of a handler: its own where it is on its own.
func (b *batch) limited(alone bool) (context.Context, context.CancelFunc) {
	if !alone {
		return b.together, func() {}
	}
	return context.WithTimeout(b.ctx, b.l.s.cfg.HandlerTimeout)
}

func (b *batch) request(r *request) error {
	if r.err = r.ctx.Err(); r.err != nil {
		return nil
	}
	b.tx.Handling(r.cause)
	ctx, cancel := b.limited(b.each)
	defer cancel()
	var broken error
	r.err, broken = b.apart(r, b.each, func() error {
		return safely(func() error { return r.fn(ctx, b.tx) })
	})
	return broken
}

// apart runs fn in a savepoint. Where it ends the transaction all the same, whose it is
// is remembered: in the next attempt it fails without being run. Unless it is confirmed, it
// may fail later, and all of the transaction with it.
func (b *batch) apart(whose any, confirm bool, fn func() error) (failure, broken error) {
	if err := b.blamed[whose]; err != nil {
		return err, nil
	}
	savepoint := b.tx.Savepoint
	if !confirm {
		savepoint = b.tx.Apart
	}
	failure, broken = savepoint(b.ctx, fn)
	if store.Ended(broken) {
		b.blamed[whose] = cmp.Or(failure, broken)
	}
	return failure, broken
}

// place and task are whose a savepoint is, where it is not a request's.
type (
	place struct {
		event.Partition
		offset int64
	}
	task struct{ kind, id string }
)

// progress returns the state of a partition in this transaction.
func (b *batch) progress(p event.Partition) (*progress, error) {
	if g, ok := b.parts[p]; ok {
		return g, nil
	}
	part, err := b.l.partition(b.ctx, p)
	if err != nil {
		return nil, err
	}
	g := &progress{partition: part, p: p, now: part.next}
	b.parts[p] = g
	return g, nil
}

// deliver handles records. Consecutive messages of a batch handler go to it
// together, unless each is on its own.
func (b *batch) deliver(ds []delivery) error {
	run := b.l.spare[:0]
	defer func() { clear(run); b.l.spare = run[:0] }()
	var owner *event.Binding[*store.Tx]
	flush := func() error {
		if len(run) == 0 {
			return nil
		}
		err := b.call(b.together, owner, run)
		if m := run[0]; len(run) == 1 {
			b.blame(place{event.Partition{Topic: m.Topic, Number: m.Partition}, m.Offset}, err)
		}
		clear(run) // what was read can go
		run, owner = run[:0], nil
		if err != nil {
			return fmt.Errorf("%w: %w", errHandler, err)
		}
		return nil
	}
	for i := range ds {
		d := &ds[i]
		if b.late() {
			b.rest.deliveries = ds[i:]
			return flush()
		}
		wanted, err := b.admit(d)
		if err != nil {
			return err
		}
		if !wanted {
			continue
		}
		b.l.renew(d)
		b.l.doing.Store(&d.env)
		if b.each {
			if err := b.handleAlone(d); err != nil {
				return err
			}
			continue
		}
		if owner != d.binding || len(run) > 0 && run[0].Partition != d.Number {
			if err := flush(); err != nil {
				return err
			}
		}
		if d.binding.Batch {
			owner = d.binding
			run = append(run, event.Received{Envelope: d.env, Body: d.body})
			continue
		}
		b.one[0] = event.Received{Envelope: d.env, Body: d.body}
		if err := b.call(b.together, d.binding, b.one[:]); err != nil {
			b.blame(place{d.Partition, d.Offset}, err)
			return fmt.Errorf("%w: %w", errHandler, err)
		}
	}
	return flush()
}

// admit moves the position over a record, and reports whether its handler is to
// run now.
func (b *batch) admit(d *delivery) (bool, error) {
	g, err := b.progress(d.Partition)
	if err != nil {
		return false, err
	}
	if d.Offset < g.now {
		return false, nil // handled before: fetched again
	}
	g.now, g.latest = d.Offset+1, d.Time
	if d.Control {
		return false, nil
	}
	if d.env.Lane != "" && d.env.Seq > 0 {
		switch v := g.admit(d.env.Lane, d.env.Seq); {
		case v == duplicate && b.l.s.cfg.guards.duplicates:
			b.counts.Duplicate++
			return false, nil
		case v == gap && b.l.s.cfg.guards.gaps:
			b.counts.Gap++
			g.miss(d, b.tx.Now())
			b.l.noticeGap(d)
			return false, nil
		}
	}
	if d.err == nil && d.binding == nil {
		b.counts.Unknown++
		return false, nil
	}
	if d.err == nil && d.env.Lane == "" {
		first, err := b.tx.FirstForeign(b.ctx, d.env.Source, d.env.ID, d.Partition, d.Offset)
		if err != nil {
			return false, err
		}
		if !first {
			b.counts.Duplicate++
			return false, nil
		}
	}
	blocked, err := b.blocked(g, d)
	switch {
	case err != nil:
		return false, err
	case blocked:
		return false, b.park(g, d, store.StateWaiting, 0, time.Time{}, nil)
	case d.err != nil:
		return false, b.park(g, d, store.StateDead, 0, time.Time{}, d.err)
	}
	return true, nil
}

// blocked reports whether a record waits behind a parked one. Memory says quickly
// that it does not; that it does, the database confirms: a record that waits behind
// none would wait for ever.
func (b *batch) blocked(g *progress, d *delivery) (bool, error) {
	if !g.blocked(d.Key) || !b.l.s.cfg.guards.keys {
		return false, nil
	}
	waits, err := b.tx.ParkedBefore(b.ctx, d.Partition, d.Key, d.Offset)
	if err == nil && !waits {
		g.free(d.Key)
	}
	return waits, err
}

func (b *batch) park(g *progress, d *delivery, state store.State, attempts int, due time.Time, cause error) error {
	text := ""
	if cause != nil {
		text = cause.Error()
	}
	b.counts.Parked++
	if state == store.StateDead {
		b.counts.Dead++
	}
	if state != store.StateWaiting {
		b.l.s.log.Warn("parked a record and what follows it of its key", "at", d.env.Position(), "type", d.env.Type,
			"key", string(d.Key), "state", string(state), "error", cause)
	}
	b.wake(due)
	p := store.Parked{Partition: d.Partition, Offset: d.Offset, State: state, Attempts: attempts, Due: due, Error: text, Record: d.Record}
	g.park(d.Key, 1)
	g.grown += p.Size()
	return b.tx.Park(b.ctx, p)
}

// handleAlone runs a handler in a savepoint, and parks the record if it fails.
func (b *batch) handleAlone(d *delivery) error {
	failure, broken := b.savepoint(d.binding, event.Received{Envelope: d.env, Body: d.body})
	if broken != nil || failure == nil {
		return broken
	}
	g, err := b.progress(d.Partition)
	if err != nil {
		return err
	}
	state, attempts, due := b.l.outcome(failure, 0, b.tx.Now())
	return b.park(g, d, state, attempts, due, failure)
}

func (b *batch) savepoint(binding *event.Binding[*store.Tx], m event.Received) (failure, broken error) {
	ctx, cancel := b.limited(true)
	defer cancel()
	b.one[0] = m
	return b.apart(place{event.Partition{Topic: m.Topic, Number: m.Partition}, m.Offset}, true, func() error { return b.call(ctx, binding, b.one[:]) })
}

// call runs a handler. A panic is an error with its stack.
func (b *batch) call(ctx context.Context, binding *event.Binding[*store.Tx], ms []event.Received) error {
	b.tx.Handling(ms[0].Cause())
	if err := ctx.Err(); err != nil { // those before it took all the time
		return fmt.Errorf("handle %s at %s: %w", binding.Contract, ms[0].Position(), err)
	}
	begun := time.Now()
	if err := safely(func() error { return binding.Handle(ctx, b.tx, ms) }); err != nil {
		return fmt.Errorf("handle %s at %s: %w", binding.Contract, ms[0].Position(), b.overtime(ctx, begun, err))
	}
	b.counts.Handled += int64(len(ms))
	return nil
}

// wake remembers when the loop has something to do again.
func (b *batch) wake(t time.Time) {
	if !t.IsZero() && (b.earliest.IsZero() || t.Before(b.earliest)) {
		b.earliest = t
	}
}

// books collects what is to be stored beside the effects.
func (b *batch) books() store.Books {
	var books store.Books
	for _, g := range b.parts {
		g.books(&books)
	}
	return books
}

var _ job.Binder = (*Service)(nil)
