package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/tutti-go/tutti/bench/load"
)

// Goal is one of the project's goals, and what this run says of it.
type Goal struct {
	Case string  `json:"case"` // in whose line it is told
	Text string  `json:"goal"`
	Want float64 `json:"want"`
	Got  float64 `json:"got"`
	Unit string  `json:"unit"`
	Most bool    `json:"at_most,omitempty"` // Got is to be Want or less; else Want or more
	// Unknown says why the run cannot tell.
	Unknown string `json:"unknown,omitempty"`
}

// Met reports whether the goal is met.
func (g Goal) Met() bool {
	return g.Unknown == "" && (g.Most && g.Got <= g.Want || !g.Most && g.Got >= g.Want)
}

// verdict is for a cell of a table: what was wanted, and by how much it is missed.
func (g Goal) verdict() string {
	sign := "≥"
	if g.Most {
		sign = "≤"
	}
	want := strings.TrimSpace(fmt.Sprintf("%s %s %s", sign, number(g.Want), g.Unit))
	switch {
	case g.Unknown != "":
		return want + " unknown"
	case g.Met():
		return want + " met"
	}
	return fmt.Sprintf("%s MISSED (%s, %s times that)", want, number(g.Got), number(g.Got/g.Want))
}

// figure is a way to look at the results: the value, or why there is none.
type figure func(r *Report) (float64, bool)

func of(name string, get func(*load.Result) float64) figure {
	return func(r *Report) (float64, bool) {
		if result := r.of(name); result != nil {
			return get(result), true
		}
		return 0, false
	}
}

func rate(r *load.Result) float64 { return r.PerSecond }
func p50(r *load.Result) float64  { return r.P50 }
func p99(r *load.Result) float64  { return r.P99 }

func memory(r *load.Result) float64 { return r.Memory }

func note(name string) func(*load.Result) float64 {
	return func(r *load.Result) float64 { return r.Notes[name] }
}

func ratio(a, b figure) figure {
	return func(r *Report) (float64, bool) {
		x, okX := a(r)
		y, okY := b(r)
		return x / cmp.Or(y, 1), okX && okY && y > 0
	}
}

// best is the highest rate of a peer.
func best(prefix string) figure {
	return func(r *Report) (float64, bool) {
		rate := r.highest(prefix)
		return rate, rate > 0
	}
}

// aim is a goal before it is judged.
type aim struct {
	on   string
	text string
	want float64
	unit string
	most bool
	got  figure
}

// aims are the goals of the project.
func aims(r *Report) (as []aim) {
	perSecond := func(name, text string, want float64) aim {
		return aim{name, text, want, "/s", false, of(name, rate)}
	}
	as = append(as,
		perSecond("steps/sqlite/4000", "four steps on SQLite and the embedded broker, 4,000 in flight", 10_000),
		perSecond("steps/kafka-postgres/4000", "four steps on Kafka and PostgreSQL", 5000))
	for _, p := range places {
		for _, n := range p.levels {
			ours, raw := fmt.Sprintf("steps/%s/%d", p.name, n), fmt.Sprintf("raw/%s/%d", p.name, n)
			as = append(as, aim{ours, fmt.Sprintf("of the same by hand, on %s, %d in flight", p.setting, n), 0.8, "of by hand", false, ratio(of(ours, rate), of(raw, rate))})
		}
	}
	for _, p := range []struct {
		name, system string
		want         float64
	}{{"watermill/", "Watermill (SQL)", 3}, {"restate/", "Restate", 10}, {"dbos/", "DBOS", 20}, {"river/", "River", 20}} {
		for _, ours := range []struct{ name, on string }{{"steps/sqlite/4000", "SQLite"}, {"steps/postgres/4000", "PostgreSQL"}} {
			as = append(as, aim{p.name, fmt.Sprintf("ours on %s, times %s at its best", ours.on, p.system), p.want,
				"times (ours on " + ours.on + ")", false, ratio(of(ours.name, rate), best(p.name))})
		}
	}
	as = append(as,
		aim{"shop/sqlite/", "whole shop by HTTP, SQLite, one process", 4000, "/s", false, best("shop/sqlite/")},
		aim{"shop/kafka-postgres/", "whole shop by HTTP, Kafka and PostgreSQL", 1500, "/s", false, best("shop/kafka-postgres/")},
		aim{"replay/sqlite", "replay of a month", 1500, "invoices/s", false, of("replay/sqlite", rate)})
	for _, flow := range []string{"steps", "shop"} {
		gentle, half := flow+"/sqlite/100-per-second", flow+"/sqlite/half-load"
		as = append(as,
			aim{gentle, flow + " at 100 orders/s, half of the orders", 15, "ms p50", true, of(gentle, p50)},
			aim{gentle, flow + " at 100 orders/s, 99 of 100", 50, "ms p99", true, of(gentle, p99)},
			aim{half, flow + " at half of the highest load, 99 of 100", 150, "ms p99", true, of(half, p99)})
	}
	as = append(as,
		aim{"idle/sqlite", "memory of the idle shop", 80, "MB", true, of("idle/sqlite", note("idle_mb"))},
		aim{"idle/sqlite", "from the start to the first confirmed order", 1500, "ms", true, of("idle/sqlite", note("first_order_ms"))})
	as = append(as, sagaAims()...)
	for _, prefix := range []string{"growth/sqlite/", "growth-random/sqlite/", "growth-saga/sqlite/", "growth-saga-random/sqlite/"} {
		as = append(as, growthAims(r, prefix)...)
	}
	return as
}

// growthAims compare each size with the smallest.
func growthAims(r *Report, prefix string) (as []aim) {
	var names []string
	for _, o := range r.Outcomes {
		if strings.HasPrefix(o.Case, prefix) {
			names = append(names, o.Case)
		}
	}
	if len(names) < 2 {
		return nil
	}
	for _, name := range names[1:] {
		as = append(as, aim{name, name + ": rate of the smallest", 0.9, "of the smallest", false, ratio(of(name, rate), of(names[0], rate))})
		if strings.HasPrefix(prefix, "growth-saga") && !strings.Contains(name, "retention") { // which removes what it has to read
			as = append(as, aim{name, name + ": memory of the smallest", 1.2, "of the smallest's memory", true, ratio(of(name, memory), of(names[0], memory))})
		}
	}
	return as
}

// judge says which goals are met. A goal that belongs to several cases is told in
// the line of the best of them.
func judge(r *Report) (gs []Goal) {
	for _, a := range aims(r) {
		g := Goal{Case: r.fastest(a.on), Text: a.text, Want: a.want, Unit: a.unit, Most: a.most}
		got, ok := a.got(r)
		if g.Got = got; !ok {
			g.Got, g.Unknown = 0, "not measured in this run"
		}
		gs = append(gs, g)
	}
	return gs
}

// fastest is the case of the highest rate whose name begins so, or the name itself.
func (r *Report) fastest(prefix string) (name string) {
	if !strings.HasSuffix(prefix, "/") {
		return prefix
	}
	rate := 0.0
	for _, o := range r.Outcomes {
		if strings.HasPrefix(o.Case, prefix) && o.Result != nil && o.Result.InFlight > 0 && o.Result.PerSecond > rate {
			name, rate = o.Case, o.Result.PerSecond
		}
	}
	return cmp.Or(name, prefix)
}
