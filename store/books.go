package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tutti-go/tutti/event"
)

// The bookkeeping of a transaction. Where the database takes arrays, each kind is
// one statement, however many rows it has; SQLite runs short statements faster.

// advance stores the books' positions, each only if it is where it is expected.
func (tx *Tx) advance(ctx context.Context, b Books) error {
	if !tx.s.db.dialect().bulk {
		return tx.advanceEach(ctx, b)
	}
	var known, fresh positions
	for _, a := range b.Advance {
		if a.New {
			fresh.add(a)
		} else {
			known.add(a)
		}
	}
	if n := len(known.topics); n > 0 {
		if err := tx.s.db.expect(ctx, `UPDATE tutti_position p SET next = v.next
			FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) AS v (topic, part, next, was)
			WHERE p.topic = v.topic AND p.part = v.part AND p.next = v.was`, known.args(), n, known.fenced()); err != nil {
			return fmt.Errorf("store %d positions: %w", n, err)
		}
	}
	if n := len(fresh.topics); n > 0 {
		if err := tx.s.db.expect(ctx, `INSERT INTO tutti_position (topic, part, next, origin)
			SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) ON CONFLICT (topic, part) DO NOTHING`,
			fresh.args(), n, fresh.fenced()); err != nil {
			return fmt.Errorf("store %d new positions: %w", n, err)
		}
	}
	return tx.see(ctx, b.Seen)
}

// positions are the columns of some positions.
type positions struct {
	topics   []string
	parts    []int32
	next, at []int64
}

func (c *positions) add(a Advance) {
	c.topics, c.parts = append(c.topics, a.Topic), append(c.parts, a.Number)
	c.next, c.at = append(c.next, a.To), append(c.at, a.From)
}

func (c *positions) args() []any { return []any{c.topics, c.parts, c.next, c.at} }

// fenced is the error if one of them is not where it is expected.
func (c *positions) fenced() error {
	if len(c.topics) == 1 {
		return fmt.Errorf("%w: position of %s is no longer %d", ErrFenced, event.Partition{Topic: c.topics[0], Number: c.parts[0]}, c.at[0])
	}
	return fmt.Errorf("%w: one of %d positions, of %s and others, has moved", ErrFenced, len(c.topics), c.topics[0])
}

// see stores the highest numbers seen.
func (tx *Tx) see(ctx context.Context, seen []Seen) error {
	if len(seen) == 0 {
		return nil
	}
	if !tx.s.db.dialect().bulk {
		return tx.seeEach(ctx, seen)
	}
	var topics, lanes []string
	var parts []int32
	var seqs []int64
	for _, w := range seen {
		topics, parts = append(topics, w.Topic), append(parts, w.Number)
		lanes, seqs = append(lanes, plain(w.Lane)), append(seqs, w.Seq)
	}
	if err := tx.s.db.queue(ctx, `INSERT INTO tutti_seen (topic, part, lane, seq)
		SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::bigint[])
		ON CONFLICT (topic, part, lane) DO UPDATE SET seq = excluded.seq`, []any{topics, parts, lanes, seqs}); err != nil {
		return fmt.Errorf("store %d lanes seen: %w", len(seen), err)
	}
	return nil
}

func (tx *Tx) advanceEach(ctx context.Context, b Books) error {
	for _, a := range b.Advance {
		query := `UPDATE tutti_position SET next = $1 WHERE topic = $2 AND part = $3 AND next = $4`
		if a.New {
			query = `INSERT INTO tutti_position (next, topic, part, origin) VALUES ($1, $2, $3, $4) ON CONFLICT (topic, part) DO NOTHING`
		}
		n, err := tx.Affected(ctx, query, a.To, a.Topic, a.Number, a.From)
		if err != nil {
			return fmt.Errorf("store position of %s: %w", a.Partition, err)
		}
		if n != 1 {
			return fmt.Errorf("%w: position of %s is no longer %d", ErrFenced, a.Partition, a.From)
		}
	}
	return tx.see(ctx, b.Seen)
}

func (tx *Tx) seeEach(ctx context.Context, seen []Seen) error {
	for _, w := range seen {
		if err := tx.Exec(ctx, `INSERT INTO tutti_seen (topic, part, lane, seq) VALUES ($1, $2, $3, $4)
			ON CONFLICT (topic, part, lane) DO UPDATE SET seq = excluded.seq`, w.Topic, w.Number, plain(w.Lane), w.Seq); err != nil {
			return fmt.Errorf("store lane %s seen in %s: %w", w.Lane, w.Partition, err)
		}
	}
	return nil
}

// numberNext stores the last numbers that the lane has given.
func (tx *Tx) numberNext(ctx context.Context, l *Lane, last map[event.Partition]int64) error {
	const upsert = ` ON CONFLICT (lane, topic, part) DO UPDATE SET seq = excluded.seq`
	if !tx.s.db.dialect().bulk {
		for p, seq := range last {
			if err := tx.Exec(ctx, `INSERT INTO tutti_seq (lane, topic, part, seq) VALUES ($1, $2, $3, $4)`+upsert, l.Number, p.Topic, p.Number, seq); err != nil {
				return fmt.Errorf("number the outbox: %w", err)
			}
		}
		return nil
	}
	var topics []string
	var parts []int32
	var seqs []int64
	for p, seq := range last {
		topics, parts, seqs = append(topics, p.Topic), append(parts, p.Number), append(seqs, seq)
	}
	if err := tx.s.db.queue(ctx, `INSERT INTO tutti_seq (lane, topic, part, seq)
		SELECT $1, t, p, s FROM unnest($2::text[], $3::int[], $4::bigint[]) AS v (t, p, s)`+upsert, []any{l.Number, topics, parts, seqs}); err != nil {
		return fmt.Errorf("number the outbox: %w", err)
	}
	return nil
}

const maxPlain = 1024 // bytes: two of them fit an index of PostgreSQL

// plain is what foreign producers call things, such that every database stores it.
func plain(s string) string {
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		s = strconv.QuoteToASCII(s)
	}
	if len(s) > maxPlain {
		sum := sha256.Sum256([]byte(s))
		s = "sha256:" + hex.EncodeToString(sum[:])
	}
	return s
}
