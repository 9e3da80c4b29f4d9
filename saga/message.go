package saga

import (
	"fmt"
	"slices"

	"github.com/tutti-go/tutti/event"
)

// message takes the instance on by a message of a contract that its saga knows.
func (r run) message(to *route, m event.Received) error {
	id := idOf(to.contract)
	if r.status.over() {
		return r.stray(to, m.Envelope)
	}
	if by := r.plan.cancels[id]; by != nil {
		return r.cancel(by, m.Envelope, to.body(by, m.Body))
	}
	asked, back := r.asked(m.CausationID)
	for i := range r.Marks {
		mark := &r.Marks[i]
		n := r.plan.nodes[nameOf(mark.Path)]
		if n == nil || n.kind == step && asked != "" && asked != mark.Path {
			continue
		}
		if by := n.open(mark, id); by != nil {
			if asked != "" && !back && mark.undoing() && n.same(by) {
				continue // it says that it was done, and not that it was undone
			}
			r.Cause = cause(m.Cause())
			return r.answer(n, mark, by, m.Envelope, to.body(by, m.Body))
		}
	}
	if r.plan.awaits[id] && !r.Back && len(r.Signals) < maxSignals {
		s, err := signalOf(m)
		if err != nil {
			return err
		}
		r.Signals = append(r.Signals, s)
		r.note(line{Did: "kept", Type: to.contract.String(), Event: m.ID})
		return nil
	}
	return r.stray(to, m.Envelope)
}

const (
	maxSignals = 100
	maxStrays  = 64 << 10 // bytes of history, beyond which strays are counted only
)

// open returns the reply of a contract that a part waits for.
func (n *node) open(m *mark, id contractID) *reply {
	replies := n.replies
	switch m.Is {
	case sent, pausing:
	case waiting:
		if n.kind != wait {
			return nil
		}
	case undoing, resting, stuck:
		if n.undo == nil {
			return nil
		}
		replies = n.undo.replies
	default:
		return nil
	}
	for _, r := range replies {
		if idOf(r.contract) == id {
			return r
		}
	}
	return nil
}

// undoing reports whether a part waits for what it asked for to be undone.
func (m *mark) undoing() bool { return m.Is == undoing || m.Is == resting || m.Is == stuck }

// same reports whether a reply to the undo of a step says that the step is done, too.
func (n *node) same(undo *reply) bool {
	return n.undo != nil && undo.means == succeeded && slices.ContainsFunc(n.replies, func(r *reply) bool {
		return r.means == succeeded && idOf(r.contract) == idOf(undo.contract)
	})
}

// answer takes over what a part waits for.
func (r run) answer(n *node, m *mark, by *reply, env event.Envelope, body any) error {
	why := clip(by.apply(r.State, env, body))
	l := line{Part: m.Path, Event: env.ID, Note: why}
	asked := n
	back := m.Is == undoing || m.Is == resting || m.Is == stuck && r.Back
	switch {
	case back && by.means == succeeded:
		l.Did, asked = "undone", n.undo
		r.set(m, undone)
	case back:
		l.Did, l.Type = "not undone", by.contract.String()
		r.note(l)
		r.againBack(n, m, why)
		return r.advance()
	case by.means == succeeded:
		l.Did = "done"
		r.complete(n, m)
	case by.means == busy:
		l.Did, l.Type = "busy", by.contract.String()
		r.note(l)
		r.again(n, m, why, r.pause(n, m.Tries))
		return r.advance()
	default:
		l.Did = "failed"
		r.giveUp(m, n.name+": "+why)
	}
	if n.kind != step || asked.only(by.means) == "" {
		l.Type = by.contract.String()
	}
	r.note(l)
	return r.advance()
}

// recall looks for an event that came before a part waited for it.
func (r run) recall(n *node, path string) (outcome, error) {
	for i, s := range r.Signals {
		m := r.mark(path)
		by := n.open(m, contractOf(s.Envelope))
		if by == nil {
			continue
		}
		body, err := by.Decode(plain(s.Envelope), s.Body)
		if err != nil {
			return waits, err
		}
		r.Signals = append(r.Signals[:i:i], r.Signals[i+1:]...)
		why := clip(by.apply(r.State, s.Envelope, body))
		l := line{Did: "done", Part: path, Type: by.contract.String(), Event: s.Envelope.ID, Note: why}
		if by.means == succeeded {
			r.complete(n, m)
			r.note(l)
			return ready, nil
		}
		l.Did = "failed"
		r.giveUp(m, n.name+": "+why)
		r.note(l)
		return broken, nil
	}
	return waits, nil
}

// cancel compensates the instance because a message asks for it.
func (r run) cancel(by *reply, env event.Envelope, body any) error {
	l := line{Did: "cancelled", Type: by.contract.String(), Event: env.ID}
	switch {
	case r.Pivot || r.atPivot():
		l.Did = "too late to cancel"
	case r.Back:
		l.Did = "late"
	default:
		r.reason, r.Cause = clip(by.apply(r.State, env, body)), cause(env.Cause())
		l.Note = r.reason
		r.note(l)
		r.turnBack()
		return r.advance()
	}
	r.note(l)
	return nil
}

// stray records a message that nothing waits for.
func (r run) stray(to *route, env event.Envelope) error {
	if r.Pages*pageSize+len(r.history) > maxStrays {
		r.w.e.stray.Add(1)
		if r.w.e.shared && !r.over {
			r.w.touch(r.instance) // to store it finds out whether memory has it as it was before something waited for this
		}
		return nil
	}
	did := "unexpected"
	id := idOf(to.contract)
	if r.plan.starts[id] != nil {
		did = "duplicate"
	}
	for _, m := range r.Marks {
		n := r.plan.nodes[nameOf(m.Path)]
		if n == nil {
			continue
		}
		for _, by := range n.answers() {
			if idOf(by.contract) != id {
				continue
			}
			if did = "duplicate"; r.Back || m.Is == unknown {
				did = "late"
			}
		}
	}
	r.note(line{Did: did, Type: to.contract.String(), Event: env.ID})
	return nil
}

// expire does what is due.
func (r run) expire() error {
	for i := 0; i < len(r.Marks); i++ {
		m := &r.Marks[i]
		if m.Due == 0 || m.Due > r.w.now {
			continue
		}
		n := r.plan.nodes[nameOf(m.Path)]
		if n == nil || m.undoing() && n.kind == step && n.undo == nil { // it was taken out, without a new version, or its undo was
			m.Due = 0
			continue
		}
		if err := r.due(n, m); err != nil {
			return err
		}
	}
	return r.advance()
}

func (r run) due(n *node, m *mark) (err error) {
	switch m.Is {
	case sent:
		why := fmt.Sprintf("no answer within %v", n.within)
		r.note(line{Did: "timed out", Part: m.Path, Note: why})
		if r.again(n, m, why, 0); m.Is == pausing { // the time that it had was pause enough
			_, err = r.ask(n, m)
		}
	case pausing:
		_, err = r.ask(n, m)
	case undoing:
		why := fmt.Sprintf("no answer within %v", n.undo.within)
		r.note(line{Did: "timed out", Part: m.Path, Note: why})
		r.againBack(n, m, why)
	case resting:
		_, err = r.askBack(n, m)
	case waiting:
		switch {
		case n.kind == sleep:
			r.complete(n, m)
			r.note(line{Did: "woke", Part: m.Path})
		case n.otherwise != nil:
			n.otherwise(r.State)
			r.complete(n, m)
			r.note(line{Did: "time is up", Part: m.Path, Note: fmt.Sprintf("nothing within %v", n.within)})
		default:
			why := fmt.Sprintf("nothing within %v", n.within)
			r.giveUp(m, n.name+": "+why)
			r.note(line{Did: "timed out", Part: m.Path, Note: why})
		}
	default:
		m.Due = 0
	}
	return err
}

// due is when something of the instance is to be done next; 0: never.
func (in *instance) due() int64 {
	if in.status.over() {
		return 0
	}
	var first int64
	for i := range in.Marks {
		if d := in.Marks[i].Due; d != 0 && (first == 0 || d < first) {
			first = d
		}
	}
	return first
}

// clip bounds what is quoted of what others said.
func clip(s string) string {
	const most = 500 // bytes
	if len(s) > most {
		s = s[:most] + "…"
	}
	return printable(s)
}
