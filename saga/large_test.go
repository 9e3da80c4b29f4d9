package saga_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/store"
)

func swell(s *story) { s.How = strings.Repeat("x", 600<<10) }

// A state that is too large is seen: as a dead letter, or as a dead job where it was a
// time that led to it.
func TestLargeState(t *testing.T) {
	grown := saga.Wait("news", saga.Done(func(s *story, m event.Message[news]) { swell(s) })).Within(time.Hour).Otherwise(swell)
	play(t, func(w *theatre) {
		w.Publish(begin{ID: "told"}, begin{ID: "late"})
		w.Quiet()
		w.Publish(news{ID: "told"})
		w.Sleep(2 * time.Hour)
		w.expect("told", saga.Running, "")
		w.ExpectRows("director", `SELECT topic, state FROM tutti_parked WHERE error LIKE '%its state is % bytes long, want at most 524288'`, "news|dead")
		w.ExpectRows("director", `SELECT id, state FROM tutti_job WHERE error LIKE '%its state is % bytes long, want at most 524288' ORDER BY id`,
			"large/late|dead", "large/told|dead")
	}, saga.Define("large", 1, starts(), grown, work[a]()))
}

// An instance whose timer is dead has time limits again as soon as it gets on.
func TestTimerAfterDeadOne(t *testing.T) {
	grown := newsNode("news").Within(time.Hour).Otherwise(swell)
	play(t, func(w *theatre) {
		for _, id := range []string{"message", "person"} {
			w.hands.wills("undo-a "+id, func(n int) string { return map[bool]string{true: "silent"}[n == 1] })
			w.Publish(begin{ID: id})
		}
		w.Sleep(2 * time.Hour)
		w.ExpectRows("director", `SELECT id, state FROM tutti_job ORDER BY id`, "large/message|dead", "large/person|dead")
		w.Publish(stop{"message", "cancelled"})
		if err := w.order(func(ctx context.Context, tx *store.Tx) error {
			return w.engine.Cancel(ctx, tx, saga.Action{Saga: "large", ID: "person"})
		}); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"message", "person"} {
			w.expect(id, saga.Compensated, "cancelled")
			w.want("left", w.left(id), "")
		}
	}, saga.Define("large", 1, starts(), saga.CancelledBy(func(_ *story, m event.Message[stop]) string { return m.Body.Why }), work[a](), grown))
}
