package saga_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/store"
)

func newsNode(name string) *saga.Node[story] {
	return saga.Wait(name, saga.Done(func(s *story, m event.Message[news]) { s.tell("news") }))
}

// A timer that has fired, and after which there is none, must not be taken for one that
// is still to come: a restart in between loses all later time limits.
func TestTimerAfterTimer(t *testing.T) {
	def := saga.Define("timer", 1, starts(), saga.Sleep("nap", func(*story) time.Duration { return time.Hour }), newsNode("wait"), work[a]())
	play(t, func(w *theatre) {
		w.hands.will("do-a t", "silent")
		w.Publish(begin{ID: "t"})
		w.Sleep(2 * time.Hour)
		w.Stop("director")
		w.Restart("director")
		w.Publish(news{ID: "t"})
		w.Sleep(10 * time.Minute)
		w.expect("t", saga.Compensated, "a: no answer within 1m0s")
	}, def)
}

// Instances that wait have no row of their own among the timers: one alarm sees to all,
// also after a restart.
func TestOneAlarmForAll(t *testing.T) {
	def := saga.Define("alarm", 1, starts(), newsNode("news").Within(time.Hour), newsNode("more").Within(10*time.Minute))
	play(t, func(w *theatre) {
		const n = 50
		for i := range n {
			w.Publish(begin{ID: fmt.Sprint(i)})
			w.Sleep(time.Second)
		}
		w.ExpectRows("director", `SELECT kind, COUNT(*) FROM tutti_job`, "saga.alarm|1")
		w.Publish(news{ID: "7"}) // whose time is up before that of the others now, and after it
		w.Sleep(time.Second)
		w.Stop("director")
		w.Restart("director")
		w.Sleep(10 * time.Minute)
		w.expect("7", saga.Compensated, "more: nothing within 10m0s")
		w.ExpectRows("director", `SELECT COUNT(*) FROM saga_live`, "49")
		w.Sleep(time.Hour)
		w.expect("8", saga.Compensated, "news: nothing within 1h0m0s")
		w.ExpectRows("director", `SELECT COUNT(*) FROM saga_done`, "50")
		w.ExpectRows("director", `SELECT kind, id FROM tutti_job`)
		w.ExpectRows("director", `SELECT DISTINCT changed - started FROM saga_done WHERE id <> '7'`, "3600000")
	}, def)
}

// Once nothing is under way, no alarm is left, also of a run before.
func TestNoAlarmForNothing(t *testing.T) {
	def := saga.Define("rest", 1, starts(), newsNode("news").Within(time.Hour))
	play(t, func(w *theatre) {
		none := func() {
			w.Sleep(time.Second)
			w.want("alarms", strings.Join(w.Query("director", `SELECT kind FROM tutti_job`), ","), "")
		}
		for _, again := range []bool{false, true} {
			id := fmt.Sprint(again)
			w.Publish(begin{ID: id})
			w.Quiet()
			w.ExpectRows("director", `SELECT kind FROM tutti_job`, "saga.alarm")
			if again {
				w.Crash("director")
				w.Restart("director")
			}
			w.Publish(news{ID: id})
			w.expect(id, saga.Completed, "")
			none()
		}
		w.Publish(begin{ID: "x"})
		w.Quiet()
		if err := w.order(func(ctx context.Context, tx *store.Tx) error { return tx.Exec(ctx, `DELETE FROM saga_live`) }); err != nil {
			t.Fatal(err)
		}
		w.Crash("director")
		w.Restart("director")
		none()
	}, def)
}

// An instance that starts in the transaction in which the last one ends has its alarm.
func TestAlarmAfterTheLast(t *testing.T) {
	def := saga.Define("last", 1, starts(), newsNode("news").Within(time.Hour))
	play(t, func(w *theatre) {
		w.Publish(begin{ID: "x"})
		w.Quiet()
		if err := w.order(func(ctx context.Context, tx *store.Tx) error {
			if err := w.engine.Skip(ctx, tx, saga.Action{Saga: "last", ID: "x"}, "news"); err != nil {
				return err
			}
			_, err := w.engine.Start(ctx, tx, "last", "y", story{ID: "y"})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		w.expect("x", saga.Completed, "")
		w.Sleep(2 * time.Hour)
		w.expect("y", saga.Compensated, "news: nothing within 1h0m0s")
	}, def)
}

// An instance that cannot be taken on when its time has come is alone with that.
func TestDeadTimerBesideOthers(t *testing.T) {
	def := saga.Define("dead", 1, starts(), saga.Wait("news", saga.Done(func(s *story, m event.Message[news]) {})).
		Within(time.Minute).Otherwise(func(s *story) {
		if s.ID == "bad" {
			swell(s)
		}
	}))
	play(t, func(w *theatre) {
		w.Publish(begin{ID: "bad"})
		for i := range 5 {
			w.Publish(begin{ID: fmt.Sprint(i)})
			w.Sleep(time.Second)
		}
		w.Sleep(time.Hour)
		w.ExpectRows("director", `SELECT kind, id, state FROM tutti_job`, "saga.timer|dead/bad|dead")
		w.ExpectRows("director", `SELECT DISTINCT status, changed - started FROM saga_done`, "completed|60000")
	}, def)
}

// Instances that builds from before have given a timer of their own keep it.
func TestTimersFromBefore(t *testing.T) {
	def := saga.Define("before", 1, starts(), newsNode("news").Within(time.Hour))
	play(t, func(w *theatre) {
		w.Publish(begin{ID: "x"}, begin{ID: "y"})
		w.Quiet()
		if err := w.order(func(ctx context.Context, tx *store.Tx) error {
			for _, text := range []string{
				`UPDATE saga_live SET alarm = 0`,
				`INSERT INTO tutti_job (kind, id, lane, due, state, attempts, args, cause, error)
					SELECT 'saga.timer', saga || '/' || l.id, lane, armed, 'waiting', 0, '{"saga":"' || saga || '","id":"' || l.id || '"}', '', ''
					FROM saga_live l, tutti_job j WHERE j.kind = 'saga.alarm'`,
				`DELETE FROM tutti_job WHERE kind = 'saga.alarm'`,
			} {
				if err := tx.Exec(ctx, text); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		w.Stop("director")
		w.Restart("director")
		w.Publish(news{ID: "y"})
		w.expect("y", saga.Completed, "")
		w.ExpectRows("director", `SELECT kind, id FROM tutti_job`, "saga.timer|before/x")
		w.Sleep(2 * time.Hour)
		w.expect("x", saga.Compensated, "news: nothing within 1h0m0s")
	}, def)
}
