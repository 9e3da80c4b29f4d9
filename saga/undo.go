package saga

import (
	"cmp"
	"encoding/json"
	"fmt"

	"github.com/tutti-go/tutti/internal/fastjson"
)

// turnBack begins to undo what was done. What was waited for is waited for no more; of
// a command without an answer, the outcome is unknown.
func (r run) turnBack() {
	if r.Back {
		return
	}
	r.Back, r.Signals = true, nil
	if r.plan.failing != nil {
		r.tellWhy()
	}
	for i := range r.Marks {
		switch m := &r.Marks[i]; {
		case m.Is == waiting && !r.plan.is(sub, m.Path):
			r.set(m, void)
		case m.Is == sent || m.Is == pausing:
			r.set(m, unknown)
		}
	}
	r.note(line{Did: "compensating", Note: r.reason})
}

// tellWhy has OnFailure change the state, also that of each iteration of a loop that will
// be undone.
func (r run) tellWhy() {
	r.plan.failing(r.State, r.reason)
	for i := range r.Marks {
		m := &r.Marks[i]
		state := r.plan.newState()
		if m.State == nil || fastjson.Unmarshal(m.State, state) != nil { // askBack says what is wrong with it
			continue
		}
		r.plan.failing(state, r.reason)
		if told, err := json.Marshal(state); err == nil { // otherwise it is undone without being told why
			m.State = told
		}
	}
}

// backward undoes a part of the plan, in reverse.
func (r run) backward(n *node, loops string) (outcome, error) {
	switch n.kind {
	case sequence:
		for i := len(n.children) - 1; i >= 0; i-- {
			if at, err := r.backward(n.children[i], loops); at != ready || err != nil {
				return at, err
			}
		}
		return ready, nil
	case parallel:
		all := ready
		for _, c := range n.children {
			at, err := r.backward(c, loops)
			if err != nil {
				return at, err
			}
			if at == waits {
				all = waits
			}
		}
		return all, nil
	case choice:
		m := r.mark(n.name + loops)
		if m == nil || m.Pick > len(n.children) {
			return ready, nil
		}
		return r.backward(n.children[m.Pick-1], loops)
	case loop:
		m := r.mark(n.name + loops)
		for i := pickOf(m); i > 0; i-- {
			if at, err := r.backward(n.children[0], iteration(loops, i)); at != ready || err != nil {
				return at, err
			}
		}
		return ready, nil
	}
	m := r.mark(n.name + loops)
	if m == nil {
		return ready, nil
	}
	switch m.Is {
	case done, unknown, waiting, skipped:
		return r.undoPart(n, m)
	case undoing, resting, stuck:
		if n.kind != step || n.undo != nil || n.final() {
			return waits, nil
		}
		r.set(m, undone) // a newer version leaves nothing there to undo
		r.note(line{Did: "undone", Part: m.Path})
	}
	return ready, nil // failed, void, undone, settled
}

func pickOf(m *mark) int {
	if m == nil {
		return 0
	}
	return m.Pick
}

// undoPart begins to undo a part that is done, or of which that is not known.
func (r run) undoPart(n *node, m *mark) (outcome, error) {
	if n.kind == sub {
		return r.undoChild(n, m)
	}
	if n.undo == nil {
		if m.Is == unknown && n.final() {
			r.standStill(m, "nobody has said whether it is done, and it cannot be undone")
			return waits, nil
		}
		return ready, nil
	}
	m.Tries = 0
	return r.askBack(n, m)
}

// askBack sends the command that undoes a part.
func (r run) askBack(n *node, m *mark) (outcome, error) {
	state := r.State
	if m.State != nil {
		state = r.plan.newState()
		if err := fastjson.Unmarshal(m.State, state); err != nil {
			return waits, fmt.Errorf("undo %s: %w", m.Path, err)
		}
	}
	if err := r.send(n.undo.send, n.alike, &m.Unasked, state); err != nil {
		return waits, fmt.Errorf("undo %s: %w", m.Path, err)
	}
	m.Tries++
	did := "undoing"
	if m.Tries > 1 {
		did = "undoing again"
	}
	r.note(line{Did: did, Part: m.Path, Event: r.w.tx.Cause().ID})
	if len(n.undo.replies) == 0 {
		r.set(m, undone)
		return ready, nil
	}
	r.set(m, undoing)
	r.limit(m, n.undo.within)
	return waits, nil
}

// againBack repeats an undo that did not succeed, or has a person look at it.
func (r run) againBack(n *node, m *mark, why string) {
	m.Note = why
	if n.undo.attempts > 0 && m.Tries >= n.undo.attempts {
		r.standStill(m, why)
		return
	}
	r.set(m, resting)
	r.limit(m, r.pause(n.undo, m.Tries))
}

// undoChild has the saga of a part compensated, wherever it stands.
func (r run) undoChild(n *node, m *mark) (outcome, error) {
	m.Child = cmp.Or(m.Child, m.Note)
	in, err := r.w.get(key{n.child.plan.name, m.Child})
	if err != nil {
		return waits, err
	}
	if in == nil || in.status == Compensated {
		r.set(m, undone)
		return ready, nil
	}
	if in.Pivot || in.State == nil {
		r.standStill(m, fmt.Sprintf("saga %s %s cannot be compensated: it is past its pivot, or its definition is gone", in.saga, in.id))
		return waits, nil
	}
	r.set(m, undoing)
	r.note(line{Did: "undoing", Part: m.Path, Type: in.plan.title(), Note: in.id})
	child := r.w.run(in)
	if in.status == Completed {
		in.status = Compensating
	}
	if in.reason == "" {
		in.reason = r.reason
	}
	child.turnBack()
	return waits, child.advance()
}
