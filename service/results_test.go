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
	const jobs = 10
	gate := make(chan struct{})
	var together atomic.Int64
	s, _ := start(t, cluster(t), "batcher", t.TempDir(), service.Config{}, func(s *service.Service) {
		job.HandleBatch(s, job.Config{}, func(_ context.Context, c job.Call[check]) (string, error) {
			<-gate
			return c.ID, nil
		}, func(ctx context.Context, tx *store.Tx, rs []job.Result[check, string]) error {
			together.Store(max(together.Load(), int64(len(rs))))
			for _, r := range rs {
				if r.Args.ID == "fails" {
					return event.Reject(errors.New("no"))
				}
				if err := tx.Exec(ctx, `INSERT INTO done (id, n) VALUES ($1, 1)`, r.Value); err != nil {
					return err
				}
			}
			return nil
		})
	})
	write := func(fn func(ctx context.Context, tx *store.Tx) error) {
		t.Helper()
		if err := s.Write(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	run := func(first int, args func(i int) string) {
		write(func(ctx context.Context, tx *store.Tx) error {
			for i := first; i < first+jobs; i++ {
				if err := job.Start(ctx, tx, fmt.Sprint(i), check{args(i)}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	end := func() {
		release := hold(t, s)
		for range jobs {
			gate <- struct{}{}
		}
		time.Sleep(50 * time.Millisecond) // until their results are there
		release()
	}
	run(0, func(int) string { return "" })
	end()
	eventually(t, s, "the results are handled", func() bool { return len(rows(t, s)) == jobs })
	if together.Load() < 2 {
		t.Error("no results were handled together")
	}
	run(jobs, func(i int) string { return map[bool]string{true: "fails"}[i == jobs+7] })
	write(func(ctx context.Context, tx *store.Tx) error {
		_, err := job.Cancel[check](ctx, tx, fmt.Sprint(jobs+3))
		return err
	})
	end()
	eventually(t, s, "the others are handled", func() bool { return len(rows(t, s)) == 2*jobs-2 })
	for id, n := range rows(t, s) {
		if id == fmt.Sprint(jobs+3) || id == fmt.Sprint(jobs+7) || n != 1 {
			t.Errorf("the result of job %s is handled %d times", id, n)
		}
	}
}
