package main

import (
	"testing"

	"github.com/tutti-go/tutti/bench/load"
)

func TestMedian(t *testing.T) {
	turn := func(rate float64) Outcome { return Outcome{Result: &load.Result{PerSecond: rate}} }
	for _, tc := range []struct {
		turns []Outcome
		want  float64
	}{
		{[]Outcome{turn(5)}, 5},
		{[]Outcome{turn(5), turn(9)}, 5},
		{[]Outcome{turn(9), turn(1), turn(5)}, 5},
		{[]Outcome{turn(1), turn(7), turn(9), turn(2), turn(3)}, 3},
	} {
		if got := median(tc.turns).Result.PerSecond; got != tc.want {
			t.Errorf("of %d turns, the one with %v stands for all, want that with %v", len(tc.turns), got, tc.want)
		}
	}
	if got := median([]Outcome{turn(1), {Failed: "a disk is full"}, turn(3)}); got.Failed == "" {
		t.Error("a turn that failed is told by none")
	}
}
