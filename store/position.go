package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/tutti-go/tutti/event"
)

// Position is how far a partition has been consumed.
type Position struct {
	// Next is the offset of the next record to handle.
	Next int64
	// Origin is the offset at which consumption began. If it is 0, the numbering
	// of each lane must begin at 1; otherwise the beginning may be gone.
	Origin int64
}

// Advance moves a position from where the transaction found it.
type Advance struct {
	event.Partition
	From, To int64
	// New is set where there was no position; From is then its origin.
	New bool
}

// Seen is the highest sequence number seen of a lane in a partition.
type Seen struct {
	event.Partition
	Lane string
	Seq  int64
}

// Positions returns all stored positions.
func (s *Store) Positions(ctx context.Context) (map[event.Partition]Position, error) {
	out := map[event.Partition]Position{}
	rows, err := s.Reader().Query(ctx, `SELECT topic, part, next, origin FROM tutti_position`)
	if err != nil {
		return nil, fmt.Errorf("read positions: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var p event.Partition
		var pos Position
		if err := rows.Scan(&p.Topic, &p.Number, &pos.Next, &pos.Origin); err != nil {
			return nil, fmt.Errorf("read positions: %w", err)
		}
		out[p] = pos
	}
	return out, rows.Err()
}

// SeenIn returns the highest sequence number seen of each lane in a partition.
func (s *Store) SeenIn(ctx context.Context, p event.Partition) (map[string]int64, error) {
	out := map[string]int64{}
	rows, err := s.Reader().Query(ctx, `SELECT lane, seq FROM tutti_seen WHERE topic = $1 AND part = $2`, p.Topic, p.Number)
	if err != nil {
		return nil, fmt.Errorf("read lanes seen in %s: %w", p, err)
	}
	defer rows.Close()
	for rows.Next() {
		var lane string
		var seq int64
		if err := rows.Scan(&lane, &seq); err != nil {
			return nil, fmt.Errorf("read lanes seen in %s: %w", p, err)
		}
		out[lane] = seq
	}
	return out, rows.Err()
}

// ResetPosition makes a partition continue at next whatever was stored: the
// recovery from a log or a database that went back in time. What the lanes'
// numbers say of the past no longer counts.
func (tx *Tx) ResetPosition(ctx context.Context, p event.Partition, next int64) error {
	if err := tx.Exec(ctx, `DELETE FROM tutti_seen WHERE topic = $1 AND part = $2`, p.Topic, p.Number); err != nil {
		return fmt.Errorf("reset %s: %w", p, err)
	}
	if err := tx.Exec(ctx, `DELETE FROM tutti_gap WHERE topic = $1 AND part = $2`, p.Topic, p.Number); err != nil {
		return fmt.Errorf("reset %s: %w", p, err)
	}
	// Origin -1: the beginning of the lanes' numbering may be gone.
	if err := tx.Exec(ctx, `INSERT INTO tutti_position (topic, part, next, origin) VALUES ($1, $2, $3, -1)
		ON CONFLICT (topic, part) DO UPDATE SET next = excluded.next, origin = excluded.origin`, p.Topic, p.Number, next); err != nil {
		return fmt.Errorf("reset %s: %w", p, err)
	}
	if err := tx.setAside(ctx, p, next); err != nil {
		return fmt.Errorf("reset %s: %w", p, err)
	}
	return nil
}

// setAside gives the parked records of a partition offsets below 0, in their order, if
// records that are still to be read can have theirs: those could not be parked.
func (tx *Tx) setAside(ctx context.Context, p event.Partition, next int64) error {
	var first, last int64
	if err := tx.QueryRow(ctx, `SELECT COALESCE(MIN(pos), 0), COALESCE(MAX(pos), -1) FROM tutti_parked WHERE topic = $1 AND part = $2`,
		p.Topic, p.Number).Scan(&first, &last); err != nil || last < next {
		return err
	}
	return tx.Exec(ctx, `UPDATE tutti_parked SET pos = pos - $3 WHERE topic = $1 AND part = $2`, p.Topic, p.Number, last-min(first, 0)+1)
}

// FirstForeign reports whether a message of a producer without a lane is seen for
// the first time, and remembers it.
func (tx *Tx) FirstForeign(ctx context.Context, source, id string, p event.Partition, offset int64) (bool, error) {
	n, err := tx.Affected(ctx, `INSERT INTO tutti_foreign (source, id, topic, part, pos) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (source, id) DO NOTHING`,
		plain(source), plain(id), p.Topic, p.Number, offset)
	if err != nil {
		return false, fmt.Errorf("remember message %s of %s: %w", id, source, err)
	}
	return n == 1, nil
}

// ForgetForeign forgets the messages without a lane before an offset, those at most
// offsets of them at once. It reports whether there are more.
func (tx *Tx) ForgetForeign(ctx context.Context, p event.Partition, before, most int64) (more bool, err error) {
	var first int64
	err = tx.QueryRow(ctx, `SELECT pos FROM tutti_foreign WHERE topic = $1 AND part = $2 ORDER BY pos LIMIT 1`, p.Topic, p.Number).Scan(&first)
	switch {
	case errors.Is(err, ErrNoRows) || err == nil && first >= before:
		return false, nil
	case err == nil:
		err = tx.Exec(ctx, `DELETE FROM tutti_foreign WHERE topic = $1 AND part = $2 AND pos < $3`, p.Topic, p.Number, min(before, first+most))
	}
	if err != nil {
		return false, fmt.Errorf("forget messages before %s@%d: %w", p, before, err)
	}
	return first+most < before, nil
}
