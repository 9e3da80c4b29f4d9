package saga

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
)

// Check says everything that cannot be right in the definition: parts without a name or
// with one that another has; parts and outcomes that are never reached; steps that cannot
// be undone although one after or beside them can fail, or the process be cancelled
// meanwhile; steps that can fail after the pivot; replies to what nobody asked; and replies
// of which two parts that run side by side wait for the same.
func (d *Definition[S]) Check() error {
	p := d.p
	faults := slices.Clone(p.faults)
	add := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if !validName(p.name) || len(p.name) > 200 {
		add("its name is %q, want letters, digits, dots and dashes", p.name)
	}
	if p.version < 1 {
		add("its version is %d, want 1 or more", p.version)
	}
	if len(p.root.children) == 0 {
		add("it has no parts")
	}
	for v := range p.from {
		if v < 1 || v >= p.version {
			add("instances of version %d cannot become ones of version %d", v, p.version)
		}
	}
	c := newChecker(add)
	c.walk(p.root)
	c.undo()
	if len(faults) == 0 {
		return nil
	}
	slices.Sort(faults)
	return fmt.Errorf("saga %s: %s", p.title(), strings.Join(faults, "; "))
}

func validName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-", r)
	})
}

type checker struct {
	add     func(format string, args ...any)
	flow    []*node           // parts in the order in which they may run
	beside  map[*node][]*node // those before a part in flow that may run after it
	instead map[*node][]*node // those after a part in flow that run only if it does not
	past    map[*node]bool    // those that run only after the pivot
	pivot   bool              // it was passed, where walk is
}

func newChecker(add func(format string, args ...any)) *checker {
	return &checker{add: add, beside: map[*node][]*node{}, instead: map[*node][]*node{}, past: map[*node]bool{}}
}

// walk looks at parts by themselves, and at what is reached. It reports whether what
// follows n can be reached.
func (c *checker) walk(n *node) bool {
	if n.kind != sequence {
		c.part(n)
	}
	switch n.kind {
	case sequence:
		for i, child := range n.children {
			if !c.walk(child) && i < len(n.children)-1 {
				c.add("%s is never reached, because %s always fails", labelOf(n.children[i+1]), labelOf(child))
				return false
			}
		}
		return len(n.children) == 0 || c.goesOn(n.children[len(n.children)-1])
	case parallel:
		c.ambiguous(n)
		begin, before, after := len(c.flow), c.pivot, c.pivot
		for _, child := range n.children {
			own := len(c.flow)
			c.pivot = before
			c.walk(child)
			after = after || c.pivot
			for _, part := range c.flow[own:] {
				c.beside[part] = append(c.beside[part], c.flow[begin:own]...)
			}
		}
		c.pivot = after
	case choice:
		c.branches(n)
	case loop:
		before := c.pivot
		c.walk(n.children[0])
		c.pivot = before // it may run not at all
	}
	return c.goesOn(n)
}

// branches looks at the parts of a choice. The pivot is passed if it is in each branch
// that goes on.
func (c *checker) branches(n *node) {
	begin, before, after := len(c.flow), c.pivot, len(n.children) > 1
	for _, child := range n.children {
		own := len(c.flow)
		c.pivot = before
		if c.walk(child) {
			after = after && c.pivot
		}
		for _, part := range c.flow[begin:own] {
			c.instead[part] = append(c.instead[part], c.flow[own:]...)
		}
	}
	c.pivot = before || after
}

// goesOn reports whether a part can succeed.
func (c *checker) goesOn(n *node) bool {
	switch n.kind {
	case fail:
		return false
	case step, wait:
		return n.kind == step && len(n.replies) == 0 || n.otherwise != nil || slices.ContainsFunc(n.replies, func(r *reply) bool { return r.means == succeeded })
	case decision:
		return n.otherwise != nil || slices.ContainsFunc(n.options, func(o option) bool { return !o.refuses })
	case choice:
		return len(n.children) == 1 || slices.ContainsFunc(n.children, c.goesOn)
	case sequence, parallel:
		return !slices.ContainsFunc(n.children, func(n *node) bool { return !c.goesOn(n) })
	}
	return true
}

// labelOf is what to call a part, or the first named one within it.
func labelOf(n *node) string {
	for n.name == "" && len(n.children) > 0 {
		n = n.children[0]
	}
	return fmt.Sprintf("%q", n.name)
}

// part checks one part.
func (c *checker) part(n *node) {
	c.flow = append(c.flow, n)
	c.past[n] = c.pivot
	c.pivot = c.pivot || n.pivot
	if n.name == "" || len(n.name) > 100 || strings.ContainsAny(n.name, "[]") || strings.ContainsFunc(n.name, unicode.IsControl) {
		c.add("a part is called %q, want 1 to 100 characters without brackets", n.name)
	}
	c.outcomes(n)
	switch n.kind {
	case step:
		if n.send == nil && len(n.replies) > 0 {
			c.add("%q has replies, but sends nothing: nobody will answer", n.name)
		}
		if n.undo != nil && len(n.undo.replies) > 0 && !slices.ContainsFunc(n.undo.replies, func(r *reply) bool { return r.means == succeeded }) {
			c.add("the undo of %q can only fail: it has no Done", n.name)
		}
	case wait:
		if len(n.replies) == 0 {
			c.add("%q waits for no event", n.name)
		}
	case decision:
		if len(n.options) == 0 {
			c.add("%q has no options to choose from", n.name)
		}
	case loop:
		if n.most < 1 || n.most > 1000 {
			c.add("%q runs at most %d times, want 1 to 1000", n.name, n.most)
		}
	case parallel:
		if len(n.children) < 2 {
			c.add("%q has %d branches, want 2 or more", n.name, len(n.children))
		}
	}
	if n.within < 0 || n.attempts < 0 || n.backoff < 0 {
		c.add("%q has a negative time or number of attempts", n.name)
	}
	if n.otherwise != nil && n.within == 0 {
		c.add("%q has an Otherwise, but no Within at the end of which it would go on so", n.name)
	}
	if n.otherwise != nil && n.kind != wait && n.kind != decision {
		c.add("%q has an Otherwise, which is for waits and decisions", n.name)
	}
	if (n.pivot || n.harmless) && n.kind != step {
		c.add("%q is marked as a step, and is none", n.name)
	}
}

// outcomes finds ends of a part that cannot come, and parts that can only fail.
func (c *checker) outcomes(n *node) {
	c.twice(labelOf(n), n.replies)
	if n.undo != nil {
		c.twice("the undo of "+labelOf(n), n.undo.replies)
	}
	names := map[string]bool{}
	for _, o := range n.options {
		if names[o.name] {
			c.add("%q has two options %q: which is meant?", n.name, o.name)
		}
		names[o.name] = true
	}
	if len(n.replies)+len(n.options) == 0 || c.goesOn(n) {
		return
	}
	switch n.kind {
	case step:
		c.add("%q can only fail: it has no Done", n.name)
	case wait:
		c.add("%q can only fail: it has no Done or Otherwise", n.name)
	case decision:
		c.add("%q can only fail: it has no Accept or Otherwise", n.name)
	}
}

// twice finds replies of which only the first would ever be taken.
func (c *checker) twice(what string, replies []*reply) {
	seen := map[contractID]bool{}
	for _, r := range replies {
		id := idOf(r.contract)
		if seen[id] {
			c.add("%s takes %s as two replies: which is meant?", what, r.contract)
		}
		seen[id] = true
	}
}

// ambiguous finds branches that wait for the same.
func (c *checker) ambiguous(n *node) {
	seen := map[contractID]string{}
	for _, branch := range n.children {
		mine := map[contractID]string{}
		branch.each(func(n *node) {
			for _, r := range n.answers() {
				mine[idOf(r.contract)] = n.name
			}
		})
		for id, name := range mine {
			if other, twice := seen[id]; twice {
				c.add("%q and %q run side by side and both wait for %s/%d: which is meant?", other, name, id.typ, id.version)
			}
			seen[id] = name
		}
	}
}

func (n *node) each(fn func(*node)) {
	fn(n)
	for _, c := range n.children {
		c.each(fn)
	}
}

// CheckAnswers finds commands that none of some services handles, and replies that none
// of them publishes: what would be waited for in vain. It is for programs and tests that
// have all services at hand.
func CheckAnswers(services []*service.Service, sagas ...Saga) error {
	published, handled := map[contractID]bool{}, map[contractID]bool{}
	for _, s := range services {
		for _, c := range s.Publishes() {
			published[idOf(c)] = true
		}
		for _, c := range s.Handles() {
			handled[idOf(c)] = true
		}
	}
	var errs []error
	for _, saga := range sagas {
		p := saga.compiled()
		for _, c := range p.commands() {
			if c.contract.Kind == event.KindCommand && !handled[idOf(c.contract)] {
				errs = append(errs, fmt.Errorf("saga %s sends %s, which nobody handles", p.title(), c.contract))
			}
		}
		for _, r := range p.replies() {
			if !published[idOf(r.contract)] {
				errs = append(errs, fmt.Errorf("saga %s waits for %s, which nobody publishes", p.title(), r.contract))
			}
		}
	}
	return errors.Join(errs...)
}

// knows reports parts that an instance has reached and that the plan has not, or has as
// something else.
func (p *plan) knows(marks []mark) error {
	for _, m := range marks {
		if n := p.nodes[nameOf(m.Path)]; (n == nil || !n.fits(m)) && m.Is != undone && m.Is != void && m.Is != skipped && m.Is != settled {
			return fmt.Errorf("it has reached %q, which version %d does not have, or has as something else", m.Path, p.version)
		}
	}
	return nil
}

// fits reports whether a mark can be one of a part, as far as it tells.
func (n *node) fits(m mark) bool {
	if strings.Count(m.Path, "[") != n.loops || m.Child != "" && n.kind != sub {
		return false
	}
	switch n.kind {
	case parallel:
		return false
	case choice:
		return m.Pick > 0
	case loop:
		return m.Is == waiting || m.Is == done || m.Is == failed || m.Is == stuck
	case step:
		return m.Pick == 0 && m.Is != waiting
	}
	return m.Pick == 0 && m.Is != sent && m.Is != pausing && m.Is != unknown
}
