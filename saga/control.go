package saga

import (
	"context"
	"strings"
	"time"
	"unicode"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/store"
)

// Action is what a person wants of an instance.
type Action struct {
	Saga string
	ID   string
	// By is who wants it, and Note why: they go into the history.
	By, Note string
	// Revision, if it is not 0, is the instance as it was seen: one that has changed
	// since is left alone.
	Revision int64
}

// Cancel has a running instance compensated.
func (e *Engine) Cancel(ctx context.Context, tx *store.Tx, a Action) error {
	return e.control(ctx, tx, a, func(r run) error {
		switch {
		case r.Pivot:
			return problem.Conflict("it is past the point of no return: what is left can only succeed")
		case r.Back:
			return problem.Conflict("it is being compensated already")
		}
		if r.reason = "cancelled"; a.Note != "" {
			r.reason = clip(a.Note)
		}
		r.note(a.line("cancelled", ""))
		r.turnBack()
		return nil
	})
}

// Retry has an instance that is stuck try again what it is stuck in: one part, or all
// if part is empty.
func (e *Engine) Retry(ctx context.Context, tx *store.Tx, a Action, part string) error {
	return e.control(ctx, tx, a, func(r run) error {
		return r.each(part, func(m *mark) bool { return m.Is == stuck }, "stuck", func(n *node, m *mark) (err error) {
			if n.kind == fail || n.kind == sub && !r.Back || r.Back && n.final() {
				return problem.Conflict("%s cannot be tried again: skip it, once it is seen to", m.Path)
			}
			r.note(a.line("retried", m.Path))
			m.Tries = 0
			switch {
			case n.kind == wait:
				r.set(m, waiting)
				r.limit(m, n.within)
				_, err = r.recall(n, m.Path) // it may have come since
			case n.kind == decision:
				r.set(m, waiting)
				r.limit(m, n.within)
			case n.kind == sub || n.kind == loop:
				r.set(m, waiting)
			case r.Back && n.undo == nil: // a newer version has nothing to undo there
			case r.Back:
				_, err = r.askBack(n, m)
			default:
				_, err = r.ask(n, m)
			}
			return err
		})
	})
}

// Skip has an instance go on as if a part that it waits for or is stuck in were done,
// or undone: because a person has seen to it. A decision is made by [Engine.Decide], and
// the parts of a saga within are skipped there.
func (e *Engine) Skip(ctx context.Context, tx *store.Tx, a Action, part string) error {
	if part == "" {
		return problem.BadRequest("say which part to skip")
	}
	return e.control(ctx, tx, a, func(r run) error {
		if m := r.mark(part); m != nil && m.Is == waiting && r.plan.is(decision, part) {
			return problem.Conflict("%q is a decision: decide it, by %s", clip(part), join(r.plan.nodes[nameOf(part)].choices(), "or"))
		}
		open := func(m *mark) bool {
			switch m.Is {
			case stuck, sent, pausing, undoing, resting:
				return true
			}
			return m.Is == waiting && (r.plan.is(wait, m.Path) || r.plan.is(sleep, m.Path))
		}
		return r.each(part, open, "open", func(n *node, m *mark) error {
			r.note(a.line("skipped", m.Path))
			if r.Back {
				r.set(m, settled)
			} else {
				r.complete(n, m)
				m.Is = skipped
			}
			return nil
		})
	})
}

// Decide takes a person's decision. part may be empty if only one is asked for.
func (e *Engine) Decide(ctx context.Context, tx *store.Tx, a Action, part, choice string) error {
	return e.control(ctx, tx, a, func(r run) error {
		asked := func(m *mark) bool { return m.Is == waiting && r.plan.is(decision, m.Path) }
		n := 0
		for i := range r.Marks {
			if asked(&r.Marks[i]) {
				n++
			}
		}
		if part == "" && n > 1 {
			return problem.BadRequest("%d decisions are asked for: say which part", n)
		}
		return r.each(part, asked, "asked for a decision", func(n *node, m *mark) error {
			return r.decide(n, m, Decision{Option: choice, By: a.By, Note: clip(a.Note), At: timeOf(r.w.now)})
		})
	})
}

func (r run) decide(n *node, m *mark, d Decision) error {
	var names []string
	for _, opt := range n.options {
		names = append(names, opt.name)
		if opt.name != d.Option {
			continue
		}
		opt.apply(r.State, d)
		r.note(line{Did: "decided", Part: m.Path, Note: d.Option + " " + said(d.By, d.Note)})
		if !opt.refuses {
			r.complete(n, m)
			return nil
		}
		why := n.name + ": " + opt.name
		if d.Note != "" {
			why += ": " + d.Note
		}
		r.giveUp(m, why)
		return nil
	}
	return problem.BadRequest("%q is no option of %s, want one of %s", clip(d.Option), n.name, strings.Join(names, ", "))
}

// each does something with one part of an instance, or with all that fit.
func (r run) each(part string, fits func(*mark) bool, what string, do func(*node, *mark) error) error {
	found := false
	for i := 0; i < len(r.Marks); i++ {
		m := &r.Marks[i]
		n := r.plan.nodes[nameOf(m.Path)]
		if n == nil || part != "" && m.Path != part || !fits(m) {
			continue
		}
		found = true
		if err := do(n, m); err != nil {
			return err
		}
	}
	switch {
	case found:
		return nil
	case part == "":
		return problem.Conflict("nothing of it is %s", what)
	}
	return problem.Conflict("%q is not %s", clip(part), what)
}

// control does what a person wants of an instance, and takes it on from there.
func (e *Engine) control(ctx context.Context, tx *store.Tx, a Action, do func(run) error) error {
	if e.current[a.Saga] == nil {
		return problem.NotFound("there is no saga %q here: there are %s", clip(a.Saga), e.names())
	}
	w, k := e.work(ctx, tx), key{a.Saga, a.ID}
	e.cache.take(k) // a person sees what is stored
	in, err := w.get(k)
	switch {
	case err != nil:
		return err
	case in == nil:
		return problem.NotFound("saga %s has no instance %q", a.Saga, clip(a.ID))
	case in.status.over():
		return problem.Conflict("saga %s %s is %s", a.Saga, a.ID, in.status)
	case a.Revision != 0 && a.Revision != in.revision:
		return problem.Conflict("saga %s %s has changed since it was looked at", a.Saga, a.ID)
	}
	tx.Handling(event.Cause(in.Cause))
	r := w.run(in)
	if err := do(r); err != nil {
		return err
	}
	if err := r.advance(); err != nil {
		return err
	}
	return w.finish()
}

func (a Action) line(did, part string) line {
	return line{Did: did, Part: part, Note: said(a.By, a.Note)}
}

// said is who wanted something and why, for the history: "by ada: she is ill".
func said(by, note string) string {
	text := "by " + someone(by)
	if note = strings.TrimSpace(clip(note)); note != "" {
		text += ": " + note
	}
	return text
}

func someone(by string) string {
	if by == "" {
		return "somebody"
	}
	return clip(by)
}

// printable leaves out what would not be text in a log or a database.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

// sweep removes instances that are over and older than the retention, and events that
// were kept for instances that did not start; a few at a time, beside the rest.
func (e *Engine) sweep(ctx context.Context) error {
	select {
	case <-e.s.Ready():
	case <-ctx.Done():
		return nil
	}
	for {
		n, err := e.sweepOnce(ctx)
		if err != nil && ctx.Err() == nil {
			e.s.Logger().Warn("remove sagas that are over", "error", err)
		}
		pause := time.Hour
		if e.cfg.Retention > 0 {
			pause = min(pause, max(e.cfg.Retention/60, time.Second))
		}
		if n == sweepMost {
			pause = 100 * time.Millisecond
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

const (
	sweepMost = 500 // instances in one transaction
	// forsaken are instances that no other may have to compensate: they go once the one
	// whose part they were has gone.
	forsaken = `(parent_id = '' OR NOT EXISTS (SELECT 1 FROM saga_live l WHERE l.saga = saga_done.parent_saga AND l.id = saga_done.parent_id)
		AND NOT EXISTS (SELECT 1 FROM saga_done p WHERE p.saga = saga_done.parent_saga AND p.id = saga_done.parent_id))`
)

// sweepOnce returns how many instances it has removed. They lie in the order in which
// they ended, so it looks at no others.
func (e *Engine) sweepOnce(ctx context.Context) (int, error) {
	var last, n, ahead, cutoff int64
	now := time.Now()
	early, soon := now.Add(-e.cfg.Early).UnixMilli(), now.Add(time.Hour).UnixMilli()
	var stale int
	if err := e.s.Read().QueryRow(ctx, `SELECT COUNT(*) FROM saga_early WHERE at < $1`, early).Scan(&stale); err != nil {
		return 0, err
	}
	if e.cfg.Retention > 0 {
		cutoff = now.Add(-e.cfg.Retention).UnixMilli()
		err := e.s.Read().QueryRow(ctx, `SELECT COALESCE(MAX(n), 0), COUNT(CASE WHEN changed < $2 THEN n END), COUNT(CASE WHEN changed > $3 THEN n END)
			FROM (SELECT n, changed FROM saga_done WHERE `+forsaken+` ORDER BY n LIMIT $1) AS oldest WHERE changed < $2 OR changed > $3`,
			sweepMost, cutoff, soon).Scan(&last, &n, &ahead)
		if err != nil {
			return 0, err
		}
	}
	if n == 0 && stale == 0 && ahead == 0 {
		return 0, nil
	}
	return int(n), e.s.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		for _, q := range []struct {
			text string
			args []any
		}{
			{`DELETE FROM saga_page WHERE (saga, id) IN (SELECT saga, id FROM saga_done WHERE n <= $1 AND changed < $2 AND ` + forsaken + `)`, []any{last, cutoff}},
			{`DELETE FROM saga_done WHERE n <= $1 AND changed < $2 AND ` + forsaken, []any{last, cutoff}},
			{`DELETE FROM saga_early WHERE at < $1`, []any{early}},
			// These ended while a clock was ahead. Nothing after them would ever be looked at.
			{`UPDATE saga_done SET changed = $1 WHERE n <= $2 AND changed > $3`, []any{now.UnixMilli(), last, soon}},
		} {
			if err := tx.Exec(ctx, q.text, q.args...); err != nil {
				return err
			}
		}
		return nil
	})
}
