package saga

import (
	"fmt"
	"slices"
)

// undo finds steps that cannot be undone although they may have to be.
func (c *checker) undo() {
	var passed *node // the pivot
	for i, n := range c.flow {
		if passed != nil && canBeRefused(n) {
			c.add("%q can fail after the pivot %q, when nothing can be undone any more", n.name, passed.name)
		}
		if n.pivot && passed == nil {
			passed = n
		}
		bare := c.bare(n)
		if bare == "" {
			continue
		}
		if why := c.goesBack(n, c.before(n, c.flow[i+1:]), c.before(n, c.beside[n])); why != "" {
			c.add("%s has no Undo, although %s (say NothingToUndo if it leaves nothing behind, or Pivot if there is no way back from it)", bare, why)
		}
	}
}

// bare is what to call a part, or one of the saga that it runs, that leaves something
// behind if the process goes back; empty if it does not.
func (c *checker) bare(n *node) string {
	switch {
	case c.past[n]:
	case n.kind == step && n.send != nil && n.undo == nil && !n.harmless && !n.pivot:
		return labelOf(n)
	case n.kind == sub:
		if inner := n.child.plan.bare(); inner != "" {
			return fmt.Sprintf("%s of saga %s, which is %s,", inner, n.child.plan.title(), labelOf(n))
		}
	}
	return ""
}

// bare is the first part of a plan that leaves something behind if an instance is
// compensated after it has completed; empty if there is none, or a pivot.
func (p *plan) bare() string {
	c := newChecker(func(string, ...any) {})
	if c.walk(p.root); c.pivot {
		return ""
	}
	for _, n := range c.flow {
		if bare := c.bare(n); bare != "" {
			return bare
		}
	}
	return ""
}

// before picks the parts of a list that may run in the same instance as n, and before
// the pivot is passed.
func (c *checker) before(n *node, list []*node) (out []*node) {
	for _, m := range list {
		if !c.past[m] && !slices.Contains(c.instead[n], m) {
			out = append(out, m)
		}
	}
	return out
}

// goesBack says how the process can fail or be cancelled when a part is done, or may be;
// empty if it cannot.
func (c *checker) goesBack(n *node, later, beside []*node) string {
	if n.loops > 0 {
		return "a later iteration can fail"
	}
	for _, of := range []struct {
		format string
		is     func(*node) bool
	}{{"%s can fail %s it", canFail}, {"the process may be cancelled at %s %s it", waitsForOthers}} {
		if i := slices.IndexFunc(later, of.is); i >= 0 {
			return fmt.Sprintf(of.format, labelOf(later[i]), "after")
		}
		if i := slices.IndexFunc(beside, of.is); i >= 0 {
			return fmt.Sprintf(of.format, labelOf(beside[i]), "beside")
		}
	}
	switch {
	case n.timesOut():
		return "its outcome is unknown when it is given up"
	case n.kind == step && waitsForOthers(n):
		return "the process may be cancelled while it waits for an answer"
	}
	return ""
}

// waitsForOthers reports whether an instance may stand at a part: it can be cancelled
// there.
func waitsForOthers(n *node) bool {
	switch n.kind {
	case wait, decision, sleep, sub:
		return true
	}
	return n.kind == step && len(n.replies) > 0
}

func (n *node) timesOut() bool {
	return n.kind == step && len(n.replies) > 0 && n.within > 0 && n.attempts > 0
}

// canBeRefused reports whether a part can fail by itself, and not only by being late.
func canBeRefused(n *node) bool {
	refuses := func(r *reply) bool { return r.means == refused }
	switch n.kind {
	case fail, sub:
		return true
	case decision:
		return slices.ContainsFunc(n.options, func(o option) bool { return o.refuses }) || n.within > 0 && n.otherwise == nil
	case wait:
		return slices.ContainsFunc(n.replies, refuses) || n.within > 0 && n.otherwise == nil
	}
	return slices.ContainsFunc(n.replies, refuses)
}

func canFail(n *node) bool {
	return canBeRefused(n) || n.timesOut() || n.kind == loop
}
