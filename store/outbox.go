package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync/atomic"
	"time"

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

// Lane is one instance's part of the outbox. While an instance holds a lane, it
// alone numbers and sends what the lane carries. A lane whose holder is gone is
// adopted by another, which fences the old holder by raising the epoch.
type Lane struct {
	Name   string // unique for ever: service, incarnation and number
	Number int64

	epoch int64
	ids   int64        // of the last message
	batch int64        // of the last row
	swept atomic.Int64 // rows up to this one are deleted
	seqs  map[event.Partition]int64
}

// LeaseTime is how long a lane belongs to an instance that has not been heard of,
// where several instances share a database.
const LeaseTime = 15 * time.Second

// TakeLane takes the lowest lane that is free, or makes one, and returns the
// batches that its last holder left unsent, oldest first. A lane is free if
// nobody holds it: with a database of one process, that is every lane; with a
// shared one, those not heard of for [LeaseTime].
func (s *Store) TakeLane(ctx context.Context) (*Lane, []Batch, error) {
	var lane *Lane
	err := s.Update(ctx, func(tx *Tx) (err error) {
		lane, err = tx.takeLane(ctx)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("take a lane of %s: %w", s.name, err)
	}
	unsent, err := s.unsent(ctx, lane)
	if err != nil {
		return nil, nil, err
	}
	s.lane = lane
	return lane, unsent, nil
}

func (tx *Tx) takeLane(ctx context.Context) (*Lane, error) {
	free := int64(math.MaxInt64) // whatever the clock said when the last holder died
	if tx.s.cfg.Shared {
		free = millis(tx.now) - LeaseTime.Milliseconds()
	}
	l := &Lane{seqs: map[event.Partition]int64{}}
	err := tx.QueryRow(ctx, `SELECT lane, epoch, ids, batch FROM tutti_lane WHERE alive <= $1 ORDER BY lane LIMIT 1`, free).
		Scan(&l.Number, &l.epoch, &l.ids, &l.batch)
	switch {
	case errors.Is(err, ErrNoRows):
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM tutti_lane`).Scan(&l.Number); err != nil {
			return nil, err
		}
		err = tx.Exec(ctx, `INSERT INTO tutti_lane (lane, epoch, alive, ids, batch) VALUES ($1, 1, $2, 0, 0)`, l.Number, millis(tx.now))
		l.epoch = 1
	case err == nil:
		l.epoch++
		err = tx.Exec(ctx, `UPDATE tutti_lane SET epoch = $1, alive = $2 WHERE lane = $3`, l.epoch, millis(tx.now), l.Number)
	}
	if err != nil {
		return nil, err
	}
	// What the last holder had in memory is to be done again.
	if err := tx.Exec(ctx, `UPDATE tutti_job SET state = 'waiting' WHERE lane = $1 AND state = 'running'`, l.Number); err != nil {
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

func (s *Store) unsent(ctx context.Context, l *Lane) ([]Batch, error) {
	batches, err := Collect(ctx, s.Reader(), func(r Rows) (Batch, error) {
		var b Batch
		var blob []byte
		if err := r.Scan(&b.Number, &blob); err != nil {
			return b, err
		}
		var err error
		if b.Events, err = decodeEvents(blob); err != nil {
			return b, fmt.Errorf("batch %d: %w", b.Number, err)
		}
		return b, nil
	}, `SELECT batch, events FROM tutti_outbox WHERE lane = $1 ORDER BY batch`, l.Number)
	if err != nil {
		return nil, fmt.Errorf("read the outbox of lane %s: %w", l.Name, err)
	}
	if len(batches) > 0 {
		l.swept.Store(batches[0].Number - 1)
	} else {
		l.swept.Store(l.batch)
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
		return tx.Exec(ctx, `UPDATE tutti_lane SET alive = 0 WHERE lane = $1 AND epoch = $2`, lane.Number, lane.epoch)
	})
	if err != nil {
		return fmt.Errorf("release lane %s: %w", lane.Name, err)
	}
	return nil
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
		if err := tx.Exec(ctx, `INSERT INTO tutti_outbox (lane, batch, written, events) VALUES ($1, $2, $3, $4)`,
			l.Number, batch, millis(tx.now), encodeEvents(n.events)); err != nil {
			return Committed{}, nil, fmt.Errorf("append to outbox: %w", err)
		}
		for p, seq := range n.partitions {
			if err := tx.Exec(ctx, `INSERT INTO tutti_seq (lane, topic, part, seq) VALUES ($1, $2, $3, $4)
				ON CONFLICT (lane, topic, part) DO UPDATE SET seq = excluded.seq`, l.Number, p.Topic, p.Number, seq); err != nil {
				return Committed{}, nil, fmt.Errorf("number the outbox: %w", err)
			}
		}
	}
	if sent > l.swept.Load() {
		// The lower bound spares PostgreSQL a walk over dead index entries.
		if err := tx.Exec(ctx, `DELETE FROM tutti_outbox WHERE lane = $1 AND batch > $2 AND batch <= $3`, l.Number, l.swept.Load(), sent); err != nil {
			return Committed{}, nil, fmt.Errorf("sweep outbox: %w", err)
		}
	}
	held, err := tx.Affected(ctx, `UPDATE tutti_lane SET alive = $1, ids = $2, batch = $3 WHERE lane = $4 AND epoch = $5`,
		millis(tx.now), n.ids, batch, l.Number, l.epoch)
	if err != nil {
		return Committed{}, nil, fmt.Errorf("hold lane %s: %w", l.Name, err)
	}
	if held != 1 {
		return Committed{}, nil, fmt.Errorf("%w: lane %s was adopted", ErrFenced, l.Name)
	}
	c := Committed{Events: n.events}
	if len(n.events) > 0 {
		c.Batch = batch
	}
	return c, func() {
		l.ids, l.batch = n.ids, batch
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

// Unsent counts the messages in the outbox, by the lane and partition that they are
// numbered in. Some of them may have been sent.
func (s *Store) Unsent(ctx context.Context) (map[LanePartition]int64, error) {
	rows, err := s.Reader().Query(ctx, `SELECT lane, events FROM tutti_outbox`)
	if err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	defer rows.Close()
	out := map[LanePartition]int64{}
	for rows.Next() {
		var lane int64
		var blob []byte
		if err := rows.Scan(&lane, &blob); err != nil {
			return nil, fmt.Errorf("read the outbox: %w", err)
		}
		events, err := decodeEvents(blob)
		if err != nil {
			return nil, fmt.Errorf("read the outbox: %w", err)
		}
		for _, e := range events {
			out[LanePartition{s.laneName(lane), e.Partition}]++
		}
	}
	return out, rows.Err()
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
			ID: l.Name + "-" + strconv.FormatInt(n.ids, 10), Source: "/" + tx.s.cfg.Owner,
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

// encodeEvents packs messages as length-prefixed fields, after a version byte.
func encodeEvents(events []Sendable) []byte {
	size := 1
	for _, e := range events {
		size += 32 + len(e.Topic) + len(e.Record.Key) + len(e.Record.Value) + 48*len(e.Record.Headers)
	}
	b := append(make([]byte, 0, size), 1)
	b = binary.AppendUvarint(b, uint64(len(events)))
	for _, e := range events {
		b = appendBytes(b, e.Topic)
		b = binary.AppendUvarint(b, uint64(e.Number))
		b = binary.AppendUvarint(b, uint64(e.Seq))
		b = appendBytes(b, e.Record.Key)
		b = appendBytes(b, e.Record.Value)
		b = appendHeaders(b, e.Record.Headers)
	}
	return b
}

func appendHeaders(b []byte, headers []event.Header) []byte {
	b = binary.AppendUvarint(b, uint64(len(headers)))
	for _, h := range headers {
		b = appendBytes(b, h.Key)
		b = appendBytes(b, h.Value)
	}
	return b
}

func appendBytes[T string | []byte](b []byte, v T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

var errCorrupt = errors.New("stored messages are damaged")

// unpacker reads what encodeEvents wrote; after a fault it yields zeros.
type unpacker struct {
	b   []byte
	err error
}

func (u *unpacker) uint() uint64 {
	v, n := binary.Uvarint(u.b)
	if n <= 0 {
		u.b, u.err = nil, errCorrupt
		return 0
	}
	u.b = u.b[n:]
	return v
}

func (u *unpacker) bytes() []byte {
	n := u.uint()
	if n > uint64(len(u.b)) {
		u.b, u.err = nil, errCorrupt
		return nil
	}
	v := u.b[:n:n]
	u.b = u.b[n:]
	return v
}

func (u *unpacker) headers() []event.Header {
	n := u.uint()
	if n > uint64(len(u.b)) {
		u.b, u.err = nil, errCorrupt
		return nil
	}
	headers := make([]event.Header, n)
	for i := range headers {
		headers[i] = event.Header{Key: string(u.bytes()), Value: u.bytes()}
	}
	return headers
}

func decodeEvents(b []byte) ([]Sendable, error) {
	if len(b) == 0 || b[0] != 1 {
		return nil, errCorrupt
	}
	u := &unpacker{b: b[1:]}
	n := u.uint()
	if n > uint64(len(b)) {
		return nil, errCorrupt
	}
	out := make([]Sendable, 0, n)
	for range n {
		var s Sendable
		s.Topic = string(u.bytes())
		s.Number = int32(u.uint())
		s.Seq = int64(u.uint())
		s.Record = event.Record{Key: u.bytes(), Value: u.bytes(), Headers: u.headers()}
		out = append(out, s)
	}
	if u.err == nil && len(u.b) != 0 {
		u.err = errCorrupt
	}
	return out, u.err
}
