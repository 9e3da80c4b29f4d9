package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tutti-go/tutti/bench/load"
)

// Case is one measurement.
type Case struct {
	Name    string // as in steps/sqlite/4000: what, where, how
	System  string // who is measured
	Setting string // on what, for people

	program  string // measures; see package load for what it is told
	args     []string
	postgres bool // it needs a database
	kafka    bool // it needs a Kafka
	inFlight int
	rate     float64
	halfOf   string     // the rate is half of the highest of the cases whose names begin so
	before   [][]string // what its program is told in runs before, which store what was there already
	keeps    bool       // what is stored serves all turns
	unless   string     // the flag of the shop without which it is skipped
	// run measures where no program of package load does.
	run func(ctx context.Context, s *suite, w workplace) (load.Result, error)
}

// workplace is what a case has for itself.
type workplace struct {
	dir      string
	stored   bool // what was there already is there
	database string
	brokers  string
}

const tutti = "Tutti"

// The levels of load of a closed loop, in orders under way.
var levels = []int{64, 500, 4000}

// cases lists all measurements in the order in which they run.
func cases(o options) []Case {
	var cs []Case
	cs = append(cs, stepsCases()...)
	cs = append(cs, sagaCases()...)
	cs = append(cs, peerCases()...)
	cs = append(cs, shopCases()...)
	cs = append(cs,
		Case{Name: "replay/sqlite", System: tutti, Setting: "shop, a month of invoices", run: replay},
		Case{Name: "idle/sqlite", System: tutti, Setting: "shop, nothing to do", program: "shop",
			args: []string{"--idle", o.settle().String()}, inFlight: 1},
		Case{Name: "dispatch", System: tutti, Setting: "an event to an empty handler", run: dispatch},
	)
	cs = append(cs, growthCases(o)...)
	return append(cs, growthSagaCases(o)...)
}

// place is where a flow runs.
type place struct {
	name, setting   string
	postgres, kafka bool
	args            []string
	levels          []int
}

const kafkaPartitions = "4"

// places are the ways to run the steps; the framework and the flow by hand are run
// in each.
var places = []place{
	{name: "sqlite", setting: "SQLite, embedded broker", levels: levels},
	{name: "postgres", setting: "PostgreSQL, embedded broker", postgres: true, levels: levels},
	{name: "kafka-sqlite", setting: "SQLite, Kafka", kafka: true, args: []string{"--partitions", kafkaPartitions}, levels: levels[2:]},
	{name: "kafka-postgres", setting: "PostgreSQL, Kafka", postgres: true, kafka: true, args: []string{"--partitions", kafkaPartitions}, levels: levels},
}

// stepsCases pairs the framework with the same by hand, one right after the other.
func stepsCases() (cs []Case) {
	for _, p := range places {
		for _, n := range p.levels {
			for _, who := range []struct{ program, system string }{{"steps", tutti}, {"raw", "by hand"}} {
				cs = append(cs, Case{
					Name: fmt.Sprintf("%s/%s/%d", who.program, p.name, n), System: who.system, Setting: p.setting,
					program: who.program, args: p.args, postgres: p.postgres, kafka: p.kafka, inFlight: n,
				})
			}
		}
	}
	sqlite := Case{System: tutti, Setting: places[0].setting, program: "steps"}
	gentle, half := sqlite, sqlite
	gentle.Name, gentle.rate = "steps/sqlite/100-per-second", 100
	half.Name, half.halfOf = "steps/sqlite/half-load", "steps/sqlite/"
	return append(cs, gentle, half)
}

// peer is a system of others.
type peer struct {
	name, system, setting string
	program               string
	args                  []string
	postgres              bool
	levels                []int // what suits it, and what all engines have in common
}

var peers = []peer{
	{"watermill", "Watermill", "PostgreSQL", "watermill", nil, true, []int{200, 1000}},
	{"dbos", "DBOS", "PostgreSQL", "dbos", nil, true, []int{64, 128}},
	{"river", "River", "PostgreSQL", "river", nil, true, []int{64, 500}},
	{"restate", "Restate", "its own log", "restate", nil, false, []int{64, 1000}},
	{"temporal-local", "Temporal", "PostgreSQL, local activities", "temporal", []string{"--local"}, true, []int{64, 200}},
	{"temporal", "Temporal", "PostgreSQL, activities", "temporal", nil, true, []int{64}},
}

func peerCases() (cs []Case) {
	for _, p := range peers {
		for _, n := range p.levels {
			cs = append(cs, Case{Name: fmt.Sprintf("%s/%d", p.name, n), System: p.system, Setting: p.setting,
				program: p.program, args: p.args, postgres: p.postgres, inFlight: n})
		}
	}
	return cs
}

func shopCases() (cs []Case) {
	shop := Case{System: tutti, Setting: "whole shop by HTTP, SQLite, embedded broker", program: "shop"}
	for _, n := range []int{64, 2000, 4000} {
		c := shop
		c.Name, c.inFlight = fmt.Sprintf("shop/sqlite/%d", n), n
		cs = append(cs, c)
	}
	gentle, half := shop, shop
	gentle.Name, gentle.rate = "shop/sqlite/100-per-second", 100
	half.Name, half.halfOf = "shop/sqlite/half-load", "shop/sqlite/"
	cs = append(cs, gentle, half)
	for _, n := range []int{64, 2000} {
		c := shop
		c.Name, c.inFlight = fmt.Sprintf("shop/kafka-postgres/%d", n), n
		c.Setting, c.postgres, c.kafka, c.unless = "whole shop by HTTP, PostgreSQL, Kafka", true, true, "--database"
		cs = append(cs, c)
	}
	return append(cs, directedShopCases()...)
}

// growthCases measures the steps with orders stored already. Where those are few, they
// are stored anew for each turn, as they would not stay few.
func growthCases(o options) (cs []Case) {
	for _, ids := range []string{"", "-random"} {
		for i, n := range o.growth {
			c := Case{Name: fmt.Sprintf("growth%s/sqlite/%d", ids, n), System: tutti, Setting: count(n) + " orders stored",
				program: "steps", inFlight: levels[1], before: [][]string{{"--fill", strconv.Itoa(n)}}, keeps: i > 0}
			if ids != "" {
				c.Setting += ", random ids"
				c.args = []string{"--random-ids"}
			}
			cs = append(cs, c)
		}
	}
	return cs
}

// command is what the program of the case is told.
func (c Case) command(s *suite, w workplace) []string {
	args := append([]string{"--dir", w.dir, "--warm", s.warm.String(), "--for", s.measured.String()}, c.args...)
	if c.inFlight > 0 {
		args = append(args, "--in-flight", strconv.Itoa(c.inFlight))
	} else {
		args = append(args, "--rate", strconv.FormatFloat(c.rate, 'f', 1, 64))
	}
	if w.database != "" {
		args = append(args, "--database", w.database)
	}
	if w.brokers != "" {
		args = append(args, "--brokers", w.brokers)
	}
	if s.profile != "" {
		args = append(args, "--cpuprofile", s.profile+"/"+strings.ReplaceAll(c.Name, "/", "-")+".prof")
	}
	return args
}

// settle is how long a shop without work is left alone before its memory is looked
// at: the runtime gives memory back slowly.
func (o options) settle() time.Duration {
	if o.quick {
		return 2 * time.Second
	}
	return 30 * time.Second
}
