package service_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

// TestAdoption lets one of two instances die with events that it has not sent and a
// timer: the other sends them, in order, and the timer runs; later instances find
// the lane free.
func TestAdoption(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		timed := func(s *service.Service) {
			writer(s)
			job.OnDue(s, func(ctx context.Context, tx *store.Tx, d job.Due[check]) error {
				return event.Publish(ctx, tx, Made{"k", 100})
			})
		}
		shared := service.Config{Shared: true}
		w.Start("reader", reader)
		w.Start("writer", timed, shared)
		w.Start("writer.b", timed, shared)
		write(w, "writer.b", 0, 2)
		w.Quiet()
		w.Cut("writer.b")
		write(w, "writer.b", 2, 5)
		if err := w.Service("writer.b").Write(w.T().Context(), func(ctx context.Context, tx *store.Tx) error {
			return job.At(ctx, tx, time.Now().Add(time.Minute), "1", check{"1"})
		}); err != nil {
			t.Fatal(err)
		}
		w.Crash("writer.b")
		w.Sleep(store.LeaseTime / 2)
		if got, want := got(w), numbers(0, 2); !slices.Equal(got, want) {
			t.Errorf("while the lane is held %v are handled, want %v", got, want)
		}
		w.Sleep(2 * store.LeaseTime)
		if got, want := got(w), numbers(0, 5); !slices.Equal(got, want) {
			t.Errorf("after the lane was adopted %v are handled, want %v", got, want)
		}
		w.Sleep(time.Minute)
		if got, want := got(w), append(numbers(0, 5), "100"); !slices.Equal(got, want) {
			t.Errorf("after the timer was due %v are handled, want %v", got, want)
		}
		lanes := func() []string { return w.Query("writer", `SELECT lane FROM tutti_lane ORDER BY lane`) }
		before := lanes()
		w.Restart("writer.b")
		write(w, "writer.b", 5, 7)
		w.Quiet()
		if after := lanes(); !slices.Equal(after, before) {
			t.Errorf("lanes are %v after another start, want %v: the adopted one is free", after, before)
		}
		if got, want := got(w), append(append(numbers(0, 5), "100"), numbers(5, 7)...); !slices.Equal(got, want) {
			t.Errorf("in the end %v are handled, want %v", got, want)
		}
	})
}

// TestAdoptedByAnOlderVersion lets an instance take over a timer whose handler it does not
// have. It waits, dead, for the next start of one that has it.
func TestAdoptedByAnOlderVersion(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		timed := func(s *service.Service) {
			writer(s)
			job.OnDue(s, func(ctx context.Context, tx *store.Tx, d job.Due[check]) error {
				return event.Publish(ctx, tx, Made{"k", 1})
			})
		}
		older := func(s *service.Service) {
			writer(s)
			job.OnDue(s, func(context.Context, *store.Tx, job.Due[nothing]) error { return nil })
		}
		w.Start("reader", reader)
		w.Start("writer", older, service.Config{Shared: true})
		w.Start("writer.b", timed, service.Config{Shared: true})
		if err := w.Service("writer.b").Write(w.T().Context(), func(ctx context.Context, tx *store.Tx) error {
			return job.At(ctx, tx, time.Now().Add(time.Minute), "1", check{"1"})
		}); err != nil {
			t.Fatal(err)
		}
		w.Crash("writer.b")
		w.Sleep(time.Hour)
		w.ExpectRows("writer", `SELECT kind, state FROM tutti_job`, "test.check|dead")
		w.Restart("writer.b")
		w.Quiet()
		if got, want := got(w), numbers(1, 2); !slices.Equal(got, want) {
			t.Errorf("after the start of an instance that has the handler %v are handled, want %v", got, want)
		}
	})
}

type nothing struct{}

func (nothing) JobType() string { return "test.nothing" }

// TestLongOutageAdoptsNobody: after a time in which no instance could say that it
// lives, none takes the others for dead.
func TestLongOutageAdoptsNobody(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		small := service.Config{Shared: true, Unsent: 2, WriteTimeout: time.Second}
		w.Start("writer", writer, small)
		w.Start("writer.b", writer, small)
		for _, name := range []string{"writer", "writer.b"} {
			w.Cut(name)
			for n := range 4 { // until no more fit
				err := w.Service(name).Write(w.T().Context(), func(ctx context.Context, tx *store.Tx) error {
					return event.Publish(ctx, tx, Made{name, n})
				})
				if n < 2 && err != nil {
					t.Fatal(errors.Join(errors.New(name), err))
				}
			}
		}
		w.Sleep(4 * store.LeaseTime)
		for _, name := range []string{"writer", "writer.b"} {
			w.Heal(name)
		}
		w.Quiet() // and neither has ended
	})
}

// TestWritesDoNotWaitForTheTurn: an instance that has taken over partitions waits with
// their records until the others' events are sent, and with nothing else.
func TestWritesDoNotWaitForTheTurn(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		both := func(s *service.Service) {
			writer(s)
			reader(s)
		}
		w.Start("reader", both, service.Config{Shared: true})
		w.Quiet()
		w.Cut("reader")
		publish(w.T(), w.Service("reader"), Made{"k", 0}) // it stays in its outbox
		w.Publish(Made{"k", 1})
		w.Start("reader.b", both, service.Config{Shared: true})
		for n := range 40 { // the other is given up by Kafka, and lives
			begin := time.Now()
			publish(w.T(), w.Service("reader.b"), Made{"other", 100 + n})
			if d := time.Since(begin); d > time.Second {
				t.Errorf("a write took %v", d)
			}
			w.Sleep(time.Second)
		}
		w.Heal("reader")
		w.Quiet()
		if got := got(w); len(got) != 42 {
			t.Errorf("%d are handled, want 42: %v", len(got), got)
		}
	})
}
