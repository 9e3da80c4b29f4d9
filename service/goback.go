package service

import (
	"context"
	"fmt"
)

// Going back: what has failed, and all of its lane that follows it in its partition, is sent again.

func (r *relay) hasFailed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failed) > 0
}

// recover waits until everything under way is answered, and sends again what
// failed and all of its lane that follows it in its partition.
func (r *relay) recover(ctx context.Context, attempt int) bool {
	r.mu.Lock()
	for r.outstanding > 0 && !r.stopped {
		r.idle.Wait()
	}
	if r.stopped {
		r.mu.Unlock()
		return false
	}
	failed := r.failed
	r.failed = map[stream]failure{}
	var again []*flight
	n := 0
	for _, f := range r.flights {
		if !f.handed {
			break // not yet sent at all: it comes by itself, later
		}
		before := f.left
		f.left = 0
		for _, e := range f.Events {
			if first, ok := failed[stream{e.Partition, f.lane}]; ok && r.affected(e.Seq, first) {
				f.left++
			}
		}
		r.waiting += f.left - before
		n += f.left
		again = append(again, f)
	}
	for in, f := range failed {
		r.trouble = fmt.Errorf("send event %d of lane %s to %s: %w", f.seq, in.lane, in.Partition, f.err)
	}
	err := r.trouble
	r.mu.Unlock()
	r.resent.Add(int64(n))
	r.log.Warn("sending events failed; they are sent again, in order", "events", n, "attempt", attempt+1, "error", err)
	if !sleep(ctx, r.backoff(attempt)) {
		return false
	}
	if attempt%renewEvery == renewEvery-1 {
		r.replace()
	}
	for _, f := range again {
		if !r.send(ctx, f.Events, f, failed) {
			return false
		}
	}
	r.mu.Lock() // judge this attempt before anything new is sent
	defer r.mu.Unlock()
	for r.outstanding > 0 && !r.stopped {
		r.idle.Wait()
	}
	if len(r.failed) == 0 {
		r.land()
	}
	return !r.stopped
}

// renewEvery is after how many failures in a row the producer is made anew: some
// errors leave the client's idempotent producer unusable for good.
const renewEvery = 5

// replace makes the producer anew. Nothing is under way.
func (r *relay) replace() {
	p, err := r.renew()
	if err != nil {
		r.log.Error("make a new producer", "error", err)
		return
	}
	r.producer.Close()
	r.producer = p
}
