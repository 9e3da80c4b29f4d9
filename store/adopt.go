package store

import (
	"context"
	"errors"
	"fmt"
)

// AdoptLane looks for a lane whose holder is gone: it has not been heard of for
// [LeaseTime], or only at a time that is still to come, or has given the lane up with
// things left to do. Its holder is fenced, its jobs and timers are this store's from
// then on, and what it has left unsent is returned, as by [Store.TakeLane], to be
// sent under the lane's name. Until that is done, call [Store.KeepLane] several times in LeaseTime. The lane is nil if there
// is none; if nothing is unsent, it is free for others already.
func (s *Store) AdoptLane(ctx context.Context) (lane *Lane, unsent []Batch, err error) {
	if s.lane == nil || !s.shared {
		return nil, nil, nil
	}
	err = s.Update(ctx, func(tx *Tx) error {
		lane, unsent = nil, nil
		now, err := tx.clock(ctx)
		if err != nil {
			return err
		}
		lane, err = tx.fenceDead(ctx, now)
		if errors.Is(err, ErrNoRows) {
			lane = nil
			return nil
		}
		if err != nil {
			return err
		}
		lane.left = lane.batch
		unsent, err = lane.unsent(ctx, tx, 0)
		if err != nil || len(unsent) > 0 {
			return err
		}
		return tx.Exec(ctx, `UPDATE tutti_lane SET alive = 0 WHERE lane = $1`, lane.Number)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("adopt a lane of %s: %w", s.name, err)
	}
	return lane, unsent, nil
}

// Disown fences the holder of a lane that lives but does not get rid of what it has
// committed: it cannot commit any more, and [Store.AdoptLane] finds the lane. Nothing
// happens if batches up to this one are sent by now.
func (s *Store) Disown(ctx context.Context, lane, batch int64) error {
	err := s.Update(ctx, func(tx *Tx) error {
		return tx.Exec(ctx, `UPDATE tutti_lane SET epoch = epoch + 1, alive = 1 WHERE lane = $1
			AND EXISTS (SELECT 1 FROM tutti_outbox WHERE lane = $1 AND batch <= $2)`, lane, batch)
	})
	if err != nil {
		return fmt.Errorf("disown lane %s: %w", s.laneName(lane), err)
	}
	return nil
}

// abandoned are the lanes other than $1 that nobody has been heard of since $2, and
// that have something to do. One that was last heard of after $3, in a time to come,
// was so before the clock was put back. An instance that is not heard of itself
// adopts none. Jobs are looked for by their least time, which the index knows: PostgreSQL
// would look for any one of a lane that has none by reading those of all others.
const abandoned = ` FROM tutti_lane l WHERE lane <> $1 AND (alive <= $2 OR alive > $3)
	AND (alive > 0 OR EXISTS (SELECT 1 FROM tutti_outbox o WHERE o.lane = l.lane)
		OR (SELECT MIN(due) FROM tutti_job j WHERE j.lane = l.lane AND state = 'waiting') IS NOT NULL)
	AND EXISTS (SELECT 1 FROM tutti_lane me WHERE me.lane = $1 AND me.alive > $2 AND me.alive <= $3)`

// Abandoned reports whether there is a lane to adopt. It only reads: a transaction
// would say that this instance is alive, and only its loop may do that.
func (s *Store) Abandoned(ctx context.Context) (bool, error) {
	if s.lane == nil || !s.shared {
		return false, nil
	}
	now := millis(s.cfg.Now())
	if expr := s.db.dialect().clock; expr != "" {
		if err := s.Reader().QueryRow(ctx, `SELECT `+expr).Scan(&now); err != nil {
			return false, fmt.Errorf("look for lanes whose instances are gone: %w", err)
		}
	}
	var n int
	if err := s.Reader().QueryRow(ctx, `SELECT COUNT(*)`+abandoned, s.lane.Number, now-LeaseTime.Milliseconds(), now+LeaseTime.Milliseconds()).Scan(&n); err != nil {
		return false, fmt.Errorf("look for lanes whose instances are gone: %w", err)
	}
	return n > 0, nil
}

// fenceDead raises the epoch of the first lane that is to be adopted, and moves its
// jobs.
func (tx *Tx) fenceDead(ctx context.Context, now int64) (*Lane, error) {
	l := &Lane{}
	err := tx.QueryRow(ctx, `SELECT lane, epoch, batch`+abandoned+` ORDER BY lane LIMIT 1`, tx.s.lane.Number, now-LeaseTime.Milliseconds(), now+LeaseTime.Milliseconds()).Scan(&l.Number, &l.epoch, &l.batch)
	if err != nil {
		return nil, err
	}
	l.epoch++
	l.Name = tx.s.laneName(l.Number)
	if err := tx.Exec(ctx, `UPDATE tutti_lane SET epoch = $1, alive = $2 WHERE lane = $3`, l.epoch, now, l.Number); err != nil {
		return nil, err
	}
	return l, tx.Exec(ctx, `UPDATE tutti_job SET lane = $1, state = CASE WHEN state = 'running' THEN 'waiting' ELSE state END WHERE lane = $2`,
		tx.s.lane.Number, l.Number)
}

// KeepLane deletes the batches of an adopted lane up to sent, and says that the
// lane is still being looked after, or, with done, gives it up for reuse. It returns
// [ErrFenced] if another instance has adopted it since.
func (s *Store) KeepLane(ctx context.Context, l *Lane, sent int64, done bool) error {
	err := s.Update(ctx, func(tx *Tx) error {
		now, err := tx.clock(ctx)
		if err != nil {
			return err
		}
		if done {
			now = 0
		}
		if err := tx.s.db.expect(ctx, `UPDATE tutti_lane SET alive = $1 WHERE lane = $2 AND epoch = $3`, []any{now, l.Number, l.epoch}, 1,
			fmt.Errorf("%w: lane %s was adopted", ErrFenced, l.Name)); err != nil {
			return err
		}
		return tx.Exec(ctx, `DELETE FROM tutti_outbox WHERE lane = $1 AND batch <= $2`, l.Number, sent)
	})
	if err != nil {
		return fmt.Errorf("keep lane %s: %w", l.Name, err)
	}
	return nil
}
