package saga_test

import (
	"context"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/store"
)

type story2 struct {
	ID, How string
	N       int
	Told    string
	More    string
}

func olderWork() []*saga.Node[story2] {
	step := func(name string) *saga.Node[story2] {
		return saga.Step(name,
			saga.Send(func(s *story2) do[b] { return do[b]{s.ID, "0"} }),
			saga.Done(func(s *story2, m event.Message[did[b]]) { s.Told += name }),
			saga.Undo(func(s *story2) undo[b] { return undo[b]{s.ID, "0"} },
				saga.Done(func(s *story2, m event.Message[gone[b]]) {})))
	}
	return []*saga.Node[story2]{step("b")}
}

func outerOf[T any](version int, in *saga.Definition[T], state func(id string) T, more ...*saga.Node[story]) *saga.Definition[story] {
	return saga.Define("outer", version, append([]*saga.Node[story]{starts(),
		saga.Sub("within", in, func(s *story) (string, T) { return s.ID + "-in", state(s.ID + "-in") }, func(*story, T) {}),
		work[d]()}, more...)...)
}

func TestJoinOlder(t *testing.T) {
	in1 := saga.Define("inner", 1, work[b]())
	in2 := saga.Define("inner", 2, olderWork()...)
	out1 := outerOf(1, in1, func(id string) story { return story{ID: id} })
	out2 := outerOf(2, in2, func(id string) story2 { return story2{ID: id} }, saga.From(1, func(s story) (story, error) { return s, nil }))
	play(t, func(w *theatre) {
		w.hands.wills("do-b o-in", func(n int) string { return map[bool]string{true: "silent"}[n == 1] })
		w.Publish(begin{ID: "o"})
		w.Sleep(time.Second)
		w.Stop("director")
		w.defs = []saga.Saga{in1, out2} // inner ones of version 1 finish as they began
		w.direct()
		w.Sleep(time.Hour)
		t.Log(w.Query("director", `SELECT topic, state, error FROM tutti_parked`))
		w.expect("o", saga.Completed, "")
	}, out1)
}

func TestUndoOlderSub(t *testing.T) {
	in1 := saga.Define("inner", 1, work[b]())
	in2 := saga.Define("inner", 2, work[b](), saga.From(1, func(s story) (story, error) { return s, nil }))
	state := func(id string) story { return story{ID: id} }
	play(t, func(w *theatre) {
		w.hands.wills("do-d o", func(n int) string { return map[bool]string{true: "silent", false: "wont"}[n == 1] })
		w.Publish(begin{ID: "o"})
		w.Sleep(time.Second)
		w.want("left", w.left("o-in"), "b0")
		w.Stop("director")
		w.defs = []saga.Saga{outerOf(2, in2, state, saga.From(1, func(s story) (story, error) { return s, nil }))}
		w.direct()
		w.Sleep(time.Hour)
		w.expect("o", saga.Compensated, "d: no d")
		w.want("left", w.left("o-in"), "")
	}, outerOf(1, in1, state))
}

func TestMovedIntoLoop(t *testing.T) {
	v1 := saga.Define("moved", 1, starts(), work[a](), work[b]())
	v2 := saga.Define("moved", 2, starts(), saga.From(1, func(s story) (story, error) { return s, nil }),
		saga.While("twice", 2, func(s *story) bool { return s.N < 2 },
			saga.Step("count", saga.Send(func(s *story) ended { s.N++; return ended{s.ID, "counting"} })).NothingToUndo(), work[a]()), work[b]())
	play(t, func(w *theatre) {
		w.hands.will("do-b m", "silent")
		w.Publish(begin{ID: "m"})
		w.Sleep(time.Second)
		w.Stop("director")
		w.defs = []saga.Saga{v2}
		if err := w.TryStart("director", w.register); err == nil {
			w.Sleep(5 * time.Minute)
			t.Errorf("it started; left %s", w.left("m"))
			t.Log(w.Query("director", `SELECT status, doc FROM saga_done`), w.Query("director", `SELECT status, doc FROM saga_live`))
		}
	}, v1)
}

// A part that has become something else is refused at the start as one that is gone is.
func TestOtherKind(t *testing.T) {
	for name, of := range map[string]struct{ first, second *saga.Node[story] }{
		"a condition":        {work[a](), saga.If("a", func(*story) bool { return true }, work[c]())},
		"a wait":             {work[b](), newsNode("b").Within(time.Hour)},
		"within other loops": {looping(work[a]()), looping(saga.While("inside", 2, func(s *story) bool { return s.N < 2 }, work[a]()))},
		"branches":           {work[a](), saga.Parallel("a", work[c](), work[d]())},
	} {
		t.Run(name, func(t *testing.T) {
			var last []*saga.Node[story]
			if name != "a wait" {
				last = append(last, work[b]())
			}
			v1 := saga.Define("moved", 1, append([]*saga.Node[story]{starts(), of.first}, last...)...)
			v2 := saga.Define("moved", 2, append([]*saga.Node[story]{starts(), of.second,
				saga.From(1, func(s story) (story, error) { return s, nil })}, last...)...)
			play(t, func(w *theatre) {
				w.hands.will("do-b m", "silent")
				w.Publish(begin{ID: "m"})
				w.Sleep(time.Second)
				w.Stop("director")
				w.defs = []saga.Saga{v2}
				if err := w.TryStart("director", w.register); err == nil {
					w.Sleep(time.Hour)
					t.Error("it started", w.Query("director", `SELECT status, doc FROM saga_live UNION ALL SELECT status, doc FROM saga_done`))
				}
			}, v1)
		})
	}
}

func looping(part *saga.Node[story]) *saga.Node[story] {
	return saga.While("outside", 2, func(s *story) bool { return s.N < 2 },
		saga.Step("count", saga.Send(func(s *story) ended { s.N++; return ended{s.ID, "counting"} })).NothingToUndo(), part)
}

// A part that was taken out without a new version does not keep the service busy, and
// nothing can be done with it.
func TestPartTakenOut(t *testing.T) {
	play(t, func(w *theatre) {
		w.hands.will("do-a g", "silent")
		w.Publish(begin{ID: "g"})
		w.Sleep(time.Second)
		w.Stop("director")
		w.defs = []saga.Saga{saga.Define("gone", 1, starts(), newsNode("wait"))}
		w.direct()
		w.Sleep(10 * time.Minute)
		w.ExpectRows("director", `SELECT revision, armed FROM saga_live`, "2|0")
		err := w.order(func(ctx context.Context, tx *store.Tx) error {
			return w.engine.Skip(ctx, tx, saga.Action{Saga: "gone", ID: "g"}, "a")
		})
		if problem.KindOf(err) != problem.Clash {
			t.Errorf("it is skipped: %v", err)
		}
		w.Publish(news{ID: "g"})
		w.expect("g", saga.Completed, "")
	}, saga.Define("gone", 1, starts(), work[a](), newsNode("wait")))
}

// TestUndoTakenOut: a newer version says that a step has nothing to undo any more, while
// instances wait for its undo.
func TestUndoTakenOut(t *testing.T) {
	v1 := saga.Define("plainer", 1, starts(), work[a](), work[b]())
	v2 := saga.Define("plainer", 2, starts(), saga.From(1, func(s story) (story, error) { return s, nil }),
		saga.Step("a", saga.Send(func(s *story) do[a] { return do[a]{s.ID, "0"} }),
			saga.Done(func(*story, event.Message[did[a]]) {})).NothingToUndo(), work[b]())
	for _, answer := range []string{"silent", "stays"} { // it was asked for, or is to be asked for again
		t.Run(answer, func(t *testing.T) {
			play(t, func(w *theatre) {
				w.hands.will("do-b o", "wont")
				w.hands.will("undo-a o", answer)
				w.Publish(begin{ID: "o"})
				w.Sleep(1500 * time.Millisecond)
				w.Stop("director")
				w.defs = []saga.Saga{v2}
				w.direct()
				w.Sleep(time.Hour)
				w.expect("o", saga.Compensated, "b: no b")
			}, v1)
		})
	}
}
