package saga

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Mermaid is the process as a flowchart of mermaid.js, which many places that show
// Markdown draw. Dotted edges lead to what undoes a step, and to where the process
// fails.
func (d *Definition[S]) Mermaid() string { return d.p.mermaid() }

func (p *plan) mermaid() string {
	c := chart{}
	c.line("flowchart TD")
	begin := "start"
	if len(p.starts) > 0 {
		begin = "started by " + join(contracts(slices.Collect(maps.Values(p.starts))), "or")
	}
	c.line(`start(["%s"])`, label(begin))
	ends := c.sequence(p.root.children, []tail{{from: "start"}})
	c.line(`done(["completed"])`)
	c.join(ends, "done")
	if len(p.cancels) > 0 {
		c.fails = append(c.fails, tail{from: "cancelled"})
		c.line(`cancelled(["%s"])`, label("cancelled by "+join(contracts(slices.Collect(maps.Values(p.cancels))), "or")))
	}
	if len(c.fails) > 0 {
		c.line(`back(["what was done is undone, in reverse order"])`)
		for _, f := range c.fails {
			c.dotted(f, "back")
		}
	}
	return c.String()
}

// chart is a flowchart that is being written.
type chart struct {
	strings.Builder
	depth int
	nodes int
	fails []tail // what leads to compensation
}

// tail is an edge that has no end yet.
type tail struct{ from, label string }

func (c *chart) line(format string, args ...any) {
	fmt.Fprintf(c, "%s"+format+"\n", append([]any{strings.Repeat("  ", c.depth)}, args...)...)
	if c.depth == 0 {
		c.depth = 1 // all but the first line is within the chart
	}
}

func (c *chart) id() string {
	c.nodes++
	return "n" + strconv.Itoa(c.nodes)
}

func (c *chart) join(from []tail, to string) {
	for _, t := range from {
		if t.label == "" {
			c.line("%s --> %s", t.from, to)
		} else {
			c.line(`%s -- "%s" --> %s`, t.from, label(t.label), to)
		}
	}
}

func (c *chart) dotted(t tail, to string) {
	if t.label == "" {
		c.line("%s -.-> %s", t.from, to)
	} else {
		c.line(`%s -. "%s" .-> %s`, t.from, label(t.label), to)
	}
}

// label makes a text one of mermaid: in quotes, what means something to it is written
// by its code.
func label(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("\"#;&<>`\\*_", r) {
			fmt.Fprintf(&b, "#%d;", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// labels is a label of several lines, of which the empty ones are left out.
func labels(lines ...string) string {
	var out []string
	for _, l := range lines {
		if l != "" {
			out = append(out, label(l))
		}
	}
	return strings.Join(out, "<br/>")
}

func (c *chart) sequence(list []*node, from []tail) []tail {
	for _, n := range flat(list) {
		from = c.part(n, from)
	}
	return from
}

// part draws a part after what leads to it, and returns what leads on from it.
func (c *chart) part(n *node, from []tail) []tail {
	if n.kind == parallel {
		return c.parallel(n, from)
	}
	id := c.id()
	switch n.kind {
	case sequence:
		return c.sequence(n.children, from)
	case choice:
		return c.choice(n, id, from)
	case loop:
		return c.loop(n, id, from)
	case wait:
		c.line(`%s{{"%s"}}`, id, labels(n.name, n.awaits()))
	case decision:
		c.line(`%s{"%s"}`, id, labels(n.name, "a person decides"))
	case sleep:
		c.line(`%s(["%s"])`, id, labels(n.name, "pause"))
	case sub:
		c.line(`%s[["%s"]]`, id, labels(n.name, "saga "+n.child.plan.title()))
	case fail:
		c.line(`%s(["%s"])`, id, labels(n.name, "the process fails"))
	default:
		c.step(n, id)
	}
	c.join(from, id)
	if n.kind == fail {
		c.fails = append(c.fails, tail{from: id})
		return nil
	}
	for _, r := range n.means(refused) {
		c.fails = append(c.fails, tail{id, r.contract.String()})
	}
	if n.kind != step && n.within > 0 && n.otherwise == nil {
		c.fails = append(c.fails, tail{id, "after " + span(n.within)})
	}
	return c.onward(n, id)
}

// onward is what leads on from a part that may be decided in several ways.
func (c *chart) onward(n *node, id string) []tail {
	var on []tail
	if n.kind != decision {
		on = append(on, tail{from: id})
	}
	for _, opt := range n.options {
		if opt.refuses {
			c.fails = append(c.fails, tail{id, opt.name})
		} else {
			on = append(on, tail{id, opt.name})
		}
	}
	if n.otherwise != nil {
		on = append(on, tail{id, "after " + span(n.within)})
	}
	return on
}

func (c *chart) step(n *node, id string) {
	asks, pivot := "was done before", ""
	if n.send != nil {
		asks = n.send.contract.String()
	}
	if n.pivot {
		pivot = "pivot"
	}
	c.line(`%s["%s"]`, id, labels(n.name, asks, pivot))
	if n.undo != nil {
		undo := c.id()
		c.line(`%s["%s"]`, undo, labels("undo "+n.name, n.undo.send.contract.String()))
		c.dotted(tail{from: id}, undo)
	}
}

func (c *chart) choice(n *node, id string, from []tail) []tail {
	c.line(`%s{"%s"}`, id, labels(n.name+"?"))
	c.join(from, id)
	ends := c.part(n.children[0], []tail{{id, "yes"}})
	if len(n.children) == 1 {
		return append(ends, tail{id, "no"})
	}
	return append(ends, c.part(n.children[1], []tail{{id, "no"}})...)
}

func (c *chart) loop(n *node, id string, from []tail) []tail {
	c.line(`%s{"%s"}`, id, labels(n.name+"?", "at most "+times(n.most)))
	c.join(from, id)
	c.join(c.part(n.children[0], []tail{{id, "yes"}}), id)
	c.fails = append(c.fails, tail{id, "still, after " + times(n.most)})
	return []tail{{id, "no"}}
}

func (c *chart) parallel(n *node, from []tail) []tail {
	group, fork, all := c.id(), c.id(), c.id()
	c.line(`subgraph %s["%s"]`, group, labels(n.name))
	c.depth++
	c.line(`%s(["side by side"])`, fork)
	var ends []tail
	for _, b := range n.children {
		ends = append(ends, c.part(b, []tail{{from: fork}})...)
	}
	c.line(`%s(["all done"])`, all)
	c.join(ends, all)
	c.depth--
	c.line("end")
	c.join(from, fork)
	return []tail{{from: all}}
}
