package service_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

// A clock was wrong, and is put right while a service is down: what it stored lies an
// hour ahead of the time, or behind it.

type remind struct {
	ID string `json:"id"`
}

func (remind) JobType() string { return "test.remind" }

type called struct {
	ID string `json:"id"`
}

func (called) JobType() string { return "test.called" }

// keeper parks "parked" until it is mended, and its jobs fail until then; it sets a
// timer for "timer".
func keeper(mended *atomic.Bool) func(*service.Service) {
	return func(s *service.Service) {
		s.Migrations(migrations(doneTable))
		note := func(ctx context.Context, tx *store.Tx, id string) error {
			return tx.Exec(ctx, `INSERT INTO done VALUES ($1, 0)`, id)
		}
		event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Made]) error {
			switch m.Body.ID {
			case "parked":
				if !mended.Load() {
					return event.Later(errors.New("not yet"), 30*time.Second)
				}
			case "timer":
				return job.At(ctx, tx, tx.Now().Add(30*time.Second), "timer", remind{"timer"})
			case "call":
				return job.Start(ctx, tx, "call", called{"call"})
			}
			return note(ctx, tx, m.Body.ID)
		})
		job.OnDue(s, func(ctx context.Context, tx *store.Tx, d job.Due[remind]) error { return note(ctx, tx, d.ID) })
		job.Handle(s, job.Config{}, func(context.Context, job.Call[called]) (any, error) {
			if !mended.Load() {
				return nil, event.Later(errors.New("not yet"), 30*time.Second)
			}
			return nil, nil
		}, func(ctx context.Context, tx *store.Tx, r job.Result[called, any]) error {
			return errors.Join(r.Err, note(ctx, tx, r.ID))
		})
	}
}

// shift moves all times that a stopped service has stored.
func shift(t *testing.T, path string, by time.Duration) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	for _, column := range []string{"lane.alive", "job.due", "parked.due", "parked.since", "outbox.written"} {
		table, name, _ := strings.Cut(column, ".")
		if _, err := db.ExecContext(t.Context(), fmt.Sprintf(`UPDATE tutti_%s SET %s = %s + %d`, table, name, name, by.Milliseconds())); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestClockPutRight: what is due an hour too late is done then, and not later; what is
// due too early is done at once. New work waits for none of it.
func TestClockPutRight(t *testing.T) {
	t.Parallel()
	for shared, soon := range map[bool]time.Duration{false: time.Second, true: 20 * time.Second} { // until Kafka gives the last instance up
		for by, within := range map[time.Duration]time.Duration{time.Hour: time.Hour + time.Minute, -time.Hour: time.Minute} {
			t.Run(fmt.Sprintf("shared=%v,%v", shared, by), func(t *testing.T) {
				tuttitest.RunConfig(t, tuttitest.Config{Patience: within}, func(w *tuttitest.World) {
					var mended atomic.Bool
					w.Start("keeper", keeper(&mended), service.Config{Shared: shared})
					w.Publish(Made{"parked", 0}, Made{"timer", 0}, Made{"call", 0})
					w.Sleep(5 * time.Second)
					w.Crash("keeper")
					mended.Store(true)
					shift(w.T(), w.Database("keeper"), by)
					w.Restart("keeper")
					w.Publish(Made{"new", 0}, Made{"parked", 1})
					w.Sleep(soon)
					if got := w.Query("keeper", `SELECT COUNT(*) FROM done WHERE id = 'new'`); got[0] != "1" {
						t.Errorf("new work is done %s times after %v, want once", got[0], soon)
					}
					w.ExpectRows("keeper", `SELECT id FROM done ORDER BY id`, "call", "new", "parked", "parked", "timer")
				})
			})
		}
	}
}

// TestLaneOfTheFuture: the lane of an instance that died while the clock was ahead is
// adopted by one that goes on, and not only when its time has come.
func TestLaneOfTheFuture(t *testing.T) {
	tuttitest.RunConfig(t, tuttitest.Config{Patience: 2 * time.Minute}, func(w *tuttitest.World) {
		w.Start("reader", reader)
		w.Start("writer", writer, service.Config{Shared: true})
		w.Start("writer.heir", writer, service.Config{Shared: true})
		w.Sleep(time.Second)
		w.CrashAt("writer", service.AfterCommit)
		_ = w.Service("writer").Write(w.T().Context(), func(ctx context.Context, tx *store.Tx) error {
			return event.Publish(ctx, tx, Made{"k", 7})
		})
		_ = w.AwaitEnd("writer")
		if err := w.Service("writer.heir").Write(w.T().Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.Exec(ctx, `UPDATE tutti_lane SET alive = alive + 3600000 WHERE lane = 0`)
		}); err != nil {
			t.Fatal(err)
		}
		w.ExpectRows("reader", `SELECT n FROM got`, "7")
		if !w.Running("writer.heir") {
			t.Error("the heir has ended")
		}
	})
}

// TestIdleWhenClockIsPutBack: an instance that has nothing to do goes on to say that it is
// there when its clock is put back, and is not taken for dead.
func TestIdleWhenClockIsPutBack(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		var ahead atomic.Int64
		w.Start("writer", func(s *service.Service) {
			service.Clock(s, func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
			writer(s)
		}, service.Config{Shared: true})
		w.Start("writer.other", writer, service.Config{Shared: true})
		w.Sleep(62 * time.Second) // between two looks
		write := func() error {
			return w.Service("writer").Write(w.T().Context(), func(context.Context, *store.Tx) error { return nil })
		}
		ahead.Store(int64(time.Hour))
		if err := write(); err != nil {
			t.Fatal(err)
		}
		ahead.Store(0)
		w.Sleep(time.Minute)
		if err := write(); err != nil {
			t.Errorf("the instance whose clock was put back has been replaced: %v", err)
		}
	})
}
