package service

import (
	"context"
	"fmt"
	"time"

	"github.com/tutti-go/tutti/store"
)

// fullness is how many records are parked, where they are too many to read more.
type fullness struct{ parked, dead int }

const recountEvery = time.Second

// full reports whether so many records are parked that no more may be read. It says
// so when that begins and when it ends.
func (l *loop) full(ctx context.Context) bool {
	if l.parked >= l.s.cfg.Parked && time.Since(l.counted) >= recountEvery {
		l.counted = time.Now()
		if err := l.recount(ctx); err != nil {
			l.s.log.Error("count parked records", "error", err)
		}
	}
	if l.parked < l.s.cfg.Parked {
		if l.stalled.Swap(nil) != nil {
			l.s.log.Info("reading records again: there is room for parked ones", "parked", l.parked)
		}
		return false
	}
	return true
}

// recount reads how many records are parked: other instances may have handled some,
// and a person may have discarded them there.
func (l *loop) recount(ctx context.Context) error {
	db := l.db.Load()
	for p, part := range l.partitions {
		keys, err := db.ParkedKeys(ctx, p)
		if err != nil {
			return err
		}
		part.parked = keys
	}
	l.countParked()
	if l.parked < l.s.cfg.Parked {
		return nil
	}
	counts, err := db.CountParked(ctx)
	if err != nil {
		return err
	}
	f := &fullness{parked: l.parked, dead: counts[store.StateDead]}
	if l.stalled.Swap(f) == nil {
		l.s.log.Error("no more records are read: " + f.String(l.s))
	}
	return nil
}

// String says what is wrong and what to do, for an operator.
func (f *fullness) String(s *Service) string {
	return fmt.Sprintf("%d records are parked and the limit is %d (Config.Parked), so the service reads no more from Kafka; %d of them are dead letters, "+
		"which wait for you: mend the cause and redrive them, or discard them (tutti deadletters list --service %s)", f.parked, s.cfg.Parked, f.dead, s.name)
}
