package service_test

import (
	"slices"
	"strings"
	"sync/atomic"
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

// A transaction that gets in the way of another's for longer than a handler may take, as
// where somebody has locked a table: the service is not ready, says why, and goes on by
// itself.
func TestConflictThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	bus, log := cluster(t), &logged{}
	var locked atomic.Bool
	s, _ := start(t, bus, "locked", t.TempDir(), service.Config{HandlerTimeout: 300 * time.Millisecond, Logger: log.logger()}, func(s *service.Service) {
		picky(func(Made) error { return nil })(s)
		service.Conflicts(s, func(int64) bool { return locked.Load() })
	})
	locked.Store(true)
	produce(t, bus, madeTopic, made("a", 0))
	eventually(t, s, "it is not ready and says why", func() bool {
		st := s.Status()
		return !st.Ready && len(st.Problems) > 0 && strings.Contains(st.Problems[0], store.ErrConflict.Error()) &&
			log.has("the database does not take a transaction", store.ErrConflict.Error())
	})
	locked.Store(false)
	eventually(t, s, "all is done and it is ready", func() bool { return rows(t, s)["a0"] == 1 && s.Status().Ready })
}
