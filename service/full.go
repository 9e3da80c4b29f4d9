package service

import (
	"context"
	"fmt"
	"time"

	"github.com/tutti-go/tutti/store"
)

// fullness is how much is parked, where it is too much to read more.
type fullness struct {
	parked, keys int
	size         int64
	dead         int
}

const recountEvery = time.Second // or longer, where it takes long

// full reports whether so much is parked that no more may be read. It says so when
// that begins and when it ends.
func (l *loop) full(ctx context.Context) bool {
	if !l.tooMuch() {
		l.unstall()
		return false
	}
	if begin := time.Now(); !begin.Before(l.recounts) {
		if err := l.recount(ctx); err != nil {
			l.s.log.Error("count parked records", "error", err)
		}
		l.recounts = time.Now().Add(max(recountEvery, 20*time.Since(begin)))
	}
	if !l.tooMuch() {
		l.unstall()
		return false
	}
	return true
}

func (l *loop) tooMuch() bool {
	keys, size := l.keptParked()
	c := &l.s.cfg
	return l.parked >= c.Parked || keys >= c.ParkedKeys || size >= int64(c.ParkedBytes)
}

func (l *loop) unstall() {
	if l.stalled.Swap(nil) != nil {
		l.s.log.Info("reading records again: there is room for parked ones", "parked", l.parked)
	}
}

// recount reads how much is parked: other instances may have handled some, and a
// person may have discarded them there.
func (l *loop) recount(ctx context.Context) error {
	db := l.db.Load()
	for p, part := range l.partitions {
		keys, size, err := db.ParkedKeys(ctx, p)
		if err != nil {
			return err
		}
		part.parked, part.size = keys, size
	}
	l.countParked()
	if !l.tooMuch() {
		return nil
	}
	counts, err := db.CountParked(ctx)
	if err != nil {
		return err
	}
	f := &fullness{parked: l.parked, dead: counts[store.StateDead]}
	f.keys, f.size = l.keptParked()
	if l.stalled.Swap(f) == nil {
		l.s.log.Error("no more records are read: " + f.String(l.s))
	}
	return nil
}

// String says what is wrong and what to do, for an operator.
func (f *fullness) String(s *Service) string {
	what := fmt.Sprintf("%d records are parked and the limit is %d (Config.Parked)", f.parked, s.cfg.Parked)
	switch {
	case f.parked >= s.cfg.Parked:
	case f.keys >= s.cfg.ParkedKeys:
		what = fmt.Sprintf("records of %d keys are parked and the limit is %d (Config.ParkedKeys)", f.keys, s.cfg.ParkedKeys)
	default:
		what = fmt.Sprintf("records of %d bytes are parked and the limit is %d (Config.ParkedBytes)", f.size, s.cfg.ParkedBytes)
	}
	return fmt.Sprintf("%s, so the service reads no more from Kafka; %d of them are dead letters, "+
		"which wait for you: mend the cause and redrive them, or discard them (tutti deadletters list --service %s)", what, f.dead, s.name)
}
