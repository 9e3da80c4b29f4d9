package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/tutti-go/tutti/event"
)

// Lane is one instance's part of the outbox. While an instance holds a lane, it
// alone numbers and sends what the lane carries. A lane whose holder is gone is
// adopted by another, which fences the old holder by raising the epoch.
type Lane struct {
	Name   string // unique for ever: service, incarnation and number
	Number int64

	epoch   int64
	ids     int64        // of the last message
	batch   int64        // of the last row
	left    int64        // of the last row of its last holder
	commits int64        // by its holders, at most: tells whether one has succeeded
	swept   atomic.Int64 // rows up to this one are deleted
	seqs    map[event.Partition]int64
}

// LeaseTime is how long a lane belongs to an instance that has not been heard of,
// where several instances share a database.
const LeaseTime = 15 * time.Second

// TakeLane takes the lowest lane that is free, or makes one, and returns the
// batches that its last holder left unsent, oldest first: a page of them, and
// [Store.Unsent] reads on behind it. A lane is free if
// nobody holds it: with a database of one process, that is every lane; with a
// shared one, those not heard of for [LeaseTime], and on PostgreSQL those whose
// holder's connection is gone. A store holds one lane: if it has one, TakeLane
// returns that.
func (s *Store) TakeLane(ctx context.Context) (*Lane, []Batch, error) {
	lane := s.lane
	if lane == nil {
		err := s.alone(ctx, func(tx *Tx) (err error) {
			lane, err = tx.takeLane(ctx)
			return err
		})
		if err != nil {
			return nil, nil, fmt.Errorf("take a lane of %s: %w", s.name, err)
		}
	}
	lane.left = lane.batch
	unsent, err := lane.unsent(ctx, s.Reader(), 0)
	if err != nil {
		return nil, nil, err
	}
	if s.lane == nil {
		lane.startSweep(unsent)
	}
	s.lane = lane
	return lane, unsent, nil
}

// startSweep says that the outbox holds unsent, and nothing before it.
func (l *Lane) startSweep(unsent []Batch) {
	l.swept.Store(l.batch)
	if len(unsent) > 0 {
		l.swept.Store(unsent[0].Number - 1)
	}
}

// clock is the time in milliseconds by which instances judge each other.
func (tx *Tx) clock(ctx context.Context) (now int64, err error) {
	expr := tx.s.db.dialect().clock
	if expr == "" {
		return millis(tx.now), nil
	}
	return now, tx.QueryRow(ctx, `SELECT `+expr).Scan(&now)
}

func (tx *Tx) takeLane(ctx context.Context) (*Lane, error) {
	now, err := tx.clock(ctx)
	if err != nil {
		return nil, err
	}
	l := &Lane{seqs: map[event.Partition]int64{}}
	found, err := tx.freeLane(ctx, l, now)
	switch {
	case err != nil:
	case found:
		l.epoch++
		err = tx.Exec(ctx, `UPDATE tutti_lane SET epoch = $1, alive = $2 WHERE lane = $3`, l.epoch, now, l.Number)
	default:
		l.epoch = 1
		if err = tx.QueryRow(ctx, `SELECT COUNT(*) FROM tutti_lane`).Scan(&l.Number); err != nil {
			return nil, err
		}
		err = tx.Exec(ctx, `INSERT INTO tutti_lane (lane, epoch, alive, ids, batch, commits) VALUES ($1, 1, $2, 0, 0, 0)`, l.Number, now)
	}
	if err != nil {
		return nil, err
	}
	// What the last holder had in memory is to be done again.
	if err := tx.putBack(ctx, l.Number); err != nil {
		return nil, err
	}
	if _, err := tx.s.db.grip(ctx, l.Number); err != nil { // so that others see that its holder is there
		return nil, err
	}
	l.Name = tx.s.laneName(l.Number)
	rows, err := tx.Query(ctx, `SELECT topic, part, seq FROM tutti_seq WHERE lane = $1`, l.Number)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p event.Partition
		var seq int64
		if err := rows.Scan(&p.Topic, &p.Number, &seq); err != nil {
			return nil, err
		}
		l.seqs[p] = seq
	}
	return l, rows.Err()
}

// putBack makes the jobs wait that the holder of a lane had in memory.
func (tx *Tx) putBack(ctx context.Context, lane int64) error {
	return tx.Exec(ctx, `UPDATE tutti_job SET state = 'waiting' WHERE lane = $1 AND state = 'running'`, lane)
}

// freeLane looks for the lowest lane that is free.
func (tx *Tx) freeLane(ctx context.Context, l *Lane, now int64) (bool, error) {
	free := int64(math.MaxInt64) // whatever the clock said when the last holder died
	if tx.s.shared {
		free = now - LeaseTime.Milliseconds()
	}
	type row struct {
		Lane
		alive int64
	}
	all, err := Collect(ctx, tx, func(r Rows) (*row, error) {
		v := &row{}
		return v, r.Scan(&v.Number, &v.epoch, &v.ids, &v.batch, &v.commits, &v.alive)
	}, `SELECT lane, epoch, ids, batch, commits, alive FROM tutti_lane ORDER BY lane`)
	if err != nil {
		return false, err
	}
	for _, v := range all {
		if v.alive > free {
			gone, err := tx.s.db.grip(ctx, v.Number)
			if err != nil {
				return false, err
			}
			if !gone {
				continue
			}
		}
		l.Number, l.epoch, l.ids, l.batch, l.commits = v.Number, v.epoch, v.ids, v.batch, v.commits
		return true, nil
	}
	return false, nil
}

// pageSize is how many bytes of the outbox are read at once, unless one batch is larger.
const pageSize = 8 << 20

// Left reports whether the last holder of a lane has left more than the batches up to
// one.
func (l *Lane) Left(batch int64) bool { return batch < l.left }

// Unsent returns the next batches, after one, that the last holder of a lane left
// unsent, oldest first.
func (s *Store) Unsent(ctx context.Context, l *Lane, after int64) ([]Batch, error) {
	return l.unsent(ctx, s.Reader(), after)
}

func (l *Lane) unsent(ctx context.Context, q Querier, after int64) ([]Batch, error) {
	last, size := after, int64(0)
	sizes, err := Collect(ctx, q, func(r Rows) (v [2]int64, err error) {
		var begin []byte
		if err := r.Scan(&v[0], &v[1], &begin); err != nil {
			return v, err
		}
		v[1] = sizeOf(begin, v[1])
		return v, nil
	}, `SELECT batch, OCTET_LENGTH(events), SUBSTR(events, 1, 16) FROM tutti_outbox WHERE lane = $1 AND batch > $2 AND batch <= $3 ORDER BY batch LIMIT 1000`,
		l.Number, after, l.left)
	if err != nil {
		return nil, fmt.Errorf("read the outbox of lane %s: %w", l.Name, err)
	}
	for _, v := range sizes {
		if size += v[1]; size > pageSize && last > after {
			break
		}
		last = v[0]
	}
	if last == after {
		return nil, nil
	}
	batches, err := Collect(ctx, q, func(r Rows) (Batch, error) {
		var b Batch
		var blob []byte
		if err := r.Scan(&b.Number, &blob); err != nil {
			return b, err
		}
		var err error
		if b.Events, err = unpack(blob); err != nil {
			return b, fmt.Errorf("batch %d: %w", b.Number, err)
		}
		return b, nil
	}, `SELECT batch, events FROM tutti_outbox WHERE lane = $1 AND batch > $2 AND batch <= $3 ORDER BY batch`, l.Number, after, last)
	if err != nil {
		return nil, fmt.Errorf("read the outbox of lane %s: %w", l.Name, err)
	}
	return batches, nil
}

// ReleaseLane gives the lane up, so that another instance may take it at once.
func (s *Store) ReleaseLane(ctx context.Context) error {
	lane := s.lane
	if lane == nil {
		return nil
	}
	s.lane = nil // or the commit would hold it once more
	err := s.Update(ctx, func(tx *Tx) error {
		if s.shared { // others are to find them
			if err := tx.putBack(ctx, lane.Number); err != nil {
				return err
			}
		}
		return tx.Exec(ctx, `UPDATE tutti_lane SET alive = 0 WHERE lane = $1 AND epoch = $2`, lane.Number, lane.epoch)
	})
	if err == nil {
		err = s.db.loose(ctx, lane.Number)
	}
	if err != nil {
		return fmt.Errorf("release lane %s: %w", lane.Name, err)
	}
	return nil
}

// hold says that the lane is held. Nothing is committed if another has taken it.
func (tx *Tx) hold(ctx context.Context, l *Lane, ids, batch int64) error {
	if _, err := tx.s.db.grip(ctx, l.Number); err != nil { // it is tied to us, unless its last holder was frozen and not gone
		return fmt.Errorf("hold lane %s: %w", l.Name, err)
	}
	alive, args := "$7", []any{ids, batch, l.commits + 1, l.Number, l.epoch, l.commits, millis(tx.now)}
	if clock := tx.s.db.dialect().clock; clock != "" {
		alive, args = clock, args[:6]
	}
	err := tx.s.db.expect(ctx, `UPDATE tutti_lane SET ids = $1, batch = $2, commits = $3, alive = `+alive+` WHERE lane = $4 AND epoch = $5 AND commits <= $6`, args, 1,
		fmt.Errorf("%w: lane %s was adopted", ErrFenced, l.Name))
	if err != nil {
		return fmt.Errorf("hold lane %s: %w", l.Name, err)
	}
	return nil
}

// settle finds out whether a transaction was committed whose COMMIT was not
// answered: it returns nil if it was, and otherwise why it was not. The lane's row,
// which every commit writes, tells; reading it waits for what the old connection may
// still be about.
func (s *Store) settle(ctx context.Context, cause error) error {
	l := s.lane
	for attempt := 0; ; attempt++ {
		epoch, commits, err := s.lookAtLane(ctx, l)
		switch {
		case err == nil && epoch != l.epoch:
			return fmt.Errorf("%w: lane %s was adopted", ErrFenced, l.Name)
		case err == nil && commits == l.commits+1:
			s.cfg.Logger.Info("the connection was lost in a commit, which has succeeded", "lane", l.Name)
			return nil
		case err == nil:
			l.commits += voided
			return cause
		}
		s.cfg.Logger.Warn("the connection was lost in a commit; finding out whether it succeeded", "attempt", attempt+1, "error", err)
		t := time.NewTimer(min(50*time.Millisecond<<min(attempt, 6), 2*time.Second))
		select {
		case <-ctx.Done():
			t.Stop()
			l.commits += voided // at most: the next one holds the lane, whatever became of this one
			return errors.Join(cause, context.Cause(ctx))
		case <-t.C:
		}
	}
}

// voided is what is added to a lane's commits when one has not arrived: it must not any
// more, although a network may have kept it.
const voided = 2

// lookAtLane reads a lane's row, once nobody writes it. If the last commit has not
// arrived, it is refused from then on.
func (s *Store) lookAtLane(ctx context.Context, l *Lane) (epoch, commits int64, err error) {
	if err := s.db.begin(ctx); err != nil {
		return 0, 0, err
	}
	rows, err := s.db.query(ctx, `SELECT epoch, commits FROM tutti_lane WHERE lane = $1 FOR UPDATE`, []any{l.Number})
	if err = (Row{rows, err}).Scan(&epoch, &commits); err == nil && epoch == l.epoch && commits == l.commits {
		if err = s.db.queue(ctx, `UPDATE tutti_lane SET commits = $1 WHERE lane = $2`, []any{l.commits + voided, l.Number}); err == nil {
			err = s.db.commit(ctx)
		}
		if err == nil {
			return epoch, commits, nil
		}
	}
	return epoch, commits, errors.Join(err, s.db.rollback(ctx))
}

// Swept is the batch up to which the outbox is empty.
func (s *Store) Swept() int64 { return s.lane.swept.Load() }

// HoldsLane reports whether no other instance has taken the lane.
func (s *Store) HoldsLane(ctx context.Context) (bool, error) {
	var epoch int64
	if err := s.Reader().QueryRow(ctx, `SELECT epoch FROM tutti_lane WHERE lane = $1`, s.lane.Number).Scan(&epoch); err != nil {
		return false, fmt.Errorf("look at lane %s: %w", s.lane.Name, err)
	}
	return epoch == s.lane.epoch, nil
}

// Unused returns an error if an instance uses the database, or was heard of less than
// [LeaseTime] ago and may come back.
func (s *Store) Unused(ctx context.Context) error {
	return s.Update(ctx, func(tx *Tx) error { return tx.nobody(ctx) })
}

// nobody fails if another instance holds a lane.
func (tx *Tx) nobody(ctx context.Context) error {
	if !tx.s.shared {
		return nil
	}
	now, err := tx.clock(ctx)
	if err != nil {
		return err
	}
	alive, err := Collect(ctx, tx, func(r Rows) (lane int64, err error) { return lane, r.Scan(&lane) },
		`SELECT lane FROM tutti_lane WHERE alive > $1`, now-LeaseTime.Milliseconds())
	if err != nil {
		return err
	}
	for _, lane := range alive {
		gone, err := tx.s.db.grip(ctx, lane)
		if err != nil {
			return err
		}
		if !gone {
			return fmt.Errorf("another instance is running, or was until %v ago: stop it first", LeaseTime)
		}
		if err := tx.s.db.loose(ctx, lane); err != nil { // it was only looked at
			return err
		}
	}
	return nil
}
