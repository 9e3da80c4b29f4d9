package service_test

import (
	"slices"
	"testing"
	"time"

	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

// TestConflictsShrinkTheBatch: transactions that others get in the way of become smaller
// until they find room, and meanwhile the instance says that it lives.
func TestConflictsShrinkTheBatch(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		until := time.Now().Add(2 * store.LeaseTime)
		w.Start("writer", writer)
		write(w, "writer", 0, 40)
		w.Start("reader", func(s *service.Service) {
			service.Conflicts(s, func(records int64) bool { return records > 0 && time.Now().Before(until) || records > 3 })
			reader(s)
		}, service.Config{Shared: true})
		for time.Now().Before(until) {
			w.Sleep(time.Second)
			silent := time.Now().UnixMilli() - store.LeaseTime.Milliseconds()/2
			if dead := w.Query("reader", `SELECT lane FROM tutti_lane WHERE alive < $1`, silent); len(dead) > 0 {
				t.Fatal("it was not heard of for half its lease")
			}
		}
		w.Quiet()
		if got, want := got(w), numbers(0, 40); !slices.Equal(got, want) {
			t.Errorf("handled %v, want %v", got, want)
		}
	})
}
