package saga

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// String is the process as text that the business can read: a numbered outline of its
// parts, with what each sends, what it waits for and how long, and what undoes it.
func (d *Definition[S]) String() string { return d.p.String() }

func (p *plan) String() string {
	var o outline
	o.line("", "%s", p.title())
	for _, of := range []struct {
		what string
		by   map[contractID]*reply
	}{{"started by", p.starts}, {"cancelled by", p.cancels}} {
		if len(of.by) > 0 {
			o.line("", "%s %s", of.what, join(contracts(slices.Collect(maps.Values(of.by))), "or"))
		}
	}
	for _, v := range slices.Sorted(maps.Keys(p.from)) {
		o.line("", "takes over instances of version %d", v)
	}
	o.line("", "")
	o.parts(p.root.children, "", "", 1)
	return o.String()
}

// outline is text of numbered parts.
type outline struct{ strings.Builder }

func (o *outline) line(indent, format string, args ...any) {
	fmt.Fprintf(o, indent+format+"\n", args...)
}

// parts writes parts one after another, numbered from first on, and returns the next
// number. A sequence within a sequence is no level of its own.
func (o *outline) parts(list []*node, indent, number string, first int) int {
	for _, n := range flat(list) {
		o.part(n, indent, number+strconv.Itoa(first))
		first++
	}
	return first
}

// flat takes sequences within a sequence apart.
func flat(list []*node) (out []*node) {
	for _, n := range list {
		if n.kind == sequence {
			out = append(out, flat(n.children)...)
		} else {
			out = append(out, n)
		}
	}
	return out
}

func (o *outline) part(n *node, indent, number string) {
	head, more := n.tell()
	o.line(indent, "%s. %s: %s", number, n.name, head)
	inner := indent + strings.Repeat(" ", len(number)+2)
	for _, text := range more {
		o.line(inner, "%s", text)
	}
	switch n.kind {
	case parallel:
		o.branches(n, inner, number)
	case choice:
		next := o.parts(n.children[:1], inner, number+".", 1)
		if len(n.children) > 1 {
			o.line(inner, "otherwise")
			o.parts(n.children[1:], inner, number+".", next)
		}
	case loop:
		o.parts(n.children, inner, number+".", 1)
	}
}

// branches are lettered, as they have no order.
func (o *outline) branches(n *node, indent, number string) {
	for i, c := range n.children {
		letter := number + letterOf(i)
		if c.kind != sequence {
			o.part(c, indent, letter)
			continue
		}
		o.line(indent, "%s. one after another", letter)
		o.parts(c.children, indent+strings.Repeat(" ", len(letter)+2), letter+".", 1)
	}
}

// letterOf counts a, b, … z, aa, ab, …
func letterOf(i int) string {
	s := string(rune('a' + i%26))
	if i >= 26 {
		return letterOf(i/26-1) + s
	}
	return s
}

// tell says what a part does: in one line, and in more that follow it.
func (n *node) tell() (head string, more []string) {
	switch n.kind {
	case step:
		return n.tellStep()
	case wait:
		return n.tellWait(n.awaits(), n.means(refused))
	case decision:
		head, more := n.tellWait("a person decides", nil)
		for _, opt := range n.options {
			if opt.refuses {
				more = append(more, opt.name+": the process fails")
			} else {
				more = append(more, opt.name+": goes on")
			}
		}
		return head, more
	case sleep:
		return "pause", nil
	case sub:
		return "run saga " + n.child.plan.title(), []string{"undo: compensate that saga"}
	case fail:
		return "the process fails", nil
	case parallel:
		return "side by side", nil
	case choice:
		return "if so", nil
	}
	return fmt.Sprintf("while so, at most %s", times(n.most)), nil // loop
}

func (n *node) tellStep() (head string, more []string) {
	switch {
	case n.send == nil:
		head = "was done before"
	case len(n.replies) == 0:
		head = "send " + n.send.contract.String()
	default:
		head = fmt.Sprintf("send %s, wait for %s", n.send.contract, join(contracts(n.means(succeeded)), "or"))
	}
	more = n.tellReplies()
	if len(n.replies) > 0 {
		more = append(more, n.tellTimes(", then it is given up"))
	}
	switch {
	case n.undo != nil:
		more = append(more, n.undo.tellUndo()...)
	case n.harmless:
		more = append(more, "nothing to undo")
	}
	if n.pivot {
		more = append(more, "pivot: from here on the process only goes on")
	}
	return head, more
}

func (n *node) tellUndo() []string {
	head := "undo: send " + n.send.contract.String()
	if len(n.replies) == 0 {
		return []string{head}
	}
	out := []string{head + ", wait for " + join(contracts(n.means(succeeded)), "or")}
	for _, text := range append(n.tellReplies(), n.tellTimes(", then a person is needed")) {
		out = append(out, "  "+text)
	}
	return out
}

// awaits says what a wait is for; one for nothing but failures goes on without them.
func (n *node) awaits() string {
	if rs := n.means(succeeded); len(rs) > 0 {
		return "wait for " + join(contracts(rs), "or")
	}
	return "wait"
}

// tellReplies says which replies do not mean success.
func (n *node) tellReplies() (out []string) {
	if rs := n.means(refused); len(rs) > 0 {
		out = append(out, "fails with "+join(contracts(rs), "or"))
	}
	if rs := n.means(busy); len(rs) > 0 {
		out = append(out, "tries again after "+join(contracts(rs), "or"))
	}
	return out
}

// tellTimes says how often and how long a step is tried.
func (n *node) tellTimes(end string) string {
	text := "as often as it takes"
	if n.attempts > 0 {
		text = "at most " + times(n.attempts)
	}
	if n.within > 0 {
		text = "within " + span(n.within) + ", " + text
	} else {
		text = "without limit of time"
		end = ""
	}
	if n.attempts == 0 {
		end = ""
	}
	return text + end
}

// tellWait says what ends a wait beside what it waits for.
func (n *node) tellWait(head string, fails []*reply) (string, []string) {
	var more []string
	if len(fails) > 0 {
		more = append(more, "fails with "+join(contracts(fails), "or"))
	}
	switch {
	case n.within == 0:
	case n.otherwise != nil:
		more = append(more, "goes on after "+span(n.within))
	default:
		more = append(more, "fails after "+span(n.within))
	}
	return head, more
}

// means returns the replies of one meaning.
func (n *node) means(m meaning) (out []*reply) {
	for _, r := range n.replies {
		if r.means == m {
			out = append(out, r)
		}
	}
	return out
}

func contracts(rs []*reply) []string {
	out := make([]string, len(rs))
	for i, r := range rs {
		out[i] = r.contract.String()
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// join lists words as a sentence does.
func join(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " " + last + " " + words[n]
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return strconv.Itoa(n) + " times"
}

// span is a duration as people say it: "30 days", "1h30m".
func span(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= 2*day && d%day == 0 {
		return fmt.Sprintf("%d days", d/day)
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
