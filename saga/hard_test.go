package saga_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

// inner is a saga of its own, run within others.
func inner() *saga.Definition[story] { return saga.Define("inner", 1, work[b](), work[c]()) }

func outer() *saga.Definition[story] {
	return saga.Define("outer", 1, starts(),
		saga.CancelledBy(func(_ *story, m event.Message[stop]) string { return m.Body.Why }),
		work[a](),
		saga.Sub("within", inner(), func(s *story) (string, story) { return s.ID + "-in", story{ID: s.ID + "-in"} },
			func(s *story, in story) { s.tell("(%s)", strings.TrimSpace(in.Told)) }),
		work[d]())
}

func TestSub(t *testing.T) {
	play(t, func(w *theatre) {
		w.hands.will("do-c inner-fails-in", "wont")
		w.hands.will("do-d outer-fails", "wont")
		w.hands.will("do-c cancelled-in", "silent")
		for _, id := range []string{"fine", "inner-fails", "outer-fails", "cancelled"} {
			w.Publish(begin{ID: id})
		}
		w.expect("fine", saga.Completed, "")
		w.want("told", w.told("fine"), "a (b c) d")
		w.expect("inner-fails", saga.Compensated, "within: c: no c")
		w.want("left", w.left("inner-fails")+w.left("inner-fails-in"), "")
		w.expect("outer-fails", saga.Compensated, "d: no d")
		w.expect("outer-fails-in", saga.Compensated, "d: no d")
		w.want("left", w.left("outer-fails")+w.left("outer-fails-in"), "")
		w.Publish(stop{"cancelled", "enough"})
		w.expect("cancelled", saga.Compensated, "enough")
		w.expect("cancelled-in", saga.Compensated, "enough")
		w.want("left", w.left("cancelled")+w.left("cancelled-in"), "")
	}, outer())
}

func TestCancel(t *testing.T) {
	def := saga.Define("stop", 1, starts(),
		saga.CancelledBy(func(_ *story, m event.Message[stop]) string { return m.Body.Why }),
		work[a](), work[b](), work[c]().Pivot().Attempts(0), tells())
	play(t, func(w *theatre) {
		w.hands.will("do-b slow", "silent")
		w.Publish(stop{"early", "changed my mind"})
		w.Quiet()
		w.Publish(begin{ID: "early"})
		w.expect("early", saga.Compensated, "changed my mind")
		if n := w.hands.times("do-a early"); n != 0 {
			t.Errorf("what was cancelled before it began has done %d things", n)
		}
		w.Publish(begin{ID: "slow"})
		w.expect("slow", saga.Running, "")
		w.Publish(stop{"slow", "too slow"})
		w.expect("slow", saga.Compensated, "too slow")
		w.want("left", w.left("slow"), "")
		w.Publish(begin{ID: "person"})
		w.Publish(stop{"nobody", "?"})
		w.expect("person", saga.Completed, "")
		w.Publish(stop{"person", "too late"})
		w.Quiet()
		w.expect("person", saga.Completed, "")
		history := w.Query("director", `SELECT history FROM saga_done WHERE id = 'person'`)[0]
		if !strings.Contains(history, `"unexpected"`) {
			t.Errorf("what came late is not in the history: %s", history)
		}
	}, def)
}

// What who starts the saga has done by then is undone even if it is cancelled before it
// starts.
func TestCancelledBeforeItsStart(t *testing.T) {
	def := saga.Define("owed", 1, starts(),
		saga.CancelledBy(func(_ *story, m event.Message[stop]) string { return m.Body.Why }),
		saga.Step("owed", saga.Undo(func(s *story) undo[a] { return undo[a]{s.ID, "0"} },
			saga.Done(func(*story, event.Message[gone[a]]) {}))),
		work[b]())
	play(t, func(w *theatre) {
		w.Publish(stop{"early", "changed my mind"})
		w.Quiet()
		w.Publish(begin{ID: "early"})
		w.expect("early", saga.Compensated, "changed my mind")
		if n := w.hands.times("undo-a early"); n != 1 {
			t.Errorf("what the start had done is undone %d times, want 1", n)
		}
		if n := w.hands.times("do-b early"); n != 0 {
			t.Errorf("what was cancelled before it began has done %d things", n)
		}
	}, def)
}

func TestStuck(t *testing.T) {
	def := saga.Define("stuck", 1, starts(), work[a](), work[b]().Tries(3, time.Minute), work[c]())
	play(t, func(w *theatre) {
		for _, id := range []string{"retried", "skipped"} {
			w.hands.will("do-c "+id, "wont")
			w.hands.wills("undo-b "+id, func(n int) string {
				if n <= 3 {
					return "stays"
				}
				return ""
			})
			w.Publish(begin{ID: id})
			w.expect(id, saga.Stuck, "c: no c")
			w.want("left", w.left(id), "a0 b0")
			if n := w.hands.times("undo-b " + id); n != 3 {
				t.Errorf("b was to be undone %d times, want 3", n)
			}
		}
		ord := func(id string) saga.Action { return saga.Action{Saga: "stuck", ID: id, By: "ann", Note: "by hand"} }
		stale := ord("retried")
		stale.Revision = 1
		if err := w.order(func(ctx context.Context, tx *store.Tx) error { return w.engine.Retry(ctx, tx, stale, "") }); err == nil {
			t.Error("a frozen selection hit what has changed since")
		}
		if err := w.order(func(ctx context.Context, tx *store.Tx) error { return w.engine.Retry(ctx, tx, ord("retried"), "") }); err != nil {
			t.Fatal(err)
		}
		w.expect("retried", saga.Compensated, "c: no c")
		w.want("left", w.left("retried"), "")
		if err := w.order(func(ctx context.Context, tx *store.Tx) error { return w.engine.Skip(ctx, tx, ord("skipped"), "b") }); err != nil {
			t.Fatal(err)
		}
		w.expect("skipped", saga.Compensated, "c: no c")
		w.want("left", w.left("skipped"), "b0")
		if err := w.order(func(ctx context.Context, tx *store.Tx) error { return w.engine.Cancel(ctx, tx, ord("skipped")) }); err == nil {
			t.Error("cancelled what is over")
		}
	}, def)
}

func TestPivot(t *testing.T) {
	def := saga.Define("pivot", 1, starts(), work[a](), work[b]().Pivot(),
		saga.Step("d", saga.Send(func(s *story) do[d] { return do[d]{s.ID, "0"} }), saga.Done(func(*story, event.Message[did[d]]) {})))
	play(t, func(w *theatre) {
		w.hands.wills("do-d patient", func(n int) string { return map[bool]string{true: "silent"}[n < 20] })
		w.Publish(begin{ID: "patient"})
		w.Sleep(5 * time.Minute)
		err := w.order(func(ctx context.Context, tx *store.Tx) error {
			return w.engine.Cancel(ctx, tx, saga.Action{Saga: "pivot", ID: "patient"})
		})
		if err == nil || !strings.Contains(err.Error(), "point of no return") {
			t.Errorf("cancelled after the pivot: %v", err)
		}
		w.expect("patient", saga.Completed, "")
		if n := w.hands.times("do-d patient"); n != 20 {
			t.Errorf("d was asked %d times, want 20", n)
		}
	}, def)
}

// changed is a second version, which begins with another step.
func changed(parts ...*saga.Node[story]) *saga.Definition[story] {
	return saga.Define("changing", 2, append([]*saga.Node[story]{starts(), work[b](), work[a](), work[c]()}, parts...)...)
}

func TestVersions(t *testing.T) {
	first := saga.Define("changing", 1, starts(), work[a](), work[b]())
	keep := saga.From(1, func(s story) (story, error) { s.tell("moved"); return s, nil })
	for _, test := range []struct {
		name string
		with []saga.Saga
		told string
		fail string
	}{
		{"old ones finish as they began", []saga.Saga{first, changed()}, "a b", ""},
		{"old ones are moved", []saga.Saga{changed(keep)}, "moved a b c", ""},
		{"nobody knows the old ones", []saga.Saga{changed()}, "", "instances of version 1"},
		{"a part is gone", []saga.Saga{saga.Define("changing", 2, starts(), keep, work[c]())}, "", `it has reached "a"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			play(t, func(w *theatre) {
				w.hands.wills("do-a old", func(n int) string { return map[bool]string{true: "silent"}[n == 1] })
				w.Publish(begin{ID: "old"})
				w.expect("old", saga.Running, "")
				w.Stop("director")
				w.defs = test.with
				err := w.TryStart("director", w.register)
				if test.fail != "" {
					if err == nil || !strings.Contains(err.Error(), test.fail) {
						t.Fatalf("started with %v, want %q", err, test.fail)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				w.Publish(begin{ID: "new"})
				w.expect("old", saga.Completed, "")
				w.want("told", w.told("old"), test.told)
				w.expect("new", saga.Completed, "")
				w.want("told", w.told("new"), "b a c")
			}, first)
		})
	}
}

func TestStrays(t *testing.T) {
	def := saga.Define("strays", 1, starts(), work[a](), work[b]())
	play(t, func(w *theatre) {
		w.hands.wills("do-a late", func(n int) string { return "silent" })
		w.hands.will("do-b open", "silent")
		w.Publish(begin{ID: "open"})
		w.Publish(begin{ID: "late"})
		w.Sleep(10 * time.Second) // not until quiet, which may wait for the minute that steps have
		w.Publish(begin{ID: "open"})
		w.Publish(did[a]{"open", "0"})
		w.Publish(did[c]{"open", "0"}) // of no saga here
		w.Publish(did[a]{"unknown", "0"})
		w.Sleep(10 * time.Second)
		history := w.Query("director", `SELECT history FROM saga_live WHERE id = 'open'`)[0]
		if n := strings.Count(history, `"duplicate"`); n != 2 {
			t.Errorf("%d duplicates are recorded, want 2: %s", n, history)
		}
		w.Sleep(5 * time.Minute)
		w.expect("late", saga.Compensated, "a: no answer within 1m0s")
		w.Publish(did[a]{"late", "0"})
		w.Quiet()
		history = w.Query("director", `SELECT history FROM saga_done WHERE id = 'late'`)[0]
		if !strings.Contains(history, `"late"`) {
			t.Errorf("a late answer is not recorded: %s", history)
		}
	}, def)
}

func TestRetention(t *testing.T) {
	def := saga.Define("kept", 1, starts(), work[a]())
	tuttitest.RunConfig(t, tuttitest.Config{Calm: true, Patience: 3 * 24 * time.Hour}, func(world *tuttitest.World) {
		w := &theatre{World: world, hands: newHands(), defs: []saga.Saga{def}, cfg: saga.Config{Retention: 24 * time.Hour}}
		w.Start("hands", w.hands.register)
		w.direct()
		for i := range 1200 {
			w.Publish(begin{ID: fmt.Sprint("old", i)})
		}
		w.Sleep(12 * time.Hour)
		w.Publish(begin{ID: "new"})
		w.expect("new", saga.Completed, "")
		w.Sleep(14 * time.Hour)
		w.ExpectRows("director", `SELECT id FROM saga_done`, "new")
	})
}

func TestLongHistory(t *testing.T) {
	def := saga.Define("long", 1, starts(), saga.While("often", 1000, func(s *story) bool { return s.N < 300 },
		saga.Step("count", saga.Send(func(s *story) ended { s.N++; return ended{s.ID, ""} })).NothingToUndo(), work[a]()))
	play(t, func(w *theatre) {
		w.Publish(begin{ID: "long"})
		w.expect("long", saga.Completed, "")
		pages := w.Query("director", `SELECT history FROM saga_page WHERE id = 'long' ORDER BY page`)
		all := strings.Join(append(pages, w.Query("director", `SELECT history FROM saga_done WHERE id = 'long'`)...), "")
		if n := strings.Count(all, `"done","a[`); n != 300 || len(pages) < 1 {
			t.Errorf("%d pages hold %d iterations, want at least 1 and 300", len(pages), n)
		}
	}, def)
}

// all is a saga of every kind of part that takes no person.
func all() *saga.Definition[story] {
	return saga.Define("all", 1, starts(),
		saga.CancelledBy(func(_ *story, m event.Message[stop]) string { return m.Body.Why }),
		once[a]().Within(20*time.Second).Attempts(0),
		saga.Parallel("both",
			once[b]().Within(20*time.Second).Attempts(0),
			saga.Sequence(saga.Sleep("nap", func(*story) time.Duration { return 3 * time.Second }), once[c]().Within(20*time.Second).Attempts(0))),
		saga.While("twice", 3, func(s *story) bool { return s.N < 2 },
			saga.Step("count", saga.Send(func(s *story) ended { s.N++; return ended{s.ID, "again"} })).NothingToUndo(),
			work[d]().Within(20*time.Second).Attempts(0)),
		tells())
}

// TestSeeds runs many sagas through faults: all end, those that are completed have done
// everything once, and of those that are compensated nothing is left.
func TestSeeds(t *testing.T) {
	seeds := 20
	if testing.Short() {
		seeds = 5
	}
	tuttitest.Seeds(t, seeds, func(world *tuttitest.World) {
		w := &theatre{World: world, hands: newHands(), defs: []saga.Saga{all()}}
		w.Start("hands", w.hands.register)
		if world.Seed()%2 == 0 {
			w.direct()
		} else { // two of them share the work
			w.Start("director", w.register, service.Config{Shared: true})
			w.Start("director.b", w.register, service.Config{Shared: true})
		}
		const sagas = 12
		for i := range sagas {
			id := fmt.Sprint("s", i)
			switch i % 4 {
			case 1:
				w.hands.will([]string{"do-a ", "do-b ", "do-c ", "do-d "}[w.Rand().IntN(4)]+id, "wont")
			case 2:
				w.hands.wills("undo-a "+id, func(n int) string { return map[bool]string{true: "stays"}[n == 1] })
				w.hands.will("do-d "+id, "wont")
			}
		}
		w.Chaos(tuttitest.Chaos{Kinds: slices.DeleteFunc(slices.Clone(tuttitest.AllFaults), func(f tuttitest.Fault) bool {
			return f == tuttitest.Corrupt || f == tuttitest.Refuse // these need a person
		})})
		for i := range sagas {
			w.Publish(begin{ID: fmt.Sprint("s", i)})
			if i%4 == 3 {
				w.Sleep(time.Duration(w.Rand().IntN(4000)) * time.Millisecond)
				w.Publish(stop{fmt.Sprint("s", i), "stopped"})
			}
		}
		w.Quiet()
		w.ExpectRows("director", `SELECT COUNT(*) FROM saga_live`, "0")
		w.Quiet()
		w.verify(sagas)
	})
}

// verify compares how sagas ended with what is done.
func (w *theatre) verify(sagas int) {
	w.T().Helper()
	ended := map[string]string{}
	for _, row := range w.Query("director", `SELECT id, status FROM saga_done`) {
		id, status, _ := strings.Cut(row, "|")
		ended[id] = status
	}
	if len(ended) != sagas {
		w.T().Errorf("%d sagas have ended, want %d", len(ended), sagas)
	}
	for _, id := range slices.Sorted(maps.Keys(ended)) {
		want := map[string]string{"completed": "a0 b0 c0 d1 d2"}[ended[id]]
		if got := w.left(id); got != want {
			w.T().Errorf("saga %s is %s, and of its work is left %q, want %q", id, ended[id], got, want)
		}
	}
	for _, row := range w.Query("director", `SELECT kind, id FROM tutti_job`) {
		w.T().Errorf("timer %s is left", row)
	}
}

// ratio is a state that is no JSON once N is 1.
type ratio struct {
	ID string
	N  int
	F  float64
}

func ratioWork[M mark](name string) *saga.Node[ratio] {
	return saga.Step(name,
		saga.Send(func(s *ratio) do[M] { return do[M]{s.ID, fmt.Sprint(s.N)} }),
		saga.Done(func(*ratio, event.Message[did[M]]) {}),
		saga.Failed(func(_ *ratio, m event.Message[wont[M]]) string { return m.Body.Why }),
		saga.Undo(func(s *ratio) undo[M] { return undo[M]{s.ID, fmt.Sprint(s.N)} }, saga.Done(func(*ratio, event.Message[gone[M]]) {})))
}

// TestFailureInLoop has the undos of iterations tell why, but for the first, whose state
// could not be stored then: it is undone with the state that it had.
func TestFailureInLoop(t *testing.T) {
	def := saga.Define("ratio", 1, saga.StartedBy(func(s *ratio, m event.Message[begin]) { s.ID = m.Key }),
		saga.OnFailure(func(s *ratio, reason string) { s.F, s.N = 1/float64(s.N-1), s.N+10*len(reason) }),
		saga.While("thrice", 3, func(s *ratio) bool { return s.N < 3 },
			saga.Step("count", saga.Send(func(s *ratio) ended { s.N++; return ended{s.ID, "counting"} })).NothingToUndo(),
			ratioWork[a]("a")),
		ratioWork[b]("b"))
	play(t, func(w *theatre) {
		w.hands.will("do-b t", "wont")
		w.Publish(begin{ID: "t"})
		w.Sleep(time.Minute)
		w.expect("t", saga.Compensated, "b: no b")
		got := strings.Join(w.Query("hands", `SELECT n FROM refused WHERE id = 't' AND kind = 'a' ORDER BY n`), " ")
		w.want("undone", got, "1 72 73")
	}, def)
}

func TestSkipInLoop(t *testing.T) {
	def := saga.Define("skips", 1, starts(),
		saga.While("twice", 2, func(s *story) bool { return s.N < 2 },
			saga.Step("count", saga.Send(func(s *story) ended { s.N++; return ended{s.ID, "counting"} })).NothingToUndo(),
			work[a]().Attempts(0)),
		work[b]())
	play(t, func(w *theatre) {
		w.hands.will("do-b s", "wont")
		w.hands.wills("do-a s", func(n int) string { return map[bool]string{true: "silent"}[n == 1] })
		w.Publish(begin{ID: "s"})
		w.Sleep(time.Second)
		if err := w.order(func(ctx context.Context, tx *store.Tx) error {
			return w.engine.Skip(ctx, tx, saga.Action{Saga: "skips", ID: "s"}, "a[1]")
		}); err != nil {
			t.Fatal(err)
		}
		w.Sleep(time.Minute)
		w.expect("s", saga.Compensated, "b: no b")
		got := strings.Join(w.Query("hands", `SELECT n FROM refused WHERE id = 's' AND kind = 'a' ORDER BY n`), " ")
		w.want("undone", got, "1 2")
	}, def)
}

// Sagas that ended while the clock was ahead do not keep those after them for ever.
func TestRetentionAfterWrongClock(t *testing.T) {
	def := saga.Define("kept", 1, starts(), work[a]())
	tuttitest.RunConfig(t, tuttitest.Config{Calm: true, Patience: 3 * 24 * time.Hour}, func(world *tuttitest.World) {
		w := &theatre{World: world, hands: newHands(), defs: []saga.Saga{def}, cfg: saga.Config{Retention: time.Hour}}
		w.Start("hands", w.hands.register)
		w.direct()
		for i := range 600 {
			w.Publish(begin{ID: fmt.Sprint("ahead", i)})
		}
		w.Sleep(time.Minute)
		if err := w.order(func(ctx context.Context, tx *store.Tx) error {
			return tx.Exec(ctx, `UPDATE saga_done SET changed = changed + $1`, (24 * 365 * time.Hour).Milliseconds())
		}); err != nil {
			t.Fatal(err)
		}
		w.Publish(begin{ID: "after"})
		w.Sleep(5 * time.Hour)
		w.ExpectRows("director", `SELECT COUNT(*) FROM saga_done`, "0")
	})
}
