package saga

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/tutti-go/tutti/event"
)

// run takes one instance on, within a transaction.
type run struct {
	*instance
	w *work
}

func (w *work) run(in *instance) run { return run{in, w} }

// outcome is where a part of an instance stands.
type outcome uint8

const (
	waits outcome = iota
	ready         // it is done, or undone
	broken
)

// note writes a line of history.
func (r run) note(l line) {
	at := r.w.now
	if len(r.history) > 0 && !r.over { // of those that are over, the time of the last line is not known
		at -= r.changed
	}
	r.history = l.write(r.history, at, r.event)
	r.changed = r.w.now
	if l.Event != "" {
		r.event = l.Event
	}
	r.w.touch(r.instance)
}

// add makes a new mark. Marks found before may have moved.
func (r run) add(path string, is phase) *mark {
	r.Marks = append(r.Marks, mark{Path: path, Is: is, Since: r.w.now})
	r.w.touch(r.instance)
	return &r.Marks[len(r.Marks)-1]
}

// set moves a mark on.
func (r run) set(m *mark, is phase) {
	m.Is, m.Since, m.Due = is, r.w.now, 0
	r.w.touch(r.instance)
}

// limit sets when something is to be done about a mark.
func (r run) limit(m *mark, within time.Duration) {
	if m.Due = 0; within > 0 {
		m.Due = r.w.now + max(within.Milliseconds(), 1)
	}
}

// advance takes the instance on as far as it goes: forward, or back once a part has
// failed.
func (r run) advance() error {
	for !r.status.over() {
		walk, end := r.forward, Completed
		if r.Back {
			walk, end = r.backward, Compensated
		}
		at, err := walk(r.plan.root, "")
		if err != nil {
			return err
		}
		switch at {
		case broken:
			r.turnBack()
			continue
		case ready:
			r.end(end)
			return nil
		}
		r.status = r.standing()
		return nil
	}
	return nil
}

func (r run) end(as Status) {
	r.status = as
	r.Signals = nil
	if as == Completed {
		r.reason = "" // of what stood still on the way
	}
	r.note(line{Did: string(as), Note: r.reason})
	r.w.ended = append(r.w.ended, r.instance)
}

// standing is the status of an instance that is not over.
func (r run) standing() Status {
	status := Running
	if r.Back {
		status = Compensating
	}
	for i := range r.Marks {
		switch m := &r.Marks[i]; m.Is {
		case stuck:
			return Stuck
		case waiting:
			if r.plan.is(decision, m.Path) {
				status = Deciding
			}
		}
	}
	return status
}

// forward takes a part of the plan on.
func (r run) forward(n *node, loops string) (outcome, error) {
	switch n.kind {
	case sequence:
		for _, c := range n.children {
			if at, err := r.forward(c, loops); at != ready || err != nil {
				return at, err
			}
		}
		return ready, nil
	case parallel:
		return r.sideBySide(n, loops)
	case choice:
		return r.choose(n, loops)
	case loop:
		return r.repeat(n, loops)
	}
	m := r.mark(n.name + loops)
	if m == nil {
		at, err := r.enter(n, n.name+loops)
		if at != broken || err != nil {
			return at, err
		}
		m = r.mark(n.name + loops)
	}
	switch m.Is {
	case done, skipped:
		return ready, nil
	case failed, unknown:
		if r.Pivot {
			r.standStill(m, m.Note)
			return waits, nil
		}
		return broken, nil
	}
	return waits, nil
}

// sideBySide takes all branches on.
func (r run) sideBySide(n *node, loops string) (outcome, error) {
	all := ready
	for _, c := range n.children {
		at, err := r.forward(c, loops)
		switch {
		case err != nil || at == broken:
			return at, err
		case at == waits:
			all = waits
		}
	}
	return all, nil
}

// choose looks at a condition once.
func (r run) choose(n *node, loops string) (outcome, error) {
	m := r.mark(n.name + loops)
	if m == nil {
		m = r.add(n.name+loops, done)
		if m.Pick = 1; !n.when(r.State) {
			m.Pick = 2
		}
	}
	if m.Pick > len(n.children) {
		return ready, nil
	}
	return r.forward(n.children[m.Pick-1], loops)
}

// repeat runs a body as long as its condition holds.
func (r run) repeat(n *node, loops string) (outcome, error) {
	path := n.name + loops
	if r.mark(path) == nil {
		r.add(path, waiting)
	}
	for {
		m := r.mark(path)
		switch m.Is {
		case done, skipped:
			return ready, nil
		case stuck:
			return waits, nil
		}
		if m.Pick > 0 {
			if at, err := r.forward(n.children[0], iteration(loops, m.Pick)); at != ready || err != nil {
				return at, err
			}
			m = r.mark(path)
		}
		if !n.when(r.State) {
			r.set(m, done)
			return ready, nil
		}
		if m.Pick == n.most {
			why := fmt.Sprintf("%s: after %d iterations there is still more to do", n.name, n.most)
			if r.Pivot {
				r.standStill(m, why)
				return waits, nil
			}
			r.giveUp(m, why)
			return broken, nil
		}
		m.Pick++
	}
}

func iteration(loops string, n int) string { return loops + "[" + strconv.Itoa(n) + "]" }

// giveUp marks a part as failed, and says why.
func (r run) giveUp(m *mark, why string) {
	r.set(m, failed)
	m.Note = why
	if r.reason == "" {
		r.reason = why
	}
}

// enter begins a part that was not reached before.
func (r run) enter(n *node, path string) (outcome, error) {
	switch n.kind {
	case step:
		return r.ask(n, r.add(path, sent))
	case wait:
		r.limit(r.add(path, waiting), n.within)
		r.note(line{Did: "waiting", Part: path})
		return r.recall(n, path)
	case decision:
		r.limit(r.add(path, waiting), n.within)
		r.note(line{Did: "asked", Part: path})
		return waits, nil
	case sleep:
		m := r.add(path, waiting)
		pause := n.pause(r.State, timeOf(r.w.now))
		if pause <= 0 {
			r.set(m, done)
			return ready, nil
		}
		r.limit(m, pause)
		r.note(line{Did: "sleeping", Part: path})
		return waits, nil
	case sub:
		return r.startChild(n, path)
	}
	why := clip(n.reason(r.State)) // fail
	r.giveUp(r.add(path, failed), why)
	r.note(line{Did: "failed", Part: path, Note: why})
	return broken, nil
}

// ask sends the command of a step.
func (r run) ask(n *node, m *mark) (outcome, error) {
	if n.send == nil {
		r.complete(n, m)
		return ready, nil
	}
	if err := r.send(n.send, n.alike, &m.Asked, r.State); err != nil {
		return waits, fmt.Errorf("%s: %w", m.Path, err)
	}
	m.Tries++
	did := "sent"
	if m.Tries > 1 {
		did = "sent again"
	}
	r.note(line{Did: did, Part: m.Path, Event: r.w.tx.Cause().ID})
	if len(n.replies) == 0 {
		r.complete(n, m)
		return ready, nil
	}
	r.set(m, sent)
	r.limit(m, n.within)
	return waits, nil
}

// send sends a command for a part, and notes its id where its answers have to be told
// from those of others.
func (r run) send(c *command, alike bool, ids *[]string, state any) error {
	if alike {
		*ids = ask(*ids, r.w.tx.NextID())
	}
	return event.Publish(r.w.ctx, r.w.tx, c.build(state))
}

// complete marks a part as done.
func (r run) complete(n *node, m *mark) {
	r.set(m, done)
	if n.pivot {
		r.Pivot = true
	}
	if n.loops > 0 && n.undo != nil {
		m.State, _ = json.Marshal(r.State) // the document, which has it, is encoded with its errors
	}
}

// again repeats a command that was not successful, after a pause.
func (r run) again(n *node, m *mark, why string, pause time.Duration) {
	if n.attempts > 0 && m.Tries >= n.attempts && !r.Pivot {
		r.note(line{Did: "given up", Part: m.Path, Note: why})
		r.giveUp(m, n.name+": "+why)
		m.Is = unknown
		return
	}
	r.set(m, pausing)
	r.limit(m, pause)
}

// atPivot reports whether the pivot was asked for, and may be done already.
func (r run) atPivot() bool {
	return slices.ContainsFunc(r.Marks, func(m mark) bool {
		n := r.plan.nodes[nameOf(m.Path)]
		return n != nil && n.final() && (m.Is == sent || m.Is == pausing)
	})
}

// final reports whether a part is a pivot that nothing takes back.
func (n *node) final() bool { return n.kind == step && n.pivot && n.undo == nil && !n.harmless }

// pause is how long to wait after so many attempts.
func (run) pause(n *node, tries int) time.Duration {
	d := n.backoff
	for ; tries > 1 && d < maxBackoff; tries-- {
		d *= 2
	}
	return min(max(d, 0), max(maxBackoff, n.backoff))
}

// standStill has a part wait for a person.
func (r run) standStill(m *mark, why string) {
	r.set(m, stuck)
	m.Note = why
	r.note(line{Did: "stuck", Part: m.Path, Note: why})
}

// startChild starts the saga of a part. One of the same id that this part did not start
// fails the part, as an id does that cannot be one.
func (r run) startChild(n *node, path string) (outcome, error) {
	id, state := n.child.start(r.State)
	k := key{n.child.plan.name, id}
	var other *instance
	why, err := unfit(id), error(nil)
	if why == "" {
		other, err = r.w.get(k)
	} else {
		why = fmt.Sprintf("the id of its saga %s is %s", k.saga, why)
	}
	if err == nil {
		state, err = n.child.plan.copied(state)
	}
	if err != nil {
		return waits, err
	}
	m := r.add(path, waiting)
	m.Child = id
	if other != nil {
		why = fmt.Sprintf("there is a saga %s %s already", k.saga, id)
	}
	if why != "" {
		r.giveUp(m, why)
		r.note(line{Did: "failed", Part: path, Note: why})
		return broken, nil
	}
	r.note(line{Did: "started saga", Part: path, Type: n.child.plan.title(), Note: id})
	in := r.w.create(n.child.plan, id, state, event.Cause(r.Cause))
	in.Parent = &parent{r.saga, r.id, path}
	return waits, r.w.begin(in, line{Note: "for " + r.saga + " " + r.id})
}

// childEnded takes over how the saga of a part ended.
func (r run) childEnded(path string, in *instance) error {
	m, n := r.mark(path), r.plan.nodes[nameOf(path)]
	if m == nil || n == nil || n.child == nil {
		return nil
	}
	switch {
	case in.status == Compensated && (m.Is == undoing || m.Is == stuck):
		r.set(m, undone)
		r.note(line{Did: "undone", Part: path})
	case m.Is != waiting:
		return nil
	case in.status == Completed:
		left, err := n.child.plan.stateOf(in)
		if err != nil {
			return err
		}
		n.child.join(r.State, left)
		r.complete(n, m)
		r.note(line{Did: "done", Part: path})
	case r.Pivot:
		r.standStill(m, in.reason)
	default:
		r.set(m, undone)
		m.Note, r.reason = in.reason, n.name+": "+in.reason
		r.note(line{Did: "failed", Part: path, Note: in.reason})
		r.turnBack()
	}
	return r.advance()
}
