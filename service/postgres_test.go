package service_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

// TestConnectionsLost lets the server end the service's connections again and again,
// at any moment: what was acknowledged is done, and nothing is done twice or parked.
func TestConnectionsLost(t *testing.T) {
	if os.Getenv("TUTTI_POSTGRES") == "" {
		t.Skip("TUTTI_POSTGRES names no PostgreSQL: see scripts/postgres")
	}
	bus := cluster(t)
	s, _ := start(t, bus, "cutoff", t.TempDir(), service.Config{Backoff: 5 * time.Millisecond, MaxBackoff: 50 * time.Millisecond}, echo)
	killer, err := store.Open(t.Context(), tuttitest.Postgres(t), store.Config{Owner: "killer"})
	if err != nil {
		t.Fatal(err)
	}
	defer killer.Close()
	const writers, each = 4, 50
	var mu sync.Mutex
	var acknowledged []string
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				if s.Write(t.Context(), one(w*each+n)) == nil {
					mu.Lock()
					acknowledged = append(acknowledged, fmt.Sprint("a", w*each+n))
					mu.Unlock()
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	kills := 0
	for writing := true; writing || kills < 20; {
		select {
		case <-done:
			writing = false
		case <-time.After(20 * time.Millisecond):
		}
		var n int
		err := killer.Reader().QueryRow(t.Context(), `SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE application_name = 'cutoff' AND (state <> 'idle' OR random() < 0.2)`).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		kills += n
	}
	var got map[string]int
	eventually(t, s, "all that was acknowledged is done", func() bool {
		for range 8 { // connections of the pool may have been ended
			if err := s.Read().QueryRow(t.Context(), `SELECT 1`).Scan(new(int)); err != nil {
				return false
			}
		}
		got = rows(t, s)
		for _, id := range acknowledged {
			if got[id] == 0 {
				return false
			}
		}
		return s.Status().Unsent == 0
	})
	for id, n := range got {
		if n != 1 {
			t.Errorf("%s is done %d times, want once", id, n)
		}
	}
	if all := parked(t, s, store.Selection{}); len(all) != 0 {
		t.Errorf("%d are parked, want none: no handler is to blame", len(all))
	}
	if len(acknowledged) == 0 {
		t.Error("nothing was acknowledged")
	}
	t.Logf("%d connections were ended, %d of %d writes acknowledged", kills, len(acknowledged), writers*each)
}

// one publishes one event.
func one(n int) func(context.Context, *store.Tx) error {
	return func(ctx context.Context, tx *store.Tx) error { return event.Publish(ctx, tx, Made{"a", n}) }
}
