package service

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/store"
)

// transact handles the inputs in one transaction, and tries again until it has
// succeeded or cannot. Where a handler fails, all is handled one by one.
func (l *loop) transact(ctx context.Context, in *inputs) error {
	defer l.busy.Store(0)
	each, late, blamed, begun := in.each, false, map[any]error{}, time.Now()
	for attempt, conflicts := 0, 0; ; {
		known := len(blamed)
		err := l.attempt(ctx, in, each, blamed)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			in.answer(problem.Unavailable(time.Second, "%s is stopping; the outcome is unknown", l.s.name))
			return context.Cause(ctx)
		case errors.Is(err, store.ErrConflict): // nobody's fault: everyone goes on waiting
			if conflicts++; conflicts%100 == 0 {
				l.s.log.Warn("transactions of several instances get in each other's way", "attempt", conflicts, "error", err)
			}
			if time.Since(begun) > l.s.cfg.HandlerTimeout && l.ail(begun, err) { // as where somebody has locked a table
				l.s.log.Error("the database does not take a transaction; trying again", "for", time.Since(begun).Truncate(time.Second).String(), "error", err)
			}
			if conflicts%halveAfter == 0 { // the shorter, the sooner it finds a gap between theirs
				in.halve()
				l.next = l.now()
			}
			if err := l.keep(ctx); err != nil { // or others take this instance for dead
				l.s.log.Warn("say that the lane is still held", "error", err)
			}
			if !sleep(ctx, l.jitter.before(conflicts-1, 5*time.Millisecond, 200*time.Millisecond)) {
				in.answer(problem.Unavailable(time.Second, "%s is stopping; the outcome is unknown", l.s.name))
				return context.Cause(ctx)
			}
			continue
		case alone(err) && !each, store.Late(err) && !late, len(blamed) > known:
			l.s.log.Debug("handling one by one", "error", err)
			each, late = each || len(blamed) == known || errors.Is(err, errHandler), late || store.Late(err)
			continue
		case errors.Is(err, store.ErrFenced):
			if err := l.refenced(ctx, err); err != nil {
				in.answer(problem.Unavailable(time.Second, "%s was replaced", l.s.name))
				return err
			}
			continue
		}
		l.ail(begun, err)
		l.s.log.Error("the database does not take a transaction; trying again", "attempt", attempt+1, "error", err)
		in.answer(problem.Unavailable(time.Second, "the database of %s does not answer; the outcome is unknown", l.s.name))
		in.requests = nil
		if in.later != nil {
			in.later.requests = nil
		}
		if !sleep(ctx, l.backoff(attempt)) {
			return context.Cause(ctx)
		}
		attempt++
	}
}

// halveAfter is how often a transaction gets in the way of others before it is halved.
const halveAfter = 8

// alone reports whether an error is of one of those that share a transaction, which
// is to be found by handling them one by one.
func alone(err error) bool {
	return !errors.Is(err, store.ErrUnavailable) && (errors.Is(err, errHandler) || store.Late(err) || store.Ended(err))
}

// refenced looks at why a transaction was fenced. If the lane is still held, a
// position was moved by another instance: what is known of partitions is read
// again. Otherwise this instance has been replaced.
func (l *loop) refenced(ctx context.Context, cause error) error {
	clear(l.partitions)
	l.turn = nil
	held, err := l.db.Load().HoldsLane(ctx)
	if err != nil { // the next transaction has the same trouble, and waits
		l.s.log.Warn("find out why a transaction was fenced", "error", err)
		return nil
	}
	if !held {
		return cause
	}
	l.s.log.Warn("another instance moved a position; going on from there", "error", cause)
	return nil
}

// answer tells those who wait for a transaction that failed.
func (in *inputs) answer(err error) {
	for _, r := range in.requests {
		r.done <- err
	}
	if in.later != nil {
		in.later.answer(err)
	}
}

// left makes what a transaction has left the next one's.
func (l *loop) left(in *inputs, rest inputs) {
	if in.later != nil {
		in.postpone(rest)
		in.later.each = rest.each
		rest = *in.later
	}
	if !rest.empty() {
		l.rest = &rest
	}
}

// attempt is one try at a transaction. It adds to blamed who has ended it.
func (l *loop) attempt(ctx context.Context, in *inputs, each bool, blamed map[any]error) error {
	if err := l.s.fault(BeforeBegin); err != nil {
		return err
	}
	l.busy.Store(time.Now().UnixMilli())
	defer l.doing.Store(nil)
	if err := l.meet(ctx, in); err != nil {
		return err
	}
	if in.empty() && in.later != nil { // its turn has not come
		l.left(in, inputs{each: in.each})
		return nil
	}
	db := l.db.Load()
	tx, err := db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	together, cancel := context.WithTimeout(ctx, l.s.cfg.HandlerTimeout)
	defer cancel()
	b := &batch{l: l, tx: tx, ctx: ctx, together: together, begun: time.Now(), each: each, blamed: blamed, parts: map[event.Partition]*progress{}}
	if err := b.run(in); err != nil {
		return cmp.Or(tx.Again(), err)
	}
	books := b.books()
	books.Sent = l.relay.landed()
	if err := l.s.fault(BeforeCommit); err != nil {
		return err
	}
	if hook := l.s.cfg.hooks.commit; hook != nil {
		if err := hook(ctx, tx, &books); err != nil {
			return err
		}
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
	l.ill.Store(nil)
	for _, r := range in.requests[:len(in.requests)-len(b.rest.requests)] {
		r.done <- r.err
	}
	b.rest.each = b.each
	l.left(in, b.rest)
	for _, g := range b.parts {
		g.commit()
		for _, n := range g.parks {
			l.parked += n
		}
	}
	l.kept = time.Now() // not what the clock showed, which may be put back
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
