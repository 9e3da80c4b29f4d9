package service

import (
	"context"
	"slices"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/store"
)

const (
	maxTurn  = 4 * store.LeaseTime // how long an instance waits for its turn
	turnPoll = 100 * time.Millisecond
)

// meet reads, where several instances share a database, the state of the partitions
// that this instance has taken over, and waits for its turn in them. If another moves
// a position after that, the transaction fails, and meet is called again.
func (l *loop) meet(ctx context.Context, in *inputs) error {
	if !l.db.Load().Shared() || !l.s.cfg.guards.turns {
		return nil
	}
	met := false
	know := func(p event.Partition) error {
		if _, known := l.partitions[p]; known {
			return nil
		}
		met = true
		_, err := l.partition(ctx, p)
		return err
	}
	for i := range in.deliveries {
		if err := know(in.deliveries[i].Partition); err != nil {
			return err
		}
	}
	for i := range in.parked {
		if err := know(in.parked[i].Partition); err != nil {
			return err
		}
	}
	if !met {
		return nil
	}
	return l.turn(ctx)
}

// own picks, where several instances share a database, the parked records of
// partitions that are this instance's: events of their keys come from one instance.
func (l *loop) own(parked []store.Parked) []store.Parked {
	if !l.db.Load().Shared() {
		return parked
	}
	read := l.s.subscribed()
	l.mu.Lock()
	defer l.mu.Unlock()
	var mine []store.Parked
	for _, p := range parked {
		// What nobody reads any more belongs to whoever finds it.
		if l.assigned[p.Partition] || !slices.Contains(read, p.Topic) {
			mine = append(mine, p)
		}
	}
	return mine
}

// turn waits until Kafka has what other instances have committed so far. The last
// holder of a partition may have published events that are not sent yet; those that
// this instance is going to publish of the same keys must not overtake them.
func (l *loop) turn(ctx context.Context) error {
	db := l.db.Load()
	type tail struct{ lane, batch int64 }
	tails, err := store.Collect(ctx, db.Reader(), func(r store.Rows) (t tail, err error) { return t, r.Scan(&t.lane, &t.batch) },
		`SELECT lane, MAX(batch) FROM tutti_outbox WHERE lane <> $1 GROUP BY lane`, l.lane)
	if err != nil {
		return err
	}
	for begin := time.Now(); len(tails) > 0; {
		var left int
		if err := db.Reader().QueryRow(ctx, `SELECT COUNT(*) FROM tutti_outbox WHERE lane = $1 AND batch <= $2`, tails[0].lane, tails[0].batch).Scan(&left); err != nil {
			return err
		}
		if left == 0 {
			tails = tails[1:]
			continue
		}
		if time.Since(begin) > maxTurn {
			l.s.log.Warn("another instance has events that it does not send, and is not given up: what follows here may overtake them", "lane", tails[0].lane, "batches", left)
			return nil
		}
		if err := l.keep(ctx); err != nil { // or what waits here would be adopted
			return err
		}
		if !sleep(ctx, turnPoll) {
			return context.Cause(ctx)
		}
	}
	return nil
}
