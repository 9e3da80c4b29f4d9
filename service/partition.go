package service

import (
	"context"
	"slices"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/store"
)

// partition is what the loop remembers of a partition, as of the last commit.
type partition struct {
	stored bool // whether the database has a position
	next   int64
	origin int64
	seen   map[string]int64     // highest sequence number, by lane
	parked map[string]int       // records parked, by key
	size   int64                // of those, in bytes
	gaps   map[string]store.Gap // what is missing, by lane
}

// load reads a partition's state. first is where a partition without a position
// begins.
func load(ctx context.Context, db *store.Store, p event.Partition, pos store.Position, stored bool) (*partition, error) {
	seen, err := db.SeenIn(ctx, p)
	if err != nil {
		return nil, err
	}
	parked, size, err := db.ParkedKeys(ctx, p)
	if err != nil {
		return nil, err
	}
	gaps, err := db.GapsIn(ctx, p)
	if err != nil {
		return nil, err
	}
	return &partition{stored: stored, next: pos.Next, origin: pos.Origin, seen: seen, parked: parked, size: size, gaps: gaps}, nil
}

// progress is what a transaction changes of a partition; it counts once the
// transaction has committed.
type progress struct {
	*partition
	p      event.Partition
	now    int64                // next, as of this transaction
	lanes  map[string]int64     // seen in this transaction
	parks  map[string]int       // change of the number parked
	grown  int64                // change of their size
	latest time.Time            // of the last record
	opened map[string]store.Gap // in this transaction, by lane
	closed map[string]bool      // those of before
}

// verdict says what to do with a record because of its number.
type verdict int

const (
	fresh verdict = iota
	duplicate
	gap
)

// admit looks at a record's number in its lane. A sender that could not write a
// record writes it again with all that follow it in the partition, so what comes
// after a gap is dropped: it will come again, in order.
func (g *progress) admit(lane string, seq int64) verdict {
	last, known := g.lanes[lane]
	if !known {
		last, known = g.seen[lane]
	}
	switch {
	case !known && (seq == 1 || g.origin != 0):
	case !known:
		return gap
	case seq <= last:
		return duplicate
	case seq > last+1:
		return gap
	}
	if g.lanes == nil {
		g.lanes = map[string]int64{}
	}
	g.lanes[lane] = seq
	if len(g.gaps)+len(g.opened) > 0 {
		g.find(lane)
	}
	return fresh
}

// blocked reports whether records of a key wait behind a parked one. Records
// without a key wait for nothing.
func (g *progress) blocked(key []byte) bool {
	return len(key) > 0 && g.parked[string(key)]+g.parks[string(key)] > 0
}

// free notes that no record of a key is parked.
func (g *progress) free(key []byte) { g.park(key, -g.parked[string(key)]-g.parks[string(key)]) }

// park counts records parked (or, negative, no longer parked) of a key.
func (g *progress) park(key []byte, n int) {
	if g.parks == nil {
		g.parks = map[string]int{}
	}
	g.parks[string(key)] += n
}

// books returns what is to be stored.
func (g *progress) books(b *store.Books) {
	if g.now != g.next {
		b.Advance = append(b.Advance, store.Advance{Partition: g.p, From: g.next, To: g.now, New: !g.stored})
	}
	for lane, seq := range g.lanes {
		b.Seen = append(b.Seen, store.Seen{Partition: g.p, Lane: lane, Seq: seq})
	}
	for lane := range g.closed {
		b.Closed = append(b.Closed, g.gaps[lane])
	}
	for _, gap := range g.opened {
		b.Opened = append(b.Opened, gap)
	}
}

// commit makes the changes current.
func (g *progress) commit() {
	g.stored = g.stored || g.now != g.next
	g.next = g.now
	g.gaps = g.gapsOf()
	for lane, seq := range g.lanes {
		g.seen[lane] = seq
	}
	g.size += g.grown
	for key, n := range g.parks {
		if g.parked[key] += n; g.parked[key] <= 0 {
			delete(g.parked, key)
		}
	}
}

// partition returns what is known of a partition, and reads it if nothing is.
func (l *loop) partition(ctx context.Context, p event.Partition) (*partition, error) {
	if part, ok := l.partitions[p]; ok {
		return part, nil
	}
	db := l.db.Load()
	positions, err := db.Positions(ctx)
	if err != nil {
		return nil, err
	}
	pos, stored := positions[p]
	if !stored {
		l.mu.Lock()
		pos.Next = l.first[p]
		l.mu.Unlock()
		pos.Origin = pos.Next
	}
	part, err := load(ctx, db, p, pos, stored)
	if err != nil {
		return nil, err
	}
	l.partitions[p] = part
	l.countParked()
	return part, nil
}

func (l *loop) countParked() {
	l.parked = 0
	for _, part := range l.partitions {
		for _, n := range part.parked {
			l.parked += n
		}
	}
}

// keptParked returns how many keys have parked records in known partitions, and how large
// these are.
func (l *loop) keptParked() (keys int, size int64) {
	for _, part := range l.partitions {
		keys += len(part.parked)
		size += part.size
	}
	return keys, size
}

// start tells the consumer where to begin in partitions that were assigned.
func (l *loop) start(ctx context.Context, ps []event.Partition) (map[event.Partition]int64, error) {
	l.mu.Lock()
	for _, p := range ps {
		l.assigned[p] = true
	}
	l.mu.Unlock()
	gaps, err := l.db.Load().Gaps(ctx)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	for _, p := range ps {
		l.open[p] = byLane(gaps, p)
	}
	l.mu.Unlock()
	positions, err := l.db.Load().Positions(ctx)
	if err != nil {
		return nil, err
	}
	l.resumeAt(ps, positions)
	starts := map[event.Partition]int64{}
	var look []event.Partition
	var topics []string
	for _, p := range ps {
		if pos, known := positions[p]; known && l.s.cfg.guards.heads {
			starts[p] = pos.Next // where the log has lost that, reading fails
			continue
		}
		look = append(look, p)
		if !slices.Contains(topics, p.Topic) {
			topics = append(topics, p.Topic)
		}
	}
	bounds, err := l.s.cfg.bus.Bounds(ctx, "", topics)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range look {
		starts[p] = max(positions[p].Next, bounds[p].Start)
		if _, known := positions[p]; !known {
			l.first[p] = starts[p]
		}
	}
	return starts, nil
}

// resumeAt makes Kafka be told how far partitions are handled that others have had: who
// loses one may not have told yet.
func (l *loop) resumeAt(ps []event.Partition, positions map[event.Partition]store.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range ps {
		if _, known := l.ends[p]; !known && positions[p].Next > 0 {
			l.ends[p] = end{log: positions[p].Next, next: positions[p].Next}
		}
	}
}

// byLane are the gaps of a partition.
func byLane(all []store.Gap, p event.Partition) map[string]store.Gap {
	gaps := map[string]store.Gap{}
	for _, g := range all {
		if g.Partition == p {
			gaps[g.Lane] = g
		}
	}
	return gaps
}

// lose is told of partitions that are no longer assigned.
func (l *loop) lose(ps []event.Partition) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = append(l.lost, ps...)
	for _, p := range ps {
		delete(l.ends, p)
		delete(l.unread, p)
		delete(l.assigned, p)
	}
}

// forget makes the loop read the state of a partition again.
func (l *loop) forget(p event.Partition) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = append(l.lost, p)
}

func (l *loop) forgetLost() {
	l.mu.Lock()
	lost := l.lost
	l.lost = nil
	if l.due {
		l.due, l.next = false, l.now()
	}
	l.mu.Unlock()
	for _, p := range lost {
		delete(l.partitions, p)
	}
	if len(lost) > 0 {
		l.countParked()
	}
}
