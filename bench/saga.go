package main

import (
	"fmt"
	"strconv"
)

// sagaCases measure orders that a mediator directs.
func sagaCases() (cs []Case) {
	at := map[string][]int{"sqlite": levels, "postgres": levels[2:], "kafka-postgres": {levels[0], levels[2]}}
	for _, p := range places {
		for _, n := range at[p.name] {
			cs = append(cs, Case{
				Name: fmt.Sprintf("saga/%s/%d", p.name, n), System: tutti, Setting: "a saga, " + p.setting,
				program: "saga", args: p.args, postgres: p.postgres, kafka: p.kafka, inFlight: n,
			})
		}
	}
	two := cs[len(cs)-1]
	two.Name += "-two-mediators"
	two.Setting += ", two mediators"
	two.args = append([]string{"--instances", "2"}, two.args...)
	gentle := Case{System: tutti, Setting: "a saga, " + places[0].setting, program: "saga"}
	half := gentle
	gentle.Name, gentle.rate = "saga/sqlite/100-per-second", 100
	half.Name, half.halfOf = "saga/sqlite/half-load", "saga/sqlite/"
	return append(cs, two, gentle, half)
}

// directedShopCases measure the whole shop with a mediator.
func directedShopCases() (cs []Case) {
	for _, n := range []int{64, 2000, 4000} {
		cs = append(cs, Case{
			Name: fmt.Sprintf("shop-orchestration/sqlite/%d", n), System: tutti, Setting: "whole shop with a mediator, SQLite, embedded broker",
			program: "shop", args: []string{"--style", "orchestration"}, unless: "--style", inFlight: n,
		})
	}
	c := cs[1]
	c.Name, c.Setting, c.postgres, c.kafka = "shop-orchestration/kafka-postgres/2000", "whole shop with a mediator, PostgreSQL, Kafka", true, true
	return append(cs, c)
}

// growthSagaCases measure sagas with others stored already: with ascending and with
// random ids, while the retention removes them, and beside those that sleep.
func growthSagaCases(o options) (cs []Case) {
	first, last := o.growth[0], o.growth[len(o.growth)-1]
	many := min(last, 1_000_000)
	add := func(name, setting string, keeps bool, args []string, before ...[]string) {
		cs = append(cs, Case{Name: name, System: tutti, Setting: setting, program: "saga", args: args, inFlight: levels[1], before: before, keeps: keeps})
	}
	fill := func(n int) []string { return []string{"--fill", strconv.Itoa(n)} }
	for _, ids := range []struct {
		name, setting string
		args          []string
	}{{"", "", nil}, {"-random", ", random ids", []string{"--random-ids"}}} {
		prefix := "growth-saga" + ids.name + "/sqlite/"
		for i, n := range o.growth {
			add(prefix+strconv.Itoa(n), count(n)+" sagas finished"+ids.setting, i > 0, ids.args, fill(n))
		}
		if ids.name == "" {
			add(fmt.Sprintf("%sretention-%d", prefix, many), count(many)+" sagas finished, being removed", false, []string{"--retention", "1s"}, fill(many))
			add(fmt.Sprintf("%ssleeping-%d", prefix, many), count(many)+" sagas asleep", true, nil, fill(first), []string{"--sleeping", strconv.Itoa(many)})
		}
	}
	return cs
}

// sagaAims are the goals of orchestration.
func sagaAims() (as []aim) {
	ours := of("saga/sqlite/4000", rate)
	as = append(as,
		aim{"saga/sqlite/4000", "four steps by a saga on SQLite and the embedded broker, 4,000 in flight", 6000, "/s", false, ours},
		aim{"saga/kafka-postgres/", "four steps by a saga on Kafka and PostgreSQL", 3000, "/s", false, best("saga/kafka-postgres/")})
	for _, p := range []struct {
		name, system string
		want         float64
	}{{"restate/", "Restate", 10}, {"dbos/", "DBOS", 15}, {"river/", "River", 20}, {"temporal-local/", "Temporal with local activities", 100}} {
		as = append(as, aim{p.name, "a saga on SQLite, times " + p.system + " at its best", p.want, "times (a saga on SQLite)", false, ratio(ours, best(p.name))})
	}
	at64 := highest("restate/64", "dbos/64", "river/64", "temporal-local/64", "temporal/64")
	return append(as,
		aim{"saga/sqlite/64", "a saga on SQLite, times the best engine of others, all at 64 in flight", 3, "times the best of others at 64", false, ratio(of("saga/sqlite/64", rate), at64)},
		aim{"saga/sqlite/100-per-second", "sagas at 100 orders/s, half of the orders", 20, "ms p50", true, of("saga/sqlite/100-per-second", p50)},
		aim{"saga/sqlite/100-per-second", "sagas at 100 orders/s, 99 of 100", 60, "ms p99", true, of("saga/sqlite/100-per-second", p99)},
		aim{"shop-orchestration/sqlite/", "the whole shop with a mediator, of the same by choreography", 0.6, "of choreography", false,
			ratio(best("shop-orchestration/sqlite/"), best("shop/sqlite/"))})
}

// highest is the highest rate of cases, of those that were measured.
func highest(names ...string) figure {
	return func(r *Report) (float64, bool) {
		most := 0.0
		for _, name := range names {
			if result := r.of(name); result != nil {
				most = max(most, result.PerSecond)
			}
		}
		return most, most > 0
	}
}
