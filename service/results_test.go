package service_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// TestResultsInABatch: results that are there together are handled together; those of
// jobs that were taken back meanwhile are dropped, and one that fails holds up no other.
func TestResultsInABatch(t *testing.T) {
	const jobs = 30
	gate := make(chan struct{})
	var together atomic.Int64
	s, _ := start(t, cluster(t), "batcher", t.TempDir(), service.Config{}, func(s *service.Service) {
		job.HandleBatch(s, job.Config{Workers: jobs}, func(_ context.Context, c job.Call[check]) (string, error) {
			<-gate
			return c.ID, nil
		}, func(ctx context.Context, tx *store.Tx, rs []job.Result[check, string]) error {
			together.Store(max(together.Load(), int64(len(rs))))
			for _, r := range rs {
				if r.ID == "7" {
					return event.Reject(errors.New("no"))
				}
				if err := tx.Exec(ctx, `INSERT INTO done (id, n) VALUES ($1, 1)`, r.Value); err != nil {
					return err
				}
			}
			return nil
		})
	})
	write := func(fn func(context.Context, *store.Tx, string) error) {
		t.Helper()
		if err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			for i := range jobs {
				if err := fn(ctx, tx, fmt.Sprint(i)); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	write(func(ctx context.Context, tx *store.Tx, id string) error { return job.Start(ctx, tx, id, check{id}) })
	back := map[string]bool{"3": true, "4": true, "20": true}
	write(func(ctx context.Context, tx *store.Tx, id string) error {
		if !back[id] {
			return nil
		}
		_, err := job.Cancel[check](ctx, tx, id)
		return err
	})
	release := hold(t, s)
	close(gate)
	time.Sleep(50 * time.Millisecond) // until there are several
	release()
	eventually(t, s, "the results are handled", func() bool { return len(rows(t, s)) == jobs-len(back)-1 })
	for id, n := range rows(t, s) {
		if back[id] || id == "7" || n != 1 {
			t.Errorf("the result of job %s is handled %d times", id, n)
		}
	}
	if together.Load() < 2 {
		t.Error("no results were handled together")
	}
}
