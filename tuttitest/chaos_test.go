package tuttitest

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/service"
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

// failsInside runs fn in a world, in another process, which has to fail because of a
// service that ended by itself.
func failsInside(t *testing.T, fn func(w *World)) {
	t.Helper()
	const inside = "TUTTITEST_INSIDE"
	if os.Getenv(inside) != "" {
		Run(t, fn)
		return
	}
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	again.Env = append(os.Environ(), inside+"=1")
	out, err := again.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "service idle ended by itself") {
		t.Errorf("the test ended with %v and says\n%s", err, out)
	}
}

// TestChaosHidesNoEnd: a service that ends by itself, while a fault waits for it to come
// to a point, fails the test.
func TestChaosHidesNoEnd(t *testing.T) {
	failsInside(t, func(w *World) {
		w.Start("idle", func(*service.Service) {})
		w.chaos.Go(func() {
			w.harm(harm{kind: CrashPoint, service: "idle", point: service.BeforeCommit, n: 8, lasts: time.Second})
		})
		w.Sleep(time.Second)
		w.get("idle").cancel(nil) // as a fault of its own would
		w.Quiet()
	})
}

// TestStartHidesNoEnd: a service that has ended by itself fails the test also if it is
// started again.
func TestStartHidesNoEnd(t *testing.T) {
	failsInside(t, func(w *World) {
		w.Start("idle", func(*service.Service) {})
		w.get("idle").cancel(nil) // as a fault of its own would
		<-w.get("idle").ended
		w.Restart("idle")
	})
}
