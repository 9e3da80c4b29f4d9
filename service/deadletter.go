package service

import (
	"context"
	"time"

	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/store"
)

// Parked lists the parked records of a selection: those to be retried, those that
// wait behind them, and the dead letters.
func (s *Service) Parked(ctx context.Context, sel store.Selection) ([]store.Parked, error) {
	db := s.loop.db.Load()
	if db == nil {
		return nil, problem.Unavailable(time.Second, "%s is starting", s.name)
	}
	return db.ListParked(ctx, sel)
}

// Redrive handles a dead letter again, now, with all its attempts before it; those
// of its key that wait behind it follow.
func (s *Service) Redrive(ctx context.Context, p store.Parked) error {
	return s.change(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.Redrive(ctx, p.Partition, p.Offset) })
}

// Edit replaces the body of a dead letter, and handles it again.
func (s *Service) Edit(ctx context.Context, p store.Parked, body []byte) error {
	return s.change(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.Edit(ctx, p.Partition, p.Offset, body); err != nil {
			return err
		}
		return tx.Redrive(ctx, p.Partition, p.Offset)
	})
}

// Discard deletes a dead letter for ever; those of its key that wait behind it are
// handled.
func (s *Service) Discard(ctx context.Context, p store.Parked) error {
	return s.change(ctx, func(ctx context.Context, tx *store.Tx) error {
		s.loop.forget(p.Partition) // its parked keys are to be read again, after this transaction
		return tx.Discard(ctx, p.Partition, p.Offset, p.Record.Key)
	})
}

func (s *Service) change(ctx context.Context, fn func(context.Context, *store.Tx) error) error {
	if err := s.Write(ctx, fn); err != nil {
		return err
	}
	s.loop.look()
	return nil
}

// look makes the loop look for what is due.
func (l *loop) look() {
	l.mu.Lock()
	l.due = true
	l.mu.Unlock()
	select {
	case l.nudge <- struct{}{}:
	default:
	}
}
