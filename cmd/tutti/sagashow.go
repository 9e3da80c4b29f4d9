package main

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/tutti-go/tutti/internal/admin"
)

func (g *sagasOf) showCommand() *cobra.Command {
	mermaid := false
	cmd := &cobra.Command{
		Use:   "show [ID]",
		Short: "Show all of an instance, or a definition",
		Long: `Show where an instance stands in each part of its process, its state and its history.
Without an id, show the definition of --saga: as an outline, or for a page of Markdown as
a flowchart (--mermaid).

  ✓ done   ⏳ waiting   ↩ undone   ✗ failed   ! stuck   » skipped by a person
  · not reached yet   - will not be reached`,
		Example: `  tutti sagas show 4711 --saga order
  tutti sagas show --saga order`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := g.one(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return g.showDefinition(cmd, d, mermaid)
			}
			var out admin.SagaDetail
			path := "/sagas/" + url.PathEscape(d.saga) + "/" + segment(args[0])
			if err := g.services.do(cmd.Context(), http.MethodGet, d.path(path, nil), nil, &out); err != nil {
				return err
			}
			if g.asJSON {
				return g.con.line(out)
			}
			return g.con.instance(out, time.Now())
		},
	}
	cmd.Flags().BoolVar(&mermaid, "mermaid", false, "show a definition as a flowchart of mermaid.js")
	return cmd
}

// segment is an id as a segment of a path. Dots are escaped too, as two of them are not
// what they seem.
func segment(id string) string { return strings.ReplaceAll(url.PathEscape(id), ".", "%2E") }

func (g *sagasOf) showDefinition(cmd *cobra.Command, d directed, mermaid bool) error {
	defs, err := g.definitions(cmd.Context(), d.home, true)
	if err != nil {
		return err
	}
	for _, def := range defs {
		switch {
		case def.Saga != d.saga:
		case g.asJSON:
			return g.con.line(def)
		case mermaid:
			fmt.Fprint(g.con.out, def.Mermaid)
		default:
			for line := range strings.SplitSeq(strings.TrimRight(def.Text, "\n"), "\n") {
				fmt.Fprintln(g.con.out, escape(line))
			}
		}
	}
	return nil
}

// instance draws an instance of a saga.
func (c *console) instance(d admin.SagaDetail, now time.Time) error {
	rows := [][2]string{
		{"saga", fmt.Sprintf("%s/%d of %s", d.Saga, d.Definition, d.Service)}, {"id", d.ID}, {"status", d.Status}, {"reason", d.Reason},
		{"started", stamp(d.Started)}, {"changed", stamp(d.Changed)},
	}
	if d.Past && d.Status != "completed" {
		rows = append(rows, [2]string{"pivot", "it is past it: nothing is undone any more"})
	}
	if d.Parent != nil {
		rows = append(rows, [2]string{"runs for", fmt.Sprintf("%s %s, part %s: %s", d.Parent.Saga, d.Parent.ID, d.Parent.Part, orGone(d.Parent.Status))})
	}
	if len(d.Early) > 0 {
		rows = append(rows, [2]string{"kept", strings.Join(d.Early, ", ")})
	}
	for _, n := range d.Needs {
		rows = append(rows, [2]string{"needs you", need(d, n)})
	}
	for _, row := range rows {
		if row[1] != "" {
			fmt.Fprintf(c.out, "%-11s %s\n", row[0], escape(row[1]))
		}
	}
	fmt.Fprintln(c.out)
	c.parts(d.Parts, now)
	fmt.Fprintln(c.out)
	if len(d.State) > 0 {
		if err := c.showJSON("state", d.State); err != nil {
			return err
		}
	}
	fmt.Fprintln(c.out, "history")
	var lines [][]string
	for _, h := range d.History {
		cells := []string{"  " + stamp(h.At), strings.TrimSpace(h.Did + " " + h.Part), h.Type, h.Note}
		for cells[len(cells)-1] == "" {
			cells = cells[:len(cells)-1]
		}
		lines = append(lines, cells)
	}
	return c.table(nil, lines)
}

// need says what a person can do about a part.
func need(d admin.SagaDetail, n admin.SagaNeed) string {
	if len(n.Options) > 0 {
		return n.Part + ": tutti sagas decide " + arguments("--saga "+d.Saga, d.ID, n.Options...)
	}
	return n.Part + " is stuck: tutti sagas retry|skip " + arguments("--saga "+d.Saga+" --part "+quoted(n.Part), d.ID)
}

// arguments are an id, one of some options, and flags. What begins with a dash and is no
// flag stands behind the flags.
func arguments(flags, id string, options ...string) string {
	words := quoted(id)
	if len(options) > 0 {
		words += " " + strings.Join(each(options, quoted), "|")
	}
	dash := func(s string) bool { return strings.HasPrefix(s, "-") }
	if dash(id) || slices.ContainsFunc(options, dash) {
		return flags + " -- " + words
	}
	return words + " " + flags
}

// quoted is a word as a shell takes it.
func quoted(s string) string {
	plain := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_./:@%+,", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func each(list []string, fn func(string) string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = fn(s)
	}
	return out
}

func orGone(status string) string {
	if status == "" {
		return "not there any more"
	}
	return status
}

// signs are how parts stand, with the colour on a terminal.
var signs = map[string][2]string{
	"done": {"✓", ""}, "waiting": {"⏳", bold}, "undoing": {"⏳", bold}, "undone": {"↩", ""}, "failed": {"✗", red}, "unknown": {"✗", red},
	"dropped": {"-", dim}, "stuck": {"!", red}, "skipped": {"»", ""}, "ahead": {"·", dim}, "never": {"-", dim},
}

// parts draws where an instance stands in each part.
func (c *console) parts(parts []admin.SagaPart, now time.Time) {
	width := 0
	for _, p := range parts {
		width = max(width, utf8.RuneCountInString(titleOf(p)))
	}
	for _, p := range parts {
		sign, ok := signs[p.Stands]
		if !ok {
			sign[0] = "?"
		}
		gap := " "
		if sign[0] != "⏳" { // which is two columns wide
			gap = "  "
		}
		title := titleOf(p)
		text := title + strings.Repeat(" ", width-utf8.RuneCountInString(title)+2) + escape(tellPart(p, now))
		fmt.Fprintln(c.out, strings.TrimRight(c.paint(sign[1], sign[0]+gap+strings.TrimRight(text, " ")), " "))
	}
}

// titleOf is what a part is called, behind what it is within.
func titleOf(p admin.SagaPart) string {
	indent := strings.Repeat("  ", p.Depth)
	switch p.Kind {
	case "branch", "iteration":
		return indent + p.Kind + " " + escape(p.Note)
	case "otherwise":
		return indent + p.Kind
	case "parallel":
		return indent + escape(p.Part) + ": side by side"
	case "if", "while":
		return indent + p.Kind + " " + escape(p.Part)
	}
	return indent + escape(p.Part)
}

// tellPart says where a part stands.
func tellPart(p admin.SagaPart, now time.Time) string {
	switch p.Kind {
	case "while":
		if p.Attempts > 0 {
			return fmt.Sprintf("iteration %d of at most %d%s", p.Attempts, p.Most, because(p.Note))
		}
		return ""
	case "branch", "iteration", "otherwise", "parallel", "if":
		return ""
	}
	switch p.Stands {
	case "done", "undone", "skipped":
		return tellEnd(p)
	case "waiting", "undoing":
		return tellOpen(p, now)
	case "failed":
		return "failed" + because(p.Note)
	case "unknown":
		return "no answer" + because(p.Note) + ahead(p)
	case "stuck":
		return fmt.Sprintf("stuck after %s%s", plural(max(p.Attempts, 1), "attempt"), because(p.Note))
	case "dropped":
		return "no longer waited for"
	case "ahead":
		return tellAhead(p)
	}
	return ""
}

func tellEnd(p admin.SagaPart) string {
	text := p.Stands + " " + stamp(p.Since) + because(p.Note)
	if p.Stands == "done" && p.Attempts > 1 {
		text += fmt.Sprintf(", attempt %d", p.Attempts)
	}
	if p.Saga != nil && p.Saga.ID != "" {
		text += fmt.Sprintf(", saga %s %s: %s", p.Saga.Saga, p.Saga.ID, orGone(p.Saga.Status))
	}
	return text + ahead(p)
}

// ahead says that something is still to be undone.
func ahead(p admin.SagaPart) string {
	if p.Undo == "" || p.Stands != "done" && p.Stands != "unknown" {
		return ""
	}
	return ", to be undone by " + p.Undo
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

// tellOpen says what a part waits for, and until when.
func tellOpen(p admin.SagaPart, now time.Time) string {
	var text string
	switch {
	case p.Kind == "sleep":
		text = "sleeps"
	case p.Kind == "decide":
		text = "waits for a person: " + strings.Join(p.Options, " or ")
	case p.Kind == "saga" && p.Saga != nil:
		text = fmt.Sprintf("%s saga %s %s: %s", map[bool]string{true: "undoes", false: "runs"}[p.Stands == "undoing"], p.Saga.Saga, p.Saga.ID, orGone(p.Saga.Status))
	case p.Pausing && p.Stands == "undoing":
		text = "is undone again" + because(p.Note)
	case p.Pausing:
		text = "is asked for again"
	case p.Stands == "undoing":
		text = "is undone, waits for " + strings.Join(p.For, " or ")
	default:
		text = "waits for " + strings.Join(p.For, " or ")
	}
	if !p.Due.IsZero() {
		word := "until"
		if p.Pausing {
			word = "at"
		}
		text += fmt.Sprintf(" %s %s (%s)", word, stamp(p.Due), away(p.Due.Sub(now)))
	}
	if p.Attempts > 1 {
		text += fmt.Sprintf(", attempt %d", p.Attempts)
		if p.Most > 0 {
			text += fmt.Sprintf(" of %d", p.Most)
		}
	}
	return text
}

// away is how far off a time is.
func away(d time.Duration) string {
	if d <= 0 {
		return "now"
	}
	const day = 24 * time.Hour
	switch {
	case d >= 2*day:
		return fmt.Sprintf("in %d days", d/day)
	case d >= time.Hour:
		return fmt.Sprintf("in %dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("in %dm%ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("in %ds", (d+time.Second-1)/time.Second)
}

// tellAhead says what a part is about that was not reached yet.
func tellAhead(p admin.SagaPart) string {
	text := ""
	switch {
	case p.Command != "":
		text = p.Command
	case p.Kind == "decide":
		text = "a person: " + strings.Join(p.Options, " or ")
	case p.Saga != nil:
		text = "saga " + p.Saga.Saga
	case p.Kind == "fail" || p.Kind == "sleep" || p.Kind == "wait":
		text = p.Kind
	}
	if p.Pivot {
		text += ", pivot"
	}
	return text
}
