package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bin is where TestMain builds the commands.
var bin string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if bin, err = os.MkdirTemp("", "torture-test-"); err == nil {
			defer os.RemoveAll(bin)
			err = build(context.Background(), bin)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// brief is a torture of two kills.
func brief(layout string) *settings {
	return &settings{
		bin: bin, layout: layout, kills: 2, seed: 7, rate: 40, every: 300 * time.Millisecond, style: mixed, look: true, patience: 2 * time.Minute,
	}
}

func TestKilled(t *testing.T) {
	for _, layout := range []string{"one", "each"} { // pair needs a PostgreSQL: .ci/torture
		t.Run(layout, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			set := brief(layout)
			set.dir = t.TempDir()
			if err := torture(t.Context(), set, &out); err != nil {
				t.Fatalf("%v\n%s", err, &out)
			}
			for _, want := range []string{"seed 7", "2 kills", "invariants hold"} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("it does not say %q:\n%s", want, &out)
				}
			}
		})
	}
}

// What must be found is found: an order that the shop does not have, one that is
// not what was asked for, and one that does not end.
func TestFinds(t *testing.T) {
	t.Parallel()
	set := brief("one")
	set.dir = t.TempDir()
	err := within(t.Context(), set, t.Output(), func(ctx context.Context, r *run) error {
		return r.under(ctx, func(ctx context.Context) error {
			slow := r.load.order(1_000_000)                              // not one that the load places
			slow.body.PaymentToken, slow.cancelled = "tok_down_9", false // its retries outlast our patience
			if err := r.load.place(ctx, slow); err != nil {
				return err
			}
			short, cancel := context.WithTimeoutCause(ctx, time.Second, errPatience)
			defer cancel()
			for _, tc := range []struct {
				id    string
				total int64
				want  string
			}{
				{"never-placed", 1, "lost: order never-placed was acknowledged, and is not there"},
				{slow.id, slow.total() + 1, "wrong: order " + slow.id},
				{slow.id, slow.total(), "stuck: not all was settled in time (--patience): order " + slow.id},
			} {
				if how, err := r.end(short, tc.id, tc.total); err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("order %s ends as %q, %v, want %q", tc.id, how, err, tc.want)
				}
			}
			return nil
		})
	})
	if err != nil {
		t.Error(err)
	}
}

// Whoever has to look into a failure is told what to look at.
func TestFailure(t *testing.T) {
	set := brief("one")
	set.dir = t.TempDir()
	err := within(t.Context(), set, t.Output(), func(context.Context, *run) error { return errors.New("broken") })
	if err == nil || !strings.Contains(err.Error(), "broken\nseed 7;") || !strings.Contains(err.Error(), set.dir) {
		t.Errorf("it ends with %v, want the error, the seed and the directory", err)
	}
}

// The same seed draws the same orders.
func TestSeed(t *testing.T) {
	a, b, other := &load{seed: 3, slow: 5, style: mixed}, &load{seed: 3, slow: 5, style: mixed}, &load{seed: 4, slow: 5}
	same := 0
	for n := range 100 {
		if x, y := a.order(n), b.order(n); x.id != y.id || x.total() != y.total() || x.body.PaymentToken != y.body.PaymentToken || x.body.Style != y.body.Style {
			t.Errorf("order %d is %v, and %v from the same seed", n, x, y)
		}
		if a.order(n).total() == other.order(n).total() {
			same++
		}
	}
	if same > 50 {
		t.Errorf("%d of 100 orders are alike from another seed", same)
	}
}

func TestSettings(t *testing.T) {
	set := settings{layout: "none", kafka: []string{"x"}, kills: -1, lasting: -1, slow: 99}
	err := set.validate()
	if err == nil {
		t.Fatal("nonsense is valid")
	}
	for _, flag := range []string{"--layout", "--kafka", "--kills", "--for", "--rate", "--every", "--slow", "--style", "--patience"} {
		if !strings.Contains(err.Error(), flag) {
			t.Errorf("%v: does not name %s", err, flag)
		}
	}
}

func TestFaultsInLogs(t *testing.T) {
	for text, broken := range map[string]bool{"all is well\n": false, "x\npanic: no\n": true, "x\nWARNING: DATA RACE\n": true} {
		p := &process{name: "p", log: filepath.Join(t.TempDir(), "p.log")}
		if err := os.WriteFile(p.log, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := p.faults(); (err != nil) != broken {
			t.Errorf("faults() of %q = %v", text, err)
		}
	}
}
