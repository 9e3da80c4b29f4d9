package service

import (
	"context"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/store"
)

const (
	maxTurn  = 4 * store.LeaseTime // how long an instance waits for another that sends nothing
	turnPoll = 100 * time.Millisecond
)

// turn is what other instances have committed and not sent. The last holder of a
// partition may have published events that are not sent yet; those that this instance
// is going to publish of the same keys must not overtake them.
type turn struct {
	tails    []tail
	left     int       // batches of the first of them
	since    time.Time // when that went down
	disowned bool      // the first of them was taken from its holder
}

// tail is the last batch in the outbox of a lane.
type tail struct{ lane, batch int64 }

// meet reads, where several instances share a database, the state of the partitions
// that this instance has taken over, and holds records back until Kafka has what the
// others have committed so far; the rest goes on. If another moves a position after
// that, the transaction fails, and meet is called again.
func (l *loop) meet(ctx context.Context, in *inputs) error {
	if !l.db.Load().Shared() || !l.s.cfg.guards.turns {
		return nil
	}
	if err := l.greet(ctx, in); err != nil {
		return err
	}
	if l.turn == nil || len(in.deliveries)+len(in.parked) == 0 {
		return nil
	}
	come, err := l.turnCome(ctx)
	if come || err != nil {
		return err
	}
	if err := l.keep(ctx); err != nil { // or what waits here would be adopted
		return err
	}
	if sent := l.relay.landed(); sent > l.swept() { // or the other, who waits for this one, would wait for good
		if err := l.db.Load().Sweep(ctx, sent); err != nil {
			return err
		}
	}
	in.postpone(inputs{deliveries: in.deliveries})
	in.deliveries = nil
	if in.parked != nil { // they are in the table
		in.parked = nil
		l.next = earlier(l.next, l.now().Add(turnPoll))
	}
	if in.empty() && !sleep(ctx, turnPoll) {
		return context.Cause(ctx)
	}
	return nil
}

// greet reads the state of partitions that are not known yet, and then what is to be
// sent before theirs.
func (l *loop) greet(ctx context.Context, in *inputs) (err error) {
	var met []event.Partition
	defer func() {
		if err != nil {
			for _, p := range met {
				delete(l.partitions, p)
			}
		}
	}()
	know := func(p event.Partition) error {
		if _, known := l.partitions[p]; known {
			return nil
		}
		met = append(met, p)
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
	if len(met) == 0 {
		return nil
	}
	tails, err := store.Collect(ctx, l.db.Load().Reader(), func(r store.Rows) (t tail, err error) { return t, r.Scan(&t.lane, &t.batch) },
		`SELECT lane, MAX(batch) FROM tutti_outbox WHERE lane <> $1 GROUP BY lane`, l.lane)
	if err == nil {
		l.turn = &turn{tails: tails, since: time.Now()}
	}
	return err
}

// turnCome reports whether what others had to send is sent.
func (l *loop) turnCome(ctx context.Context) (bool, error) {
	for t := l.turn; len(t.tails) > 0; t.next() {
		tail := t.tails[0]
		var left int
		if err := l.db.Load().Reader().QueryRow(ctx, `SELECT COUNT(*) FROM tutti_outbox WHERE lane = $1 AND batch <= $2`, tail.lane, tail.batch).Scan(&left); err != nil {
			return false, err
		}
		if left == 0 {
			continue
		}
		if left != t.left {
			t.left, t.since = left, time.Now()
		}
		if t.disowned || time.Since(t.since) <= maxTurn {
			return false, nil
		}
		l.s.log.Warn("another instance lives, and does not send its events, for which this one waits: it is given up, and they are sent by those that adopt them",
			"lane", tail.lane, "batches", left)
		if err := l.db.Load().Disown(ctx, tail.lane, tail.batch); err != nil {
			return false, err
		}
		t.disowned = true
		return false, nil
	}
	l.turn = nil
	return true, nil
}

// next goes on to the next lane.
func (t *turn) next() { *t = turn{tails: t.tails[1:], since: time.Now()} }

// owned says which parked records are to be retried here: events of their keys come
// from one instance.
func (l *loop) owned() *store.Owned {
	if !l.db.Load().Shared() {
		return nil
	}
	o := &store.Owned{Read: l.s.subscribed()}
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.assigned {
		o.Partitions = append(o.Partitions, p)
	}
	return o
}
