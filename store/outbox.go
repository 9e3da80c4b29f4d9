package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/tutti-go/tutti/event"
)

// Sendable is a committed message, numbered and ready for Kafka.
type Sendable struct {
	event.Partition
	Seq    int64
	Record event.Record
}

// Batch is the messages of one transaction: one row of the outbox.
type Batch struct {
	Number int64
	Events []Sendable
}

// appendOutbox numbers what the transaction appended, and stores it as one row.
// It holds the lane: it fails with [ErrFenced] once another has taken it.
func (tx *Tx) appendOutbox(ctx context.Context, sent int64) (Committed, func(), error) {
	l := tx.s.lane
	if l == nil {
		if len(tx.out) > 0 {
			return Committed{}, nil, errors.New("append to outbox: no lane is held")
		}
		return Committed{}, func() {}, nil
	}
	n, err := l.number(tx)
	if err != nil {
		return Committed{}, nil, err
	}
	batch := l.batch
	if len(n.events) > 0 {
		batch++
		packed := tx.s.scratch.pack(n.events)
		if err := tx.Exec(ctx, `INSERT INTO tutti_outbox (lane, batch, written, events) VALUES ($1, $2, $3, $4)`,
			l.Number, batch, millis(tx.now), packed); err != nil {
			return Committed{}, nil, fmt.Errorf("append to outbox: %w", err)
		}
		if err := tx.numberNext(ctx, l, n.partitions); err != nil {
			return Committed{}, nil, err
		}
	}
	if sent > l.swept.Load() {
		// The lower bound spares PostgreSQL a walk over dead index entries.
		if err := tx.Exec(ctx, `DELETE FROM tutti_outbox WHERE lane = $1 AND batch > $2 AND batch <= $3`, l.Number, l.swept.Load(), sent); err != nil {
			return Committed{}, nil, fmt.Errorf("sweep outbox: %w", err)
		}
	}
	if err := tx.hold(ctx, l, n.ids, batch); err != nil {
		return Committed{}, nil, err
	}
	c := Committed{Events: n.events}
	if len(n.events) > 0 {
		c.Batch = batch
	}
	return c, func() {
		l.ids, l.batch, l.commits = n.ids, batch, l.commits+1
		l.swept.Store(max(l.swept.Load(), sent))
		for p, seq := range n.partitions {
			l.seqs[p] = seq
		}
	}, nil
}

// numbered is what a transaction appended, completed, and the counters after it.
type numbered struct {
	events     []Sendable
	ids        int64
	partitions map[event.Partition]int64
}

// LanePartition is a partition as a lane writes to it.
type LanePartition struct {
	Lane string
	event.Partition
}

// Numbered returns the last sequence number that each lane has given in each
// partition.
func (s *Store) Numbered(ctx context.Context) (map[LanePartition]int64, error) {
	rows, err := s.Reader().Query(ctx, `SELECT lane, topic, part, seq FROM tutti_seq`)
	if err != nil {
		return nil, fmt.Errorf("read the numbering of lanes: %w", err)
	}
	defer rows.Close()
	out := map[LanePartition]int64{}
	for rows.Next() {
		var lane, seq int64
		var p event.Partition
		if err := rows.Scan(&lane, &p.Topic, &p.Number, &seq); err != nil {
			return nil, fmt.Errorf("read the numbering of lanes: %w", err)
		}
		out[LanePartition{s.laneName(lane), p}] = seq
	}
	return out, rows.Err()
}

// CountUnsent counts the messages in the outbox, by the lane and partition that they
// are numbered in. Some of them may have been sent.
func (s *Store) CountUnsent(ctx context.Context) (map[LanePartition]int64, error) {
	out := map[LanePartition]int64{}
	err := s.eachUnsent(ctx, func(lane int64, e Sendable) { out[LanePartition{s.laneName(lane), e.Partition}]++ })
	return out, err
}

// Outbox returns the messages of all lanes that are in the outbox, those of a lane in
// their order. It changes nothing.
func (s *Store) Outbox(ctx context.Context) (all []Sendable, err error) {
	err = s.eachUnsent(ctx, func(_ int64, e Sendable) { all = append(all, e) })
	return all, err
}

func (s *Store) eachUnsent(ctx context.Context, visit func(lane int64, e Sendable)) error {
	rows, err := s.Reader().Query(ctx, `SELECT lane, events FROM tutti_outbox ORDER BY lane, batch`)
	if err != nil {
		return fmt.Errorf("read the outbox: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var lane int64
		var blob []byte
		if err := rows.Scan(&lane, &blob); err != nil {
			return fmt.Errorf("read the outbox: %w", err)
		}
		events, err := unpack(blob)
		if err != nil {
			return fmt.Errorf("read the outbox: %w", err)
		}
		for _, e := range events {
			visit(lane, e)
		}
	}
	return rows.Err()
}

func (s *Store) laneName(number int64) string { return s.name + "." + strconv.FormatInt(number, 10) }

// number completes the envelopes. The lane's own counters stay as they are until
// the commit.
func (l *Lane) number(tx *Tx) (numbered, error) {
	n := numbered{ids: l.ids}
	if len(tx.out) == 0 {
		return n, nil
	}
	n.events = make([]Sendable, 0, len(tx.out))
	n.partitions = map[event.Partition]int64{}
	scope, root := -1, "" // the first message of a request without a cause starts the correlation
	for _, m := range tx.out {
		part, err := tx.s.cfg.Partition(m.Contract.Topic.Name, m.Key)
		if err != nil {
			return n, fmt.Errorf("find the partition of %s for key %q: %w", m.Contract, m.Key, err)
		}
		p := event.Partition{Topic: m.Contract.Topic.Name, Number: part}
		seq, ok := n.partitions[p]
		if !ok {
			seq = l.seqs[p]
		}
		seq++
		n.ids++
		n.partitions[p] = seq
		e := event.Envelope{
			ID: l.id(n.ids), Source: "/" + tx.s.cfg.Owner,
			Type: m.Contract.Type, Version: m.Contract.Version, Kind: m.Contract.Kind, Key: m.Key, Time: tx.now,
			CorrelationID: m.cause.CorrelationID, CausationID: m.cause.ID,
			TraceParent: m.cause.TraceParent, TraceState: m.cause.TraceState, Lane: l.Name, Seq: seq,
		}
		if e.CorrelationID == "" {
			if scope != m.scope {
				scope, root = m.scope, e.ID
			}
			e.CorrelationID = root
		}
		n.events = append(n.events, Sendable{p, seq, event.Encode(e, m.Data)})
	}
	return n, nil
}

func (l *Lane) id(n int64) string { return l.Name + "-" + strconv.FormatInt(n, 10) }
