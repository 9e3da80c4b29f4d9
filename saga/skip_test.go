package saga_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/store"
)

func (w *theatre) skip(name, id, part string) error {
	return w.order(func(ctx context.Context, tx *store.Tx) error {
		return w.engine.Skip(ctx, tx, saga.Action{Saga: name, ID: id, By: "ann", Note: "by hand"}, part)
	})
}

// A skipped undo counts as undone, also for a saga above, and is not asked for again. A
// part that was skipped as done is undone with the others.
func TestSkippedUndo(t *testing.T) {
	child := saga.Define("child", 1, work[b](), work[c]().Tries(1, time.Minute))
	def := saga.Define("above", 1, starts(), work[a]().Attempts(0), within(child), work[d]())
	play(t, func(w *theatre) {
		w.hands.wills("do-a s", func(n int) string { return "silent" })
		w.hands.will("do-d s", "wont")
		w.hands.will("undo-c s-in", "stays")
		w.Publish(begin{ID: "s"})
		w.Sleep(10 * time.Second)
		if err := w.skip("above", "s", "a"); err != nil {
			t.Fatal(err)
		}
		w.expect("s-in", saga.Stuck, "d: no d")
		if err := w.skip("child", "s-in", "c"); err != nil {
			t.Fatal(err)
		}
		w.expect("s", saga.Compensated, "d: no d")
		w.expect("s-in", saga.Compensated, "d: no d")
		w.want("left", w.left("s-in"), "c0")
		for what, want := range map[string]int{"undo-a s": 1, "undo-b s-in": 1, "undo-c s-in": 1} {
			w.want(what, fmt.Sprint(w.hands.times(what)), fmt.Sprint(want))
		}
	}, def)
}

// A decision is made, and not skipped: who tries is told so.
func TestSkipOfDecision(t *testing.T) {
	def := saga.Define("choose", 1, starts(),
		saga.Decide("approval",
			saga.Accept("yes", func(*story, saga.Decision) {}),
			saga.Refuse("no", func(*story, saga.Decision) {})))
	play(t, func(w *theatre) {
		w.Publish(begin{ID: "d"})
		w.expect("d", saga.Deciding, "")
		err := w.skip("choose", "d", "approval")
		if want := `"approval" is a decision: decide it, by yes or no`; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("to skip a decision is answered with %v, want %q", err, want)
		}
		w.expect("d", saga.Deciding, "")
	}, def)
}
