package service_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

// TestLagOfPartitionsLost: an instance that loses a partition while it has records of it
// in hand does not say for ever how far behind it was there.
func TestLagOfPartitionsLost(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		var stall, stalled atomic.Bool
		read := func(s *service.Service) {
			event.On(s, func(context.Context, *store.Tx, event.Message[Numbered]) error { return nil })
		}
		w.Start("middle", read, service.Config{Shared: true, Batch: 1, Fault: func(p service.Point) error {
			if p == service.BeforeBegin && stall.Load() && stalled.CompareAndSwap(false, true) {
				time.Sleep(10 * time.Second)
			}
			return nil
		}})
		w.Sleep(time.Minute)
		w.Start("middle.b", read, service.Config{Shared: true, Batch: 1})
		stall.Store(true)
		for n := range 24 {
			w.Publish(Numbered{fmt.Sprint("g", n), n})
		}
		w.Sleep(time.Minute)
		w.Quiet()
		listed := map[int32]int{}
		for _, name := range []string{"middle", "middle.b"} {
			for _, lag := range w.Service(name).Status().Lag {
				listed[lag.Partition]++
				if lag.Next != lag.End {
					t.Errorf("%s is behind by its own account: %+v", name, lag)
				}
			}
		}
		if !stalled.Load() || listed[0] != 1 || listed[1] != 1 {
			t.Errorf("partitions are listed %v times, want each once", listed)
		}
		at, err := w.Bus().Bounds(w.T().Context(), "middle", []string{"small.numbered"})
		for p, b := range at {
			if err != nil || b.Committed != b.End {
				t.Errorf("Kafka is told %d of %s, which ends at %d", b.Committed, p, b.End)
			}
		}
	})
}
