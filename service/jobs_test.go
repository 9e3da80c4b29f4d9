package service_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

// calls notes which jobs are called, and which results are handled.
type calls struct {
	mu          sync.Mutex
	run, done   []string
	block, went chan struct{} // the call of "slow" tells went, and waits for block
}

func (c *calls) register(s *service.Service) {
	job.Handle(s, job.Config{}, func(_ context.Context, call job.Call[check]) (string, error) {
		c.mu.Lock()
		c.run = append(c.run, call.Args.ID)
		c.mu.Unlock()
		if call.Args.ID == "slow" {
			close(c.went)
			<-c.block
		}
		return call.Args.ID, nil
	}, func(_ context.Context, _ *store.Tx, r job.Result[check, string]) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.done = append(c.done, r.Args.ID+" "+r.Value)
		return nil
	})
}

func (c *calls) results() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.done)
}

// TestNegativeJobs: settings with which no call of a job would ever be made, or succeed,
// are refused where they are given.
func TestNegativeJobs(t *testing.T) {
	for _, cfg := range []job.Config{{Workers: -1}, {Timeout: -1}, {Attempts: -1}} {
		s := service.New("negative", cluster(t), service.Config{})
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, "want none below 0") {
					t.Errorf("Handle with %+v has panicked with %q, want it to be refused", cfg, got)
				}
			}()
			job.Handle(s, cfg, func(context.Context, job.Call[check]) (any, error) { return nil, nil },
				func(context.Context, *store.Tx, job.Result[check, any]) error { return nil })
		}()
	}
}

// TestHandlerOfAGivenUpJob: the handler of a result has attempts of its own, also where the
// work has used up its.
func TestHandlerOfAGivenUpJob(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		const fails = 4
		called, handled := 0, 0
		w.Start("failing", func(s *service.Service) {
			job.Handle(s, job.Config{}, func(context.Context, job.Call[check]) (any, error) {
				called++
				return nil, errors.New("the other side is down")
			}, func(_ context.Context, _ *store.Tx, r job.Result[check, any]) error {
				if handled++; handled <= 2*fails { // twice each: with others, and alone
					return errors.New("not now")
				}
				return nil
			})
		})
		if err := w.Service("failing").Write(w.T().Context(), func(ctx context.Context, tx *store.Tx) error {
			return job.Start(ctx, tx, "1", check{"1"})
		}); err != nil {
			w.T().Fatal(err)
		}
		w.Quiet()
		w.ExpectRows("failing", `SELECT state, error FROM tutti_job`)
		if called != 10+fails || handled != 2*fails+1 {
			w.T().Errorf("called %d times, and handled %d times, want %d and %d", called, handled, 10+fails, 2*fails+1)
		}
	})
}

// TestCancelBeforeTheCommit: a job that is taken back in the transaction that starts
// it is not called.
func TestCancelBeforeTheCommit(t *testing.T) {
	var c calls
	s, _ := start(t, cluster(t), "canceller", t.TempDir(), service.Config{}, c.register)
	if err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		if err := job.Start(ctx, tx, "1", check{"taken back"}); err != nil {
			return err
		}
		if _, err := job.Cancel[check](ctx, tx, "1"); err != nil {
			return err
		}
		return job.Start(ctx, tx, "2", check{"kept"})
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, s, "the other is done", func() bool { return len(c.results()) == 1 })
	time.Sleep(50 * time.Millisecond)
	if !slices.Equal(c.run, []string{"kept"}) {
		t.Errorf("called: %q, want only what was kept", c.run)
	}
}

// TestStartAgainWhileRunning: the result of a job that was taken back is dropped,
// also where one of the same name was started since.
func TestStartAgainWhileRunning(t *testing.T) {
	c := calls{block: make(chan struct{}), went: make(chan struct{})}
	s, _ := start(t, cluster(t), "restarter", t.TempDir(), service.Config{}, c.register)
	if err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return job.Start(ctx, tx, "1", check{"slow"}) }); err != nil {
		t.Fatal(err)
	}
	<-c.went
	time.Sleep(5 * time.Millisecond) // another due time
	release := hold(t, s)            // so that the slow one's result comes first
	again := make(chan error, 1)
	go func() {
		again <- s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			if _, err := job.Cancel[check](ctx, tx, "1"); err != nil {
				return err
			}
			return job.Start(ctx, tx, "1", check{"new"})
		})
	}()
	close(c.block)
	time.Sleep(50 * time.Millisecond)
	release()
	if err := <-again; err != nil {
		t.Fatal(err)
	}
	eventually(t, s, "a result", func() bool { return len(c.results()) > 0 })
	time.Sleep(50 * time.Millisecond)
	if got := c.results(); !slices.Equal(got, []string{"new new"}) {
		t.Errorf("results: %q, want that of the new job", got)
	}
}

// TestPutOffATimer: a timer that is put off in the moment when it is due rings when
// it was put off to.
func TestPutOffATimer(t *testing.T) {
	t.Parallel()
	rang := make(chan time.Time, 2)
	s, _ := start(t, cluster(t), "sleeper", t.TempDir(), service.Config{}, func(s *service.Service) {
		job.OnDue(s, func(_ context.Context, tx *store.Tx, _ job.Due[check]) error {
			rang <- tx.Now()
			return nil
		})
	})
	set := func(after time.Duration) (until time.Time) {
		if err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			until = tx.Now().Add(after)
			if _, err := job.Cancel[check](ctx, tx, "1"); err != nil {
				return err
			}
			return job.At(ctx, tx, until, "1", check{"1"})
		}); err != nil {
			t.Error(err)
		}
		return until
	}
	set(100 * time.Millisecond)
	release := hold(t, s)
	until := make(chan time.Time, 1)
	go func() { until <- set(500 * time.Millisecond) }()
	time.Sleep(200 * time.Millisecond)
	release()
	want := <-until
	if at := <-rang; at.Before(want) {
		t.Errorf("it rang %v too early", want.Sub(at))
	}
}

// TestKilledWhileItReadsWhatIsDue: a service that is killed by a job while its loop asks
// the database what else is due ends at once, and leaves nothing behind.
func TestKilledWhileItReadsWhatIsDue(t *testing.T) {
	t.Parallel()
	register := func(s *service.Service) {
		event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Made]) error {
			if err := job.Start(ctx, tx, m.Body.ID, ring{N: m.Body.N}); err != nil {
				return err
			}
			return job.At(ctx, tx, tx.Now(), m.Body.ID, chime{N: m.Body.N})
		})
		job.Handle(s, job.Config{}, func(context.Context, job.Call[ring]) (any, error) { return nil, nil },
			func(context.Context, *store.Tx, job.Result[ring, any]) error { return nil })
		job.OnDue(s, func(context.Context, *store.Tx, job.Due[chime]) error { return nil })
	}
	tuttitest.Run(t, func(w *tuttitest.World) {
		for n := range 100 { // some of them are killed at that moment
			w.Start("busy", register)
			w.CrashAt("busy", service.BeforeJob)
			w.Publish(Made{fmt.Sprint("k", n), n})
			begin := time.Now()
			err := w.AwaitEnd("busy")
			if d := time.Since(begin); d > time.Second {
				w.T().Fatalf("it took %v to end with %v", d, err)
			}
		}
	})
}
