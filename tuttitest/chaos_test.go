package tuttitest

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestPlansFollowTheirSeed(t *testing.T) {
	c := Chaos{Over: 20 * time.Second, Faults: 50, Kinds: AllFaults, Services: []string{"a", "b"}}
	draw := func(seed uint64) []harm { return plan(rand.New(rand.NewPCG(seed, 0)), c, []string{"x", "y"}) }
	if !slices.Equal(draw(7), draw(7)) {
		t.Error("one seed gives two plans")
	}
	if slices.Equal(draw(7), draw(8)) {
		t.Error("two seeds give one plan")
	}
	for _, h := range draw(7) {
		if h.at < 0 || h.at >= c.Over {
			t.Errorf("fault %v begins at %v, want it within %v", h, h.at, c.Over)
		}
	}
}
