package tuttitest

import (
	"fmt"
	"os"
	"strconv"
	"testing"
)

// Seeds calls fn with n worlds, each in a subtest of its own and from a seed of
// its own, some of them at once. The subtests are named after their seeds, and one
// that fails says how to run it again.
//
// The variable TUTTI_SEEDS sets another number of worlds, and TUTTI_SEED runs the
// one of that seed.
func Seeds(t *testing.T, n int, fn func(w *World)) {
	t.Helper()
	first := uint64(1)
	if v := os.Getenv("TUTTI_SEEDS"); v != "" {
		var err error
		if n, err = strconv.Atoi(v); err != nil || n < 1 {
			t.Fatalf("TUTTI_SEEDS is %q, want a number from 1", v)
		}
	}
	if v := os.Getenv("TUTTI_SEED"); v != "" {
		var err error
		if first, err = strconv.ParseUint(v, 10, 64); err != nil || first < 1 {
			t.Fatalf("TUTTI_SEED is %q, want a number from 1", v)
		}
		n = 1
	}
	for seed := first; seed < first+uint64(n); seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("seed %d failed; again: TUTTI_SEED=%d go test -run '^%s$'", seed, seed, parent(t.Name()))
				}
			})
			RunConfig(t, Config{Seed: seed}, fn)
		})
	}
}

// parent is the name of the test that a subtest belongs to.
func parent(name string) string {
	for n := len(name) - 1; n >= 0; n-- {
		if name[n] == '/' {
			return name[:n]
		}
	}
	return name
}
