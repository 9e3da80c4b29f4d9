package main

import (
	"strings"
	"testing"

	"github.com/tutti-go/tutti/shop/verify"
)

// TestReportIsPlain: ids that anybody may have written are short in the report, and
// control characters do not reach the terminal.
func TestReportIsPlain(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	printReport(&out, verify.Report{Invariants: map[string]verify.Invariant{verify.Kept: {Violations: 3, Examples: []verify.Violation{
		{ID: "o1", What: `its status is "odd"`},
		{ID: "o2\x1b[2J\xff", What: "it is a return of order o3\u202e, which is not there"},
		{ID: strings.Repeat("ü", 150_000), What: "it is a return of order " + strings.Repeat("x", 300_000)},
	}}}})
	want := `            o1: its status is "odd"
            "o2\x1b[2J\xff": "it is a return of order o3\u202e, which is not there"
            ` + strings.Repeat("ü", 128) + `…: it is a return of order ` + strings.Repeat("x", 1000-24) + "…\n"
	if _, got, _ := strings.Cut(out.String(), "3 times\n"); got != want {
		t.Errorf("the report is %.3000q, want %q", got, want)
	}
}

func TestMissingIsSaid(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	printMissing(&out, nil)
	if out.Len() > 0 {
		t.Errorf("of a whole shop is said %q", out.String())
	}
	printMissing(&out, []string{"order", "gateway-mail"})
	if got := out.String(); !strings.HasPrefix(got, "missing: the databases of order, gateway-mail\n") {
		t.Errorf("of a part is said %q", got)
	}
}
