package replay

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/tutti-go/tutti/shop/verify"
)

// Summary is how a replay ended. Of a complete one, Lines = Placed + Returned + the
// sum of Rejected, and Orders = Confirmed + Cancelled; after a crash the same
// command on the same data ends with the same figures, but for the times, as long as
// there is stock for all orders.
type Summary struct {
	Lines     int            `json:"lines"` // of data in the file
	Orders    int            `json:"orders"`
	Confirmed int            `json:"confirmed"`
	Cancelled int            `json:"cancelled"`
	Placed    int            `json:"placed"`   // lines of orders
	Returned  int            `json:"returned"` // lines that took goods back
	Returns   int            `json:"returns"`  // invoices that did, from one order or several
	Rejected  map[Reason]int `json:"rejected"` // lines
	// Resumed is how many of the orders had ended before this run. They do not count
	// for the speed.
	Resumed int `json:"resumed"`
	// Unsettled is how many orders and returns were under way when the replay was
	// stopped.
	Unsettled int `json:"unsettled"`
	// Events is how many events the shop has published since its data began; the
	// caller adds it and the invariants from [verify.Run].
	Events int64 `json:"events"`
	// Seconds is from placing the first order, or from the beginning of the run if
	// orders of an earlier one ended before that.
	Seconds         float64 `json:"seconds"`
	OrdersPerSecond float64 `json:"orders_per_second"`
	// Latency is from sending an order to learning that it is confirmed or
	// cancelled. It is not known of orders that an earlier run has sent, and that
	// ended before they were sent again.
	Latency    Latency                     `json:"latency_ms"`
	Invariants map[string]verify.Invariant `json:"invariants"`

	// Error is why the replay failed, where it did; the caller adds it.
	Error string `json:"error,omitempty"`

	// Settled says that all that was placed has ended, also where the file was not read
	// to its end.
	Settled bool `json:"-"`
	// Accepted is the ids of the orders that the shop has acknowledged.
	Accepted []string `json:"-"`
}

// Latency is percentiles in milliseconds.
type Latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// Rejections is how many lines were rejected.
func (s Summary) Rejections() int {
	sum := 0
	for _, n := range s.Rejected {
		sum += n
	}
	return sum
}

// Complete reports whether the whole file was replayed and nothing is under way.
func (s Summary) Complete() bool {
	return s.Unsettled == 0 && s.Lines == s.Placed+s.Returned+s.Rejections() && s.Orders == s.Confirmed+s.Cancelled
}

func (s Summary) clone() Summary {
	s.Rejected = maps.Clone(s.Rejected)
	s.Accepted = slices.Clone(s.Accepted)
	return s
}

// measure adds the times.
func (s *Summary) measure(took time.Duration, waits []time.Duration) {
	s.Seconds = round(took.Seconds(), 3)
	if fresh := s.Confirmed + s.Cancelled - s.Resumed; fresh > 0 && took > 0 {
		s.OrdersPerSecond = round(float64(fresh)/took.Seconds(), 1)
	}
	slices.Sort(waits)
	s.Latency = Latency{P50: percentile(waits, 50), P99: percentile(waits, 99)}
}

// percentile is the nearest rank of sorted durations, in milliseconds.
func percentile(sorted []time.Duration, p int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := (len(sorted)*p + 99) / 100
	return round(float64(sorted[max(rank, 1)-1])/float64(time.Millisecond), 3)
}

func round(x float64, digits int) float64 {
	f := math.Pow10(digits)
	return math.Round(x*f) / f
}

// Progress is how far a replay is.
type Progress struct {
	Invoices  int // orders and returns in the file
	Read      int // of them
	Orders    int // that the shop has accepted
	Confirmed int
	Cancelled int
	Returns   int
	Rejected  int // lines
	UnderWay  int // orders and returns
}
