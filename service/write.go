package service

import (
	"context"
	"time"

	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/store"
)

// write is [Service.Write].
func (l *loop) write(ctx context.Context, fn func(context.Context, *store.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, l.s.cfg.WriteTimeout)
	defer cancel()
	r := &request{ctx: ctx, fn: fn, cause: causeOf(ctx), done: make(chan error, 1)}
	if l.waits.Load() != nil {
		return problem.Unavailable(time.Second, "%s is waiting for its database or for Kafka, and has not started", l.s.name)
	}
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
