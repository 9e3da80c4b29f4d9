package service_test

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/tuttitest"
)

// TestSmallWorlds runs the small world from many seeds, with all guards: in CI, where
// TUTTI_SEEDS says so, from a thousand.
func TestSmallWorlds(t *testing.T) {
	tuttitest.Seeds(t, 40, func(w *tuttitest.World) { live(w, "") })
}

// without names the guard that TestWithoutGuard runs without.
const withoutVariable = "TUTTI_WITHOUT"

// TestWithoutGuard is run by TestGuards, in a process of its own: it is to fail.
func TestWithoutGuard(t *testing.T) {
	guard := service.Guard(os.Getenv(withoutVariable))
	if guard == "" {
		t.Skip("run by TestGuards")
	}
	for seed := uint64(1); seed <= 1000 && !t.Failed(); seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			tuttitest.RunConfig(t, tuttitest.Config{Seed: seed}, func(w *tuttitest.World) { live(w, guard) })
		})
	}
}

// TestGuards switches each guard off, and shows that some of 1000 seeds fail without
// it; the same seed passes with it.
func TestGuards(t *testing.T) {
	if testing.Short() || os.Getenv("TUTTI_SEEDS") == "" {
		t.Skip("it runs hundreds of worlds, for minutes: TUTTI_SEEDS=1000 asks for it")
	}
	for _, guard := range []service.Guard{
		service.GuardDuplicates, service.GuardGaps, service.GuardAgain, service.GuardFirst, service.GuardResend, service.GuardChecks, service.GuardHeads, service.GuardKeys,
		service.GuardTurns, service.GuardPositions, service.GuardLanes,
	} {
		t.Run(strings.ReplaceAll(string(guard), " ", "_"), func(t *testing.T) {
			seed, out := firstFailure(t, guard)
			if seed == "" {
				t.Fatalf("no seed fails without this guard: the worlds do not show what it is for\n%s", out)
			}
			t.Logf("without it, seed %s fails", seed)
			again := exec.Command(os.Args[0], "-test.run=^TestSmallWorlds$")
			again.Env = append(os.Environ(), "TUTTI_SEED="+seed)
			if out, err := again.CombinedOutput(); err != nil {
				t.Errorf("seed %s fails with the guard too: %v\n%s", seed, err, out)
			}
		})
	}
}

var failedSeed = regexp.MustCompile(`(?:FAIL: TestWithoutGuard/seed=|=== RUN +TestWithoutGuard/seed=)(\d+)`)

// firstFailure runs seeds without a guard until one fails, and returns its number and
// the output, in part.
func firstFailure(t *testing.T, guard service.Guard) (seed, out string) {
	run := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWithoutGuard$", "-test.v", "-test.timeout=30m")
	run.Env = append(os.Environ(), withoutVariable+"="+string(guard))
	raw, err := run.CombinedOutput()
	out = string(raw)
	if err == nil {
		return "", out[max(0, len(out)-2000):]
	}
	// A world may come to a standstill too: then its bubble ends the process. But that there
	// was no time for a failure shows nothing.
	if strings.Contains(out, "panic: test timed out") {
		return "", "the time was up: " + out[max(0, len(out)-2000):]
	}
	for _, m := range failedSeed.FindAllStringSubmatch(out, -1) { // the last that ran
		seed = m[1]
	}
	return seed, cmp.Or(out[max(0, len(out)-2000):], "no output")
}
