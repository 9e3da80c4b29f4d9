package saga_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/saga"
)

// TestSecondAnswers: what comes twice for one command is not taken for what another one
// of the same kind is answered, in the next iteration of a loop or in another step.
func TestSecondAnswers(t *testing.T) {
	def := saga.Define("second", 1, starts(),
		saga.While("thrice", 3, func(s *story) bool { return s.N < 3 },
			saga.Step("count", saga.Send(func(s *story) ended { s.N++; return ended{s.ID, "counting"} })).NothingToUndo(),
			work[a]()),
		named[a]("more", func(*story) string { return "more" }),
		work[b]())
	play(t, func(w *theatre) {
		second := func(n int) string { return map[bool]string{true: "silent"}[n%2 == 0] }
		for _, id := range []string{"forth", "back"} {
			w.hands.wills("do-a "+id, second)
			w.hands.wills("undo-a "+id, second)
			w.hands.twice["do-a "+id], w.hands.twice["undo-a "+id] = true, true
		}
		w.hands.will("do-b back", "wont")
		w.Publish(begin{ID: "forth"})
		w.Publish(begin{ID: "back"})
		w.expect("forth", saga.Completed, "")
		w.want("left", w.left("forth"), "a1 a2 a3 amore b3")
		w.expect("back", saga.Compensated, "b: no b")
		w.want("left", w.left("back"), "")
		history := w.Query("director", `SELECT history FROM saga_done WHERE id = 'forth'`)[0]
		if n := strings.Count(history, `"duplicate"`); n != 4 {
			t.Errorf("%d second answers are recorded, want 4: %s", n, history)
		}
	}, def)
}

func TestForgottenCommands(t *testing.T) {
	def := saga.Define("forgotten", 1, starts(),
		saga.While("twice", 2, func(s *story) bool { return s.N < 2 },
			saga.Step("count", saga.Send(func(s *story) ended { s.N++; return ended{s.ID, "counting"} })).NothingToUndo(),
			work[a]().Attempts(0)))
	play(t, func(w *theatre) {
		w.hands.wills("do-a f", func(n int) string { return map[bool]string{true: "silent"}[n > 12] }) // of the second iteration
		w.Stop("hands")
		w.Publish(begin{ID: "f"})
		w.Sleep(12*time.Minute - 30*time.Second) // 12 commands
		w.Start("hands", w.hands.register)
		w.Sleep(10 * time.Second)
		if n := w.hands.times("do-a f"); n < 12 {
			t.Fatalf("%d commands", n)
		}
		t.Log(w.Query("director", `SELECT history FROM saga_live WHERE id = 'f'`), w.Query("director", `SELECT history FROM saga_done WHERE id = 'f'`))
		w.expect("f", saga.Running, "")
		w.want("left", w.left("f"), "a1")
	}, def)
}

func TestAnswerOfStepAndUndo(t *testing.T) {
	def := saga.Define("same", 1, starts(),
		saga.Step("a",
			saga.Send(func(s *story) do[a] { return do[a]{s.ID, "0"} }),
			saga.Done(func(s *story, m event.Message[did[a]]) { s.tell("a") }),
			saga.Undo(func(s *story) do[b] { return do[b]{s.ID, "0"} },
				saga.Done(func(s *story, m event.Message[did[a]]) { s.tell("-a") }),
				saga.Failed(func(s *story, m event.Message[wont[b]]) string { return "it stays" }))))
	play(t, func(w *theatre) {
		w.hands.will("do-b s", "wont") // what undoes it is refused
		w.Stop("hands")
		w.Publish(begin{ID: "s"})
		w.Sleep(3*time.Minute + 10*time.Second) // it is given up, and being undone
		w.Start("hands", w.hands.register)
		w.Sleep(2 * time.Hour)
		w.want("left", w.left("s"), "a0")
		w.expect("s", saga.Stuck, "a: no answer within 1m0s")
	}, def)
}

func TestManyEarly(t *testing.T) {
	def := saga.Define("early", 1, starts(), newsNode("wait"), work[a]())
	play(t, func(w *theatre) {
		for i := range 3000 {
			w.Publish(news{ID: "e", What: fmt.Sprint("something that is a little longer than usual ", i)})
		}
		w.Quiet()
		w.Publish(begin{ID: "e"})
		w.Sleep(time.Hour)
		t.Log(w.Query("director", `SELECT topic, state, error FROM tutti_parked`))
		w.expect("e", saga.Completed, "")
	}, def)
}
