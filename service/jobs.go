package service

import (
	"context"
	"sync"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/store"
)

// workers runs jobs outside of transactions, each kind with a limit of its own.
type workers struct {
	l     *loop
	ctx   context.Context // of the calls; ends when the service is killed or drained
	kinds map[string]*queue

	mu      sync.Mutex
	running int
	closed  bool // no new calls
}

// queue is the jobs of a kind that are in memory.
type queue struct {
	jobs   []store.Job
	active int
	held   int // in memory: waiting here, running, or not yet removed
}

const heldJobs = 10_000 // of one kind, in memory; more wait in the table

func newWorkers(ctx context.Context, l *loop) *workers {
	w := &workers{l: l, ctx: ctx, kinds: map[string]*queue{}}
	for kind, b := range l.s.jobs {
		if b.Run != nil {
			w.kinds[kind] = &queue{}
		}
	}
	return w
}

// claim reports whether there is room for a job of a kind.
func (w *workers) claim(kind string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	q := w.kinds[kind]
	return q != nil && q.held < heldJobs && !w.closed
}

// full returns the kinds for which there is no room.
func (w *workers) full() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for kind, q := range w.kinds {
		if q.held >= heldJobs {
			out = append(out, kind)
		}
	}
	return out
}

// push takes a job that the database marks as running.
func (w *workers) push(j store.Job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	q := w.kinds[j.Kind]
	q.held++
	q.jobs = append(q.jobs, j)
	w.dispatch(j.Kind, q)
}

// release forgets jobs whose end is committed.
func (w *workers) release(js []store.Job) {
	if len(js) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, j := range js {
		if q := w.kinds[j.Kind]; q != nil {
			q.held--
		}
	}
}

// dispatch starts calls while there are jobs and free workers.
func (w *workers) dispatch(kind string, q *queue) {
	limit := w.l.s.jobs[kind].Config.Workers
	for len(q.jobs) > 0 && q.active < limit && !w.closed {
		j := q.jobs[0]
		q.jobs = q.jobs[1:]
		q.active++
		w.running++
		go w.call(j, q)
	}
}

func (w *workers) call(j store.Job, q *queue) {
	c := w.attempt(j)
	if w.ctx.Err() == nil {
		select {
		case w.l.completions <- c:
		case <-w.ctx.Done():
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	q.active--
	w.running--
	w.dispatch(j.Kind, q)
}

// attempt makes one call, and decides what follows from how it ended.
func (w *workers) attempt(j store.Job) completion {
	s := w.l.s
	b := s.jobs[j.Kind]
	ctx, cancel := context.WithTimeout(w.ctx, b.Config.Timeout)
	defer cancel()
	c := completion{job: j}
	if err := s.fault(BeforeJob); err != nil {
		c.err = err
		return c
	}
	c.err = safely(func() (err error) {
		c.value, err = b.Run(withCause(ctx, j.Cause), j.ID, j.Attempts+1, j.Args)
		return err
	})
	if err := s.fault(AfterJob); err != nil {
		c.err = err
		return c
	}
	if c.err == nil {
		return c
	}
	if after, ok := event.Delay(c.err); ok {
		c.retry = w.l.now().Add(after)
		return c
	}
	c.job.Attempts++
	limit := b.Config.Attempts
	if limit == 0 {
		limit = s.cfg.Attempts
	}
	if !event.Rejected(c.err) && c.job.Attempts < limit {
		c.retry = w.l.now().Add(w.l.backoff(c.job.Attempts - 1))
	}
	s.log.Debug("job failed", "kind", j.Kind, "id", j.ID, "attempt", c.job.Attempts, "retry", !c.retry.IsZero(), "error", c.err)
	return c
}

// close lets running calls end and starts no others.
func (w *workers) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
}

// idle reports whether no call is running.
func (w *workers) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.running == 0
}
