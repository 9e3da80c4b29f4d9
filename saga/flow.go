package saga

import "time"

func nodesOf[S any](parts []*Node[S]) []*node {
	out := make([]*node, len(parts))
	for i, p := range parts {
		out[i] = p.n
	}
	return out
}

// Sequence runs parts one after another, where one part is asked for.
func Sequence[S any](parts ...*Node[S]) *Node[S] {
	return &Node[S]{&node{kind: sequence, children: nodesOf(parts)}}
}

// Parallel runs branches side by side, and goes on when all have succeeded. When one
// fails, all are undone, also side by side.
func Parallel[S any](name string, branches ...*Node[S]) *Node[S] {
	return &Node[S]{&node{kind: parallel, name: name, children: nodesOf(branches)}}
}

// If runs then where the condition holds, and otherwise, if it is given, where it does
// not. The condition is looked at once.
func If[S any](name string, condition func(*S) bool, then *Node[S], otherwise ...*Node[S]) *Node[S] {
	n := &node{kind: choice, name: name, children: []*node{then.n}, when: func(state any) bool { return condition(state.(*S)) }}
	if len(otherwise) > 0 {
		n.children = append(n.children, Sequence(otherwise...).n)
	}
	return &Node[S]{n}
}

// While runs a body as long as the condition holds, which is looked at before each
// iteration. The process fails when most iterations have run and the condition still
// holds.
func While[S any](name string, most int, condition func(*S) bool, body ...*Node[S]) *Node[S] {
	return &Node[S]{&node{kind: loop, name: name, most: most, children: []*node{Sequence(body...).n},
		when: func(state any) bool { return condition(state.(*S)) }}}
}

// Sleep goes on after a time, of milliseconds or months.
func Sleep[S any](name string, pause func(*S) time.Duration) *Node[S] {
	return &Node[S]{&node{kind: sleep, name: name, pause: func(state any, _ time.Time) time.Duration { return pause(state.(*S)) }}}
}

// SleepUntil goes on at a time.
func SleepUntil[S any](name string, until func(*S) time.Time) *Node[S] {
	return &Node[S]{&node{kind: sleep, name: name, pause: func(state any, now time.Time) time.Duration { return until(state.(*S)).Sub(now) }}}
}

// Fail fails the process, and says why.
func Fail[S any](name string, reason func(*S) string) *Node[S] {
	return &Node[S]{&node{kind: fail, name: name, reason: func(state any) string { return reason(state.(*S)) }}}
}

// child is a saga within a saga.
type child struct {
	plan  *plan
	start func(state any) (id string, child any)
	join  func(state, child any)
}

// Sub runs another saga, as an instance of its own with the id and the state that
// start returns, and goes on when that has completed; join takes over what it left. If
// the other saga is compensated, this process fails; to undo this part is to compensate
// the other.
func Sub[S, T any](name string, def *Definition[T], start func(*S) (id string, state T), join func(*S, T)) *Node[S] {
	return &Node[S]{&node{kind: sub, name: name, child: &child{
		plan: def.p,
		start: func(state any) (string, any) {
			id, t := start(state.(*S))
			return id, &t
		},
		join: func(state, child any) { join(state.(*S), *child.(*T)) },
	}}}
}
