package load

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// settle is an order that takes that long.
func settle(d time.Duration) Order {
	return func(ctx context.Context, _ string) error { return sleep(ctx, d) }
}

func TestClosedLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := Plan{InFlight: 10, Warm: time.Second, For: 10 * time.Second}.Run(t.Context(), settle(99*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		if r.PerSecond < 100 || r.PerSecond > 102 || r.P50 != 99 || r.P99 != 99 || r.Failed != 0 {
			t.Errorf("10 in flight of 99 ms each: %+v, want 101 a second and 99 ms", r)
		}
	})
}

// Orders that end in waves have the rate of the waves, wherever the measured time ends.
func TestWaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const every = 300 * time.Millisecond
		begin := time.Now()
		wave := func(ctx context.Context, _ string) error { return sleep(ctx, every-time.Since(begin)%every) }
		for _, d := range []time.Duration{1000 * time.Millisecond, 1150 * time.Millisecond, 1250 * time.Millisecond} {
			begin = time.Now()
			r, err := Plan{InFlight: 30, Warm: time.Second, For: d}.Run(t.Context(), wave)
			if err != nil || r.PerSecond < 99 || r.PerSecond > 101 {
				t.Errorf("30 orders each 300 ms, for %v: %+v, %v, want 100 a second", d, r, err)
			}
		}
	})
}

// A system that stops before the measured time is over is not as fast as it was before.
func TestStallAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		r, err := Plan{InFlight: 1, Warm: time.Second, For: 10 * time.Second}.Run(t.Context(), func(ctx context.Context, _ string) error {
			if time.Since(begin) > 2*time.Second {
				return sleep(ctx, 20*time.Second)
			}
			return sleep(ctx, 10*time.Millisecond)
		})
		if err != nil || r.PerSecond > 11 {
			t.Errorf("100 orders in 10 s: %+v, %v", r, err)
		}
	})
}

// The third second's orders wait for a stall to end: an open loop has to show that.
func TestOpenLoopCountsFromTheSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		r, err := Plan{Rate: 10, For: 10 * time.Second}.Run(t.Context(), func(ctx context.Context, _ string) error {
			if at := time.Since(begin); at >= 2*time.Second && at < 3*time.Second {
				return sleep(ctx, 3*time.Second-at)
			}
			return sleep(ctx, time.Millisecond)
		})
		if err != nil {
			t.Fatal(err)
		}
		if r.Orders != 100 || r.P50 != 1 || r.Max != 1000 {
			t.Errorf("100 orders, one second of which stalls: %+v, want a longest of 1000 ms", r)
		}
	})
}

func TestLostOrdersEndTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		var w Waiting
		begin := time.Now()
		r, err := Plan{InFlight: 2, For: time.Second}.Run(t.Context(), func(ctx context.Context, id string) error {
			wait := w.Begin(id)
			if n.Add(1) != 1 { // the first is never confirmed
				go func() { time.Sleep(time.Millisecond); w.End(id) }()
			}
			return wait(ctx)
		})
		if err != nil {
			t.Fatal(err)
		}
		if r.Failed != 1 || time.Since(begin) != time.Second+Patience {
			t.Errorf("%d failed after %v, want 1 after %v", r.Failed, time.Since(begin), time.Second+Patience)
		}
	})
}

func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		plan Plan
		want string
	}{
		"both loops":   {Plan{InFlight: 1, Rate: 1, For: time.Second}, "in flight is 1 and rate 1"},
		"no time":      {Plan{InFlight: 1}, "for 0s"},
		"none works":   {Plan{InFlight: 1, For: time.Second}, "no order was confirmed: out of stock"},
		"none in time": {Plan{Rate: 0.1, Warm: time.Second, For: time.Second}, "no order was confirmed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := c.plan.Run(t.Context(), func(context.Context, string) error { return errors.New("out of stock") })
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %v, want %q", err, c.want)
				}
			})
		})
	}
}

func TestQuantile(t *testing.T) {
	var ds []time.Duration
	for i := range 100 {
		ds = append(ds, time.Duration(i+1)*time.Millisecond)
	}
	for percent, want := range map[int]float64{50: 50, 99: 99, 100: 100} {
		if got := quantile(ds, percent); got != want {
			t.Errorf("quantile %d of 1 to 100 ms = %v, want %v", percent, got, want)
		}
	}
	if got := quantile(ds[:1], 50); got != 1 {
		t.Errorf("quantile of one = %v, want 1", got)
	}
}
