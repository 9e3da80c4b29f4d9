package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/bench/load"
)

// measured is a report in which each case has a result: the n-th of n orders a second.
func measured(t *testing.T, o options) *Report {
	t.Helper()
	r := &Report{}
	for i, c := range cases(o) {
		rate := c.rate
		if c.inFlight == 0 && rate == 0 {
			rate = 500
		}
		n := float64(i + 1)
		r.Outcomes = append(r.Outcomes, Outcome{Case: c.Name, System: c.System, Setting: c.Setting, Result: &load.Result{
			InFlight: c.inFlight, Rate: rate, PerSecond: n, P50: n, P99: 2 * n, Memory: 50, Notes: map[string]float64{"idle_mb": 60, "first_order_ms": 700},
		}})
	}
	return r
}

func TestGoalsAreOfCases(t *testing.T) {
	r := measured(t, options{growth: []int{10_000, 1_000_000}})
	known := map[string]bool{}
	for _, o := range r.Outcomes {
		if known[o.Case] {
			t.Errorf("two cases are called %s", o.Case)
		}
		known[o.Case] = true
	}
	goals := judge(r)
	for _, g := range goals {
		if g.Unknown != "" {
			t.Errorf("%s: unknown (%s) though all cases were measured", g.Text, g.Unknown)
		}
		if !known[g.Case] {
			t.Errorf("%s: is told in the line of %q, which is no case", g.Text, g.Case)
		}
	}
	for _, text := range []string{"saga on SQLite, times Temporal", "with a mediator", "growth-saga/sqlite/sleeping-1000000: memory", "growth-random/sqlite/1000000: rate"} {
		found := false
		for _, g := range goals {
			found = found || strings.Contains(g.Text, text)
		}
		if !found {
			t.Errorf("no goal says %q", text)
		}
	}
}

func TestGoalsOfWhatWasNotMeasured(t *testing.T) {
	for _, g := range judge(&Report{}) {
		if g.Unknown == "" || g.Met() {
			t.Errorf("%s: %s, want it unknown", g.Text, g.verdict())
		}
	}
}

func TestPicture(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.svg")
	if err := measured(t, options{growth: []int{10_000, 1_000_000}}).plot(path); err != nil {
		t.Fatal(err)
	}
	picture, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"Temporal: PostgreSQL, activities", "1M sagas asleep", "64 orders in flight"} {
		if !strings.Contains(string(picture), text) {
			t.Errorf("the picture does not say %q", text)
		}
	}
}
