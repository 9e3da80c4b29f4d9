package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/store"
)

// retry handles a parked record again, and those of its key behind it.
func (b *batch) retry(p store.Parked) error {
	const most = 256                                     // in one transaction
	p, err := b.tx.ToRetry(b.ctx, p.Partition, p.Offset) // it may have been handled since it was read
	if errors.Is(err, store.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	for range most {
		g, err := b.progress(p.Partition)
		if err != nil {
			return err
		}
		m := b.l.decode(p.Partition, p.Offset, p.Record)
		failure := m.err
		b.l.doing.Store(&m.env)
		if failure == nil && m.binding == nil { // it was read when there was one: it must not vanish
			failure = event.Reject(b.l.s.unhandled(m.env.Type))
		}
		if failure == nil {
			b.counts.Redelivered++
			var broken error
			if failure, broken = b.savepoint(m.binding, event.Received{Envelope: m.env, Body: m.body}); broken != nil {
				return broken
			}
		}
		if failure != nil {
			p.State, p.Attempts, p.Due = b.l.outcome(failure, p.Attempts, b.tx.Now())
			p.Error = failure.Error()
			if p.State == store.StateDead {
				b.counts.Dead++
				b.l.s.log.Error("dead letter: redrive, edit or discard it", "at", m.env.Position(), "type", m.env.Type, "key", p.Key(),
					"attempts", p.Attempts, "error", failure)
			}
			b.wake(p.Due)
			return b.tx.Repark(b.ctx, p)
		}
		if err := b.tx.Unpark(b.ctx, p.Partition, p.Offset); err != nil {
			return err
		}
		g.park(p.Record.Key, -1)
		g.grown -= p.Size()
		if len(p.Record.Key) == 0 {
			return nil // nothing waits behind it
		}
		next, err := b.tx.Behind(b.ctx, p.Partition, p.Record.Key, p.Offset)
		if errors.Is(err, store.ErrNoRows) || err == nil && next.State == store.StateDead {
			return nil
		}
		if err != nil {
			return err
		}
		next.State, next.Due = store.StateRetry, b.tx.Now()
		if err := b.tx.Repark(b.ctx, next); err != nil { // in case this loop ends here
			return err
		}
		b.wake(b.tx.Now())
		if time.Since(b.begun) > b.l.s.cfg.HandlerTimeout {
			return nil
		}
		p = next
	}
	return nil
}

// unhandled is the error of a parked record whose handler is gone, or is that of a newer
// version: it is tried again when an instance starts that has it.
func (s *Service) unhandled(typ string) error {
	return fmt.Errorf("service %s has no handler for %s any more: bring it back, and this record is tried again, or discard it", s.name, typ)
}

// outcome turns a handler's error into what becomes of the record.
func (l *loop) outcome(failure error, attempts int, now time.Time) (store.State, int, time.Time) {
	if after, ok := event.Delay(failure); ok {
		return store.StateRetry, attempts, now.Add(after)
	}
	attempts++
	if event.Rejected(failure) || attempts >= l.s.cfg.Attempts {
		return store.StateDead, attempts, time.Time{}
	}
	wait := l.backoff(attempts - 1)
	if e := (overtimeError{}); errors.As(failure, &e) {
		wait = max(wait, time.Duration(attempts+1)*e.took) // now is when the transaction began
	}
	return store.StateRetry, attempts, now.Add(wait)
}

// completeAll handles how jobs' calls ended: consecutive ones of a kind whose handler
// takes a batch together, unless each is on its own.
func (b *batch) completeAll(cs []completion) error {
	for len(cs) > 0 {
		if b.late() {
			b.rest.completions = cs
			return nil
		}
		n, kind := 1, cs[0].job.Kind
		for !b.each && b.l.s.jobs[kind].Batch && n < len(cs) && cs[n].job.Kind == kind {
			n++
		}
		if err := b.complete(cs[:n]); err != nil {
			return err
		}
		cs = cs[n:]
	}
	return nil
}

// complete handles how calls of jobs of one kind ended.
func (b *batch) complete(cs []completion) error {
	over := make([]ending, 0, len(cs))
	for i := range cs {
		c := &cs[i]
		b.finished = append(b.finished, c.job)
		if c.retry.IsZero() {
			over = append(over, ending{c.job, c.value, c.err})
			continue
		}
		b.wake(c.retry)
		if err := b.tx.RetryJob(b.ctx, c.job, c.retry, c.err); err != nil {
			return err
		}
	}
	if len(over) == 0 {
		return nil
	}
	return b.finish(over)
}

// ending is a job that is over, or a timer whose time has come.
type ending struct {
	store.Job
	value any
	err   error
}

// due handles a timer whose time has come, or hands a job to the workers.
func (b *batch) due(j store.Job) error {
	binding, ok := b.l.s.jobs[j.Kind]
	if !ok {
		b.l.s.log.Error("no handler for a stored job: was its kind renamed?", "kind", j.Kind, "id", j.ID)
		return b.tx.RetryJob(b.ctx, j, time.Time{}, store.NoHandler(j.Kind))
	}
	if binding.Run == nil {
		return b.finish([]ending{{Job: j}})
	}
	claimed, err := b.tx.ClaimJob(b.ctx, j)
	if err == nil && claimed {
		b.claimed = append(b.claimed, j)
	}
	return err
}

// finish runs the handler of jobs' results or of timers, all of one kind, unless they
// were taken back, and removes them.
func (b *batch) finish(over []ending) error {
	if !b.each {
		if err := b.finishTogether(over); err != nil {
			if len(over) == 1 {
				b.blame(task{over[0].Kind, over[0].ID}, err)
			}
			return fmt.Errorf("%w: %w", errHandler, err)
		}
		return nil
	}
	j := over[0].Job // each is on its own
	ctx, cancel := b.limited(true)
	defer cancel()
	err, broken := b.apart(task{j.Kind, j.ID}, true, func() error {
		there, err := b.tx.FinishJob(b.ctx, j)
		if err != nil || !there {
			return err
		}
		return b.done(ctx, over)
	})
	if broken != nil || err == nil {
		return broken
	}
	state, failed, due := b.l.outcome(err, j.Failed, b.tx.Now()) // the work may have used up its own attempts
	if state == store.StateDead {
		due = time.Time{}
	}
	j.Attempts, j.Failed = j.Attempts+failed-j.Failed, failed
	b.l.s.log.Warn("handling a job's result failed", "kind", j.Kind, "id", j.ID, "attempts", j.Attempts, "dead", due.IsZero(), "error", err)
	b.wake(due)
	return b.tx.RetryJob(b.ctx, j, due, err)
}

// finishTogether takes for granted that none was taken back where the handler takes a
// batch: if one was, the transaction fails, and each is looked at on its own.
func (b *batch) finishTogether(over []ending) error {
	if j := over[0].Job; !b.l.s.jobs[j.Kind].Batch {
		there, err := b.tx.FinishJob(b.ctx, j)
		if err != nil || !there {
			return err
		}
		return b.done(b.together, over)
	}
	jobs := make([]store.Job, len(over))
	for i, e := range over {
		jobs[i] = e.Job
	}
	if err := b.tx.ExpectJobs(b.ctx, jobs); err != nil {
		return err
	}
	return b.done(b.together, over)
}

func (b *batch) done(ctx context.Context, over []ending) error {
	ends := make([]job.End, len(over))
	for i, e := range over {
		ends[i] = job.End{ID: e.ID, Args: e.Args, Due: e.Due, Cause: e.Cause, Value: e.value, Err: e.err}
	}
	first := over[0].Job
	b.tx.Handling(first.Cause)
	begun := time.Now()
	if err := safely(func() error { return b.l.s.jobs[first.Kind].Done(ctx, b.tx, ends) }); err != nil {
		return fmt.Errorf("handle the result of job %s %s: %w", first.Kind, first.ID, b.overtime(ctx, begun, err))
	}
	return nil
}
