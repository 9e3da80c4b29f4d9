package saga

import (
	"fmt"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/bulk"
)

// save stores what has changed, and what memory holds after the commit.
func (w *work) save() error {
	var stopped []string
	var all saving
	for _, in := range w.changed {
		if err := w.arm(in, &stopped); err != nil {
			return err
		}
		doc, err := w.encode(in)
		if err == nil {
			err = w.write(in, doc, &all)
		}
		if err != nil {
			return fmt.Errorf("store saga %s %s: %w", in.saga, in.id, err)
		}
	}
	if err := w.writeAll(&all); err != nil {
		return fmt.Errorf("store %d instances of sagas: %w", len(w.changed), err)
	}
	if err := w.tx.DropJobs(w.ctx, timer{}.JobType(), stopped); err != nil {
		return err
	}
	if len(w.changed) > 0 {
		if err := w.rest(); err != nil {
			return err
		}
	}
	for _, in := range w.changed {
		in.revision++
		in.dirty, in.over, in.kept = false, in.status.over(), len(in.history)
		in.was, in.stood, in.gave, in.version = in.armed, in.status, in.reason, in.plan.version
	}
	if changed := w.changed; len(changed) > 0 {
		w.tx.AfterCommit(func() { w.e.cache.put(changed) })
	}
	return nil
}

const (
	maxDocument = 512 << 10 // bytes
	pageSize    = 16 << 10  // bytes of history that a row holds
)

func (w *work) encode(in *instance) (string, error) {
	if in.kept > pageSize && !in.over {
		if err := w.turnPage(in); err != nil {
			return "", err
		}
	}
	doc, err := in.encode()
	if err == nil && len(doc) > maxDocument {
		err = event.Reject(fmt.Errorf("its state is %d bytes long, want at most %d", len(doc), maxDocument))
	}
	return string(doc), err
}

// saving is what most of a transaction does to instances, to be stored in bulk: some
// begin, some get on, some end.
type saving struct{ begun, moved, gone, ended []saved }

type saved struct {
	*instance
	doc string
}

// write stores an instance where it belongs, now or with all.
func (w *work) write(in *instance, doc string, all *saving) error {
	it := saved{in, doc}
	switch over := in.status.over(); {
	case in.over && in.status == in.stood: // something came late
		return w.tx.Exec(w.ctx, `UPDATE saga_done SET history = history || $1 WHERE n = $2 AND LENGTH(history) < $3`, it.added(), in.n, maxStrays)
	case in.over && !over: // taken back
		if err := w.tx.Expect(w.ctx, 1, errMoved, `DELETE FROM saga_done WHERE n = $1 AND revision = $2`, in.n, in.revision); err != nil {
			return err
		}
		in.n = w.e.number(w.now)
		all.begun = append(all.begun, it)
		return nil
	case in.over:
		return w.tx.Expect(w.ctx, 1, errMoved, `UPDATE saga_done SET version = $9, revision = $1, status = $2, changed = $3, reason = $4, doc = $5, history = $6
			WHERE n = $7 AND revision = $8`, in.revision+1, in.status, in.changed, in.reason, doc, string(in.history), in.n, in.revision, in.plan.version)
	case over:
		if in.revision > 0 {
			all.gone = append(all.gone, it)
		}
		all.ended = append(all.ended, it)
		return nil
	case in.revision == 0:
		all.begun = append(all.begun, it)
		return nil
	case in.stood == in.status && in.gave == in.reason && in.was == in.armed && in.version == in.plan.version && in.kept > 0 && !in.Back:
		all.moved = append(all.moved, it)
		return nil
	}
	return w.tx.Expect(w.ctx, 1, errMoved, `UPDATE saga_live SET version = $1, revision = revision + 1, since = CASE WHEN status = $2 THEN since ELSE $3 END, status = $2,
		changed = $3, armed = $4, reason = $5, doc = $6, history = $7, alarm = $10 WHERE n = $8 AND revision = $9`,
		in.plan.version, in.status, in.changed, in.armed.at, in.reason, doc, string(in.history), in.n, in.revision, in.armed.alarm)
}

// added is what the history has more than what is stored.
func (s saved) added() string { return string(s.history[s.kept:]) }

// writeAll stores instances in bulk, provided that they are as they were read.
func (w *work) writeAll(all *saving) error {
	for _, part := range []struct {
		of []saved
		by form
	}{{all.begun, insertLive}, {all.moved, updateLive}, {all.gone, deleteLive}, {all.ended, insertDone}} {
		if err := w.bulk(part.of, part.by); err != nil {
			return err
		}
	}
	return nil
}

// form is a statement for several instances.
type form struct {
	text func(rows int) string
	args func(s *saved) []any
}

var (
	insertLive = form{func(n int) string {
		return `INSERT INTO saga_live (n, saga, id, version, revision, status, started, changed, since, armed, alarm, reason, doc, history)
			VALUES ` + bulk.Values(n, "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?") + ` ON CONFLICT DO NOTHING`
	}, func(s *saved) []any {
		return []any{s.n, s.saga, s.id, s.plan.version, s.revision + 1, s.status, s.started, s.changed, s.changed, s.armed.at, s.armed.alarm, s.reason, s.doc, string(s.history)}
	}}
	updateLive = form{func(n int) string {
		return `UPDATE saga_live SET revision = revision + 1, changed = v.column3, doc = v.column4, history = history || v.column5
			FROM (VALUES ` + bulk.Values(n, "CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS TEXT), CAST(? AS TEXT)") + `) v
			WHERE n = v.column1 AND revision = v.column2`
	}, func(s *saved) []any { return []any{s.n, s.revision, s.changed, s.doc, s.added()} }}
	deleteLive = form{func(n int) string {
		return `DELETE FROM saga_live WHERE n IN (` + bulk.Column(n, 2, 1) + `) AND (n, revision) IN (VALUES ` +
			bulk.Values(n, "CAST(? AS BIGINT), CAST(? AS BIGINT)") + `)`
	}, func(s *saved) []any { return []any{s.n, s.revision} }}
	insertDone = form{func(n int) string {
		return `INSERT INTO saga_done (saga, id, version, revision, status, started, changed, reason, doc, history, parent_saga, parent_id)
			VALUES ` + bulk.Values(n, "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?")
	}, func(s *saved) []any {
		var up parent
		if s.Parent != nil {
			up = *s.Parent
		}
		return []any{s.saga, s.id, s.plan.version, s.revision + 1, s.status, s.started, s.changed, s.reason, s.doc, string(s.history), up.Saga, up.ID}
	}}
)

func (w *work) bulk(all []saved, by form) error {
	for piece := range bulk.Chunks(all) {
		var args []any
		for i := range piece {
			args = append(args, by.args(&piece[i])...)
		}
		if err := w.tx.Expect(w.ctx, len(piece), errMoved, by.text(len(piece)), args...); err != nil {
			return err
		}
	}
	return nil
}
