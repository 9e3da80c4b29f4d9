package service

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/store"
)

// What is missing in a lane. What follows it is left out: its sender sends all of it
// again, in order. Until that has come, the gap is a row in the database, so that
// nothing is left out silently, and nothing for ever unless a person wants it so.

// gapPatience is how long something may be missing before the service is not ready.
const gapPatience = time.Minute

// miss notes that a record is left out because one before it is missing.
func (g *progress) miss(d *delivery, now time.Time) {
	lane := d.env.Lane
	if _, open := g.opened[lane]; open {
		return
	}
	if _, open := g.gaps[lane]; open && !g.closed[lane] {
		return
	}
	if g.opened == nil {
		g.opened = map[string]store.Gap{}
	}
	last, known := g.lanes[lane]
	if !known {
		last = g.seen[lane]
	}
	g.opened[lane] = store.Gap{Partition: d.Partition, Lane: lane, Last: last, Seq: d.env.Seq, Offset: d.Offset, Since: now}
}

// find notes that the next record of a lane has come.
func (g *progress) find(lane string) {
	delete(g.opened, lane)
	if _, open := g.gaps[lane]; open {
		if g.closed == nil {
			g.closed = map[string]bool{}
		}
		g.closed[lane] = true
	}
}

// gapsOf returns the gaps as of this transaction.
func (g *progress) gapsOf() map[string]store.Gap {
	if len(g.opened)+len(g.closed) == 0 {
		return g.gaps
	}
	gaps := maps.Clone(g.gaps)
	for lane := range g.closed {
		delete(gaps, lane)
	}
	maps.Copy(gaps, g.opened)
	return gaps
}

// noticeGap says once for each lane and partition that something is missing.
func (l *loop) noticeGap(d *delivery) {
	id := d.env.Lane + " " + d.String()
	if l.gaps[id] {
		return
	}
	l.gaps[id] = true
	l.s.log.Warn("an event is missing before this one; its sender will send both again", "at", d.env.Position(), "lane", d.env.Lane, "seq", d.env.Seq)
}

// missing lists what has been missing for too long in the partitions of this instance.
func (l *loop) missing() []store.Gap {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []store.Gap
	for p, gaps := range l.open {
		if !l.assigned[p] {
			continue
		}
		for _, g := range gaps {
			if time.Since(g.Since) >= gapPatience {
				out = append(out, g)
			}
		}
	}
	slices.SortFunc(out, func(a, b store.Gap) int { return a.Since.Compare(b.Since) })
	return out
}

// complain says in the log what has been missing for too long, once. said holds what was
// said before.
func (l *loop) complain(said map[store.Gap]bool) {
	for _, g := range l.missing() {
		if !said[g] {
			said[g] = true
			l.s.log.Error(missingFor(g))
		}
	}
}

// missingFor says what is missing and what to do, for an operator.
func missingFor(g store.Gap) string {
	return fmt.Sprintf("%s: %s of lane %s have been missing for %v. What follows them in this lane is left out, from offset %d on, until they come: "+
		"its service sends all of it again once it runs and reaches Kafka. If the log has lost them, and that service cannot send them again, stop this one, "+
		"and start it once with recovery %q (go back to offset %d, and do without what is missing) or %q (do without what followed it, too)",
		g.Partition, theNumbers(g), g.Lane, time.Since(g.Since).Truncate(time.Second), g.Offset, Rewind, g.Offset, Skip)
}

func theNumbers(g store.Gap) string { return fmt.Sprintf("the events %d to %d", g.Last+1, g.Seq-1) }

// overGaps goes on where something is missing, as Config.Recover says. It notes where
// partitions go back to.
func (s *Service) overGaps(ctx context.Context, tx *store.Tx, gaps []store.Gap, starts func(event.Partition) int64, back map[event.Partition]int64) error {
	for _, g := range gaps {
		if s.cfg.Recover == Skip {
			if err := tx.Overlook(ctx, g); err != nil {
				return err
			}
			continue
		}
		next, err := tx.GoBack(ctx, g, starts(g.Partition))
		if err != nil {
			return err
		}
		if at, ok := back[g.Partition]; !ok || next < at {
			back[g.Partition] = next
		}
	}
	return nil
}
