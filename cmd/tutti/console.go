package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-isatty"
)

// console is what a command reads from and writes to.
type console struct {
	in       io.Reader
	out, err io.Writer
	asks     bool // a person is there to answer
	colours  bool
	getenv   func(string) string
}

func newConsole(stdout, stderr io.Writer, getenv func(string) string) *console {
	c := &console{in: os.Stdin, out: stdout, err: stderr, asks: isTerminal(os.Stdin) && isTerminal(stderr), getenv: getenv}
	c.colours = isTerminal(stdout) && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb" // no-color.org
	return c
}

func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// The colours that we use, as SGR codes of ECMA-48.
const (
	bold = "1"
	dim  = "2"
	red  = "31"
)

func (c *console) paint(code, s string) string {
	if !c.colours || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// line writes v as one line of JSON.
func (c *console) line(v any) error {
	enc := json.NewEncoder(c.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// table writes rows under a heading, if there is one, in columns. Cells are escaped.
func (c *console) table(heading []string, rows [][]string) error {
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	if heading != nil {
		fmt.Fprintln(w, strings.Join(heading, "\t"))
	}
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = escape(cell)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return w.Flush()
}

// escape makes text from the wire harmless: what is not printed, such as control
// characters and marks that turn the direction of text, is shown by its code.
func escape(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		i += size
	}
	return b.String()
}

// brief is the first line of a text, cut to n characters.
func brief(s string, n int) string {
	first, _, more := strings.Cut(s, "\n")
	runes := []rune(first)
	if len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	if more {
		return first + "…"
	}
	return first
}

// stamp is a time for people.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// plural says how many there are of something.
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// confirm asks a person for a yes.
func (c *console) confirm(question string) bool {
	fmt.Fprintf(c.err, "%s Type yes: ", question)
	answer := make([]byte, 0, 16)
	one := make([]byte, 1)
	for len(answer) < 16 {
		n, err := c.in.Read(one)
		if n == 0 || err != nil || one[0] == '\n' {
			break
		}
		answer = append(answer, one[0])
	}
	return strings.TrimSpace(string(answer)) == "yes"
}
