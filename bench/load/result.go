package load

import (
	"fmt"
	"slices"
	"time"
)

// Result is what was measured. Times are in milliseconds.
type Result struct {
	InFlight int     `json:"in_flight,omitempty"`
	Rate     float64 `json:"rate,omitempty"` // of an open loop
	Seconds  float64 `json:"seconds"`
	Orders   int     `json:"orders"`
	// PerSecond is Orders by the time from the last order that ended before the measured
	// time to the last one within it.
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_ms"`
	P90       float64 `json:"p90_ms"`
	P99       float64 `json:"p99_ms"`
	Max       float64 `json:"max_ms"`
	// Failed is how many orders failed, or were still under way long after the end.
	Failed int `json:"failed"`
	// CPU is what the whole machine spent on an order.
	CPU float64 `json:"cpu_ms_per_order"`
	// Memory is what the measured process (of a library: the measuring one) held in RAM
	// at the end of the measured time, in MB.
	Memory float64 `json:"memory_mb"`
	// Start is how long the system took to be ready.
	Start float64 `json:"start_ms"`
	// Notes are figures of the one system.
	Notes map[string]float64 `json:"notes,omitempty"`
}

func (r *runner) result() (Result, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.took) == 0 {
		if r.first == nil {
			r.first = fmt.Errorf("none ended within the measured %v", r.plan.For)
		}
		return Result{}, fmt.Errorf("no order was confirmed: %w", r.first)
	}
	slices.Sort(r.took)
	seconds := r.after.at.Sub(r.before.at).Seconds()
	perSecond := float64(len(r.took)) / seconds
	if r.plan.Rate == 0 && !r.began.IsZero() { // thousands may end together: whether another such wave is in the time is chance
		ended := r.ended
		if r.after.at.Sub(ended) > r.took[len(r.took)-1] { // longer than any order took: that is a stall
			ended = r.after.at
		}
		perSecond = float64(len(r.took)) / ended.Sub(r.began).Seconds()
	}
	return Result{
		InFlight: r.plan.InFlight, Rate: r.plan.Rate, Seconds: seconds,
		Orders: len(r.took), PerSecond: perSecond,
		P50: quantile(r.took, 50), P90: quantile(r.took, 90), P99: quantile(r.took, 99), Max: quantile(r.took, 100),
		Failed: r.failed,
		CPU:    (r.after.busy - r.before.busy) * 1000 / seconds / perSecond,
	}, nil
}

// quantile is the nearest rank of sorted durations, in milliseconds.
func quantile(sorted []time.Duration, percent int) float64 {
	rank := (len(sorted)*percent + 99) / 100
	return Milliseconds(sorted[max(rank, 1)-1])
}

// Milliseconds is d as results have it.
func Milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
