package store

import (
	"context"
	"fmt"
	"time"

	"github.com/tutti-go/tutti/event"
)

// Gap is where messages of a lane are missing in a partition. What follows them there
// was read, and left out.
type Gap struct {
	event.Partition
	Lane string
	// Last is the number before those that are missing, and Seq the number after them,
	// found at Offset.
	Last, Seq, Offset int64
	Since             time.Time
}

const gapColumns = `topic, part, lane, last, seq, pos, since`

func scanGap(r Rows) (Gap, error) {
	var g Gap
	var since int64
	err := r.Scan(&g.Topic, &g.Number, &g.Lane, &g.Last, &g.Seq, &g.Offset, &since)
	g.Since = fromMillis(since)
	return g, err
}

// Gaps returns all gaps that are open.
func (s *Store) Gaps(ctx context.Context) ([]Gap, error) {
	gaps, err := Collect(ctx, s.Reader(), scanGap, `SELECT `+gapColumns+` FROM tutti_gap ORDER BY topic, part, lane`)
	if err != nil {
		return nil, fmt.Errorf("read gaps: %w", err)
	}
	return gaps, nil
}

// GapsIn returns the gaps that are open in a partition, by lane.
func (s *Store) GapsIn(ctx context.Context, p event.Partition) (map[string]Gap, error) {
	gaps, err := Collect(ctx, s.Reader(), scanGap, `SELECT `+gapColumns+` FROM tutti_gap WHERE topic = $1 AND part = $2`, p.Topic, p.Number)
	if err != nil {
		return nil, fmt.Errorf("read gaps in %s: %w", p, err)
	}
	out := map[string]Gap{}
	for _, g := range gaps {
		out[g.Lane] = g
	}
	return out, nil
}

// storeGaps stores which gaps were closed and which were opened.
func (tx *Tx) storeGaps(ctx context.Context, b Books) error {
	for _, g := range b.Closed {
		if err := tx.closeGap(ctx, g); err != nil {
			return err
		}
	}
	for _, g := range b.Opened {
		if err := tx.Exec(ctx, `INSERT INTO tutti_gap (`+gapColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (topic, part, lane) DO UPDATE SET last = excluded.last, seq = excluded.seq, pos = excluded.pos, since = excluded.since`,
			g.Topic, g.Number, plain(g.Lane), g.Last, g.Seq, g.Offset, millis(g.Since)); err != nil {
			return fmt.Errorf("note what is missing in %s: %w", g.Partition, err)
		}
	}
	return nil
}

func (tx *Tx) closeGap(ctx context.Context, g Gap) error {
	if err := tx.Exec(ctx, `DELETE FROM tutti_gap WHERE topic = $1 AND part = $2 AND lane = $3`, g.Topic, g.Number, plain(g.Lane)); err != nil {
		return fmt.Errorf("note what was found in %s: %w", g.Partition, err)
	}
	return nil
}

// GoBack makes a partition continue behind a gap, and does without what is missing
// there. Of other lanes nothing is handled twice: their numbers stay. It returns where
// the partition continues. Where the log begins later by now, at logStart, the lane's
// numbering continues with what is found there.
func (tx *Tx) GoBack(ctx context.Context, g Gap, logStart int64) (int64, error) {
	if g.Offset < logStart {
		g.Offset = logStart
		if err := tx.Overlook(ctx, g); err != nil {
			return 0, err
		}
	} else if err := tx.see(ctx, []Seen{{g.Partition, g.Lane, g.Seq - 1}}); err != nil {
		return 0, err
	}
	if err := tx.closeGap(ctx, g); err != nil {
		return 0, err
	}
	if err := tx.Exec(ctx, `UPDATE tutti_position SET next = $1 WHERE topic = $2 AND part = $3 AND next > $1`, g.Offset, g.Topic, g.Number); err != nil {
		return 0, fmt.Errorf("go back in %s: %w", g.Partition, err)
	}
	return g.Offset, nil
}

// Overlook makes the numbering of a gap's lane continue with what comes next, and
// leaves out what is missing and what followed it.
func (tx *Tx) Overlook(ctx context.Context, g Gap) error {
	if err := tx.Exec(ctx, `DELETE FROM tutti_seen WHERE topic = $1 AND part = $2 AND lane = $3`, g.Topic, g.Number, plain(g.Lane)); err != nil {
		return fmt.Errorf("overlook what is missing in %s: %w", g.Partition, err)
	}
	if err := tx.Exec(ctx, `UPDATE tutti_position SET origin = -1 WHERE topic = $1 AND part = $2`, g.Topic, g.Number); err != nil {
		return fmt.Errorf("overlook what is missing in %s: %w", g.Partition, err)
	}
	return tx.closeGap(ctx, g)
}
