package service

import (
	"errors"
	"fmt"
	"time"

	"github.com/tutti-go/tutti/event"
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
			failure = event.Reject(fmt.Errorf("service %s has no handler for %s any more: bring it back and redrive this record, or discard it", b.l.s.name, m.env.Type))
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

// outcome turns a handler's error into what becomes of the record.
func (l *loop) outcome(failure error, attempts int, now time.Time) (store.State, int, time.Time) {
	if after, ok := event.Delay(failure); ok {
		return store.StateRetry, attempts, now.Add(after)
	}
	attempts++
	if event.Rejected(failure) || attempts >= l.s.cfg.Attempts {
		return store.StateDead, attempts, time.Time{}
	}
	return store.StateRetry, attempts, now.Add(l.backoff(attempts - 1))
}

// complete handles how a job's call ended.
func (b *batch) complete(c *completion) error {
	b.finished = append(b.finished, c.job)
	if !c.retry.IsZero() {
		b.wake(c.retry)
		return b.tx.RetryJob(b.ctx, c.job, c.retry, c.err)
	}
	return b.finish(c.job, c.value, c.err)
}

// due handles a timer whose time has come, or hands a job to the workers.
func (b *batch) due(j store.Job) error {
	binding, ok := b.l.s.jobs[j.Kind]
	if !ok {
		b.l.s.log.Error("no handler for a stored job: was its kind renamed?", "kind", j.Kind, "id", j.ID)
		return b.tx.RetryJob(b.ctx, j, time.Time{}, fmt.Errorf("no handler for jobs of kind %s", j.Kind))
	}
	if binding.Run == nil {
		return b.finish(j, nil, nil)
	}
	claimed, err := b.tx.ClaimJob(b.ctx, j)
	if err == nil && claimed {
		b.claimed = append(b.claimed, j)
	}
	return err
}

// finish runs the handler of a job's result or of a timer, unless it was taken
// back, and removes it.
func (b *batch) finish(j store.Job, value any, failure error) error {
	binding := b.l.s.jobs[j.Kind]
	ctx, cancel := b.limited(b.each)
	defer cancel()
	done := func() error {
		there, err := b.tx.FinishJob(b.ctx, j)
		if err != nil || !there {
			return err
		}
		b.tx.Handling(j.Cause)
		err = safely(func() error { return binding.Done(ctx, b.tx, j.ID, j.Args, value, failure, j.Due) })
		if err != nil {
			return fmt.Errorf("handle the result of job %s %s: %w", j.Kind, j.ID, err)
		}
		return nil
	}
	if !b.each {
		if err := done(); err != nil {
			return fmt.Errorf("%w: %w", errHandler, err)
		}
		return nil
	}
	err, broken := b.apart(task{j.Kind, j.ID}, true, done)
	if broken != nil || err == nil {
		return broken
	}
	state, attempts, due := b.l.outcome(err, j.Attempts, b.tx.Now())
	if state == store.StateDead {
		due = time.Time{}
	}
	b.l.s.log.Warn("handling a job's result failed", "kind", j.Kind, "id", j.ID, "attempts", attempts, "dead", due.IsZero(), "error", err)
	j.Attempts = attempts
	b.wake(due)
	return b.tx.RetryJob(b.ctx, j, due, err)
}
