package saga

import (
	"fmt"
	"strconv"

	"github.com/tutti-go/tutti/internal/admin"
)

// How an instance stands in a part, beside phases of the same name.
const (
	standsWaiting = "waiting"
	standsUndoing = "undoing"
	standsDropped = "dropped"
	standsAhead   = "ahead"
	standsNever   = "never"
)

// partsOf says where an instance stands in each part of its definition, in order. Without
// a definition, the parts are those that were reached.
func partsOf(p *plan, doc *stored, status Status, children []admin.SagaRef) []admin.SagaPart {
	v := viewer{back: doc.Back, over: status.over(), marks: map[string]*mark{}, children: map[string]*admin.SagaRef{}, list: []admin.SagaPart{}}
	for i := range doc.Marks {
		v.marks[doc.Marks[i].Path] = &doc.Marks[i]
	}
	for i, c := range children {
		v.children[c.Part] = &children[i]
	}
	ahead := standsAhead
	if v.back || v.over {
		ahead = standsNever
	}
	if p != nil {
		v.parts(p.root.children, "", 0, ahead)
	}
	for _, m := range doc.Marks { // those that the definition does not have any more
		if p == nil || p.nodes[nameOf(m.Path)] == nil {
			v.add(admin.SagaPart{Part: m.Path, Kind: "step", Since: timeOf(m.Since), Note: m.Note, Attempts: m.Tries, Stands: m.stands()})
		}
	}
	return v.list
}

// viewer draws an instance.
type viewer struct {
	back, over bool
	marks      map[string]*mark
	children   map[string]*admin.SagaRef // by part
	list       []admin.SagaPart
}

// add adds a part, and returns its place.
func (v *viewer) add(p admin.SagaPart) int {
	v.list = append(v.list, p)
	return len(v.list) - 1
}

func (v *viewer) parts(list []*node, loops string, depth int, ahead string) {
	for _, n := range flat(list) {
		v.part(n, loops, depth, ahead)
	}
}

// part shows a part; ahead is how one stands that was not reached.
func (v *viewer) part(n *node, loops string, depth int, ahead string) {
	path := n.name + loops
	at := v.add(admin.SagaPart{Part: path, Kind: n.kind.String(), Depth: depth, Pivot: n.pivot, Stands: ahead})
	m := v.marks[path]
	if m != nil {
		v.list[at].Since, v.list[at].Note, v.list[at].Due = timeOf(m.Since), m.Note, moment(m.Due)
	}
	switch n.kind {
	case parallel:
		for i, c := range n.children {
			if c.kind == sequence {
				v.group("branch", strconv.Itoa(i+1), []*node{c}, loops, depth+1, ahead)
			} else {
				v.part(c, loops, depth+1, ahead)
			}
		}
		v.list[at].Stands = v.together(at)
	case choice:
		v.choice(n, m, loops, depth, ahead)
		v.list[at].Stands = v.together(at)
	case loop:
		v.loop(n, m, loops, depth, ahead)
		v.list[at].Attempts, v.list[at].Most = pickOf(m), n.most
		if v.list[at].Stands = v.together(at); m != nil && (m.Is == done || m.Is == failed || m.Is == stuck || m.Is == skipped) && !v.back {
			v.list[at].Stands = m.stands()
		}
	default:
		v.leaf(n, m, &v.list[at])
	}
}

// group shows parts under a heading.
func (v *viewer) group(kind, note string, list []*node, loops string, depth int, ahead string) {
	at := v.add(admin.SagaPart{Kind: kind, Depth: depth, Stands: ahead, Note: note})
	v.parts(list, loops, depth+1, ahead)
	v.list[at].Stands = v.together(at)
}

func (v *viewer) choice(n *node, m *mark, loops string, depth int, ahead string) {
	branch := [2]string{ahead, ahead}
	if m != nil {
		branch[2-m.Pick] = standsNever // the other one
	}
	v.parts(n.children[:1], loops, depth+1, branch[0])
	if len(n.children) > 1 {
		v.group("otherwise", "", n.children[1:], loops, depth, branch[1])
	}
}

const iterationsShown = 5

// loop shows the last iterations, and earlier ones in which something is open.
func (v *viewer) loop(n *node, m *mark, loops string, depth int, ahead string) {
	if m == nil || m.Pick == 0 {
		if m != nil && m.Is != waiting {
			ahead = standsNever
		}
		v.parts(n.children, loops+"[1]", depth+1, ahead)
		return
	}
	for i := 1; i <= m.Pick; i++ {
		if i > m.Pick-iterationsShown || v.open(n, iteration(loops, i)) {
			v.group("iteration", strconv.Itoa(i), n.children, iteration(loops, i), depth+1, ahead)
		}
	}
}

// open reports whether something is under way in an iteration.
func (v *viewer) open(n *node, loops string) bool {
	found := false
	n.each(func(n *node) {
		if m := v.marks[n.name+loops]; m != nil && n.kind != loop {
			switch m.Is {
			case sent, pausing, waiting, undoing, resting, stuck:
				found = true
			}
		}
	})
	return found
}

// leaf shows a part that has no others within it.
func (v *viewer) leaf(n *node, m *mark, p *admin.SagaPart) {
	if n.send != nil {
		p.Command, p.Most = n.send.contract.String(), n.attempts
	}
	p.Options = n.choices()
	if n.kind == sub {
		p.Saga = &admin.SagaRef{Saga: n.child.plan.name}
		if c := v.children[p.Part]; c != nil {
			p.Saga = &admin.SagaRef{Saga: c.Saga, ID: c.ID, Status: c.Status}
		}
		if p.Note == p.Saga.ID {
			p.Note = "" // it is the id, until there is a reason
		}
	}
	if m == nil {
		return
	}
	p.Stands, p.Attempts = m.stands(), m.Tries
	if n.kind != sub && (m.Is == done || m.Is == undone || m.Is == skipped || m.Is == settled) {
		p.Note = "" // what went wrong before
	}
	waitsFor, undo := n.replies, false
	switch m.Is {
	case undoing, resting, undone, settled:
		undo = true
	case done, unknown, skipped:
		undo = v.back && !v.over && m.Is != skipped
	case stuck:
		undo = v.back
	}
	if undo && n.undo != nil {
		p.Undo, waitsFor = n.undo.send.contract.String(), n.undo.replies
		if m.Is != done && m.Is != unknown {
			p.Most = n.undo.attempts
		}
	}
	p.Pausing = m.Is == pausing || m.Is == resting
	switch m.Is {
	case sent, pausing, waiting, undoing, resting, stuck:
		p.For = contracts(waitsFor)
	}
}

// stands is how an instance stands in a part, for people.
func (m *mark) stands() string {
	switch m.Is {
	case sent, pausing, waiting:
		return standsWaiting
	case resting:
		return standsUndoing
	case void:
		return standsDropped
	case settled:
		return string(skipped)
	}
	return string(m.Is) // done, failed, unknown, undoing, undone, stuck, skipped
}

// together is how the parts within the one at a place stand as a whole.
func (v *viewer) together(at int) string {
	first := map[string]int{}
	for i, name := range []string{
		string(stuck), standsUndoing, standsWaiting, string(failed), string(unknown), standsDropped, string(undone), standsAhead,
		string(done), string(skipped), standsNever,
	} {
		first[name] = i
	}
	best := standsNever
	for _, p := range v.list[at+1:] {
		if first[p.Stands] < first[best] {
			best = p.Stands
		}
	}
	return best
}

func (k kind) String() string {
	names := map[kind]string{parallel: "parallel", choice: "if", loop: "while", step: "step", wait: "wait", decision: "decide", sleep: "sleep", sub: "saga", fail: "fail"}
	if name, ok := names[k]; ok {
		return name
	}
	return fmt.Sprintf("kind %d", uint8(k))
}
