package saga_test

import (
	"context"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/store"
)

func TestFailsBesidePivot(t *testing.T) {
	for name, branch := range map[string]*saga.Node[story]{
		"fail": saga.If("bad", func(*story) bool { return true }, saga.Fail("bad luck", func(*story) string { return "bad luck" })),
		"early": saga.Wait("news",
			saga.Failed(func(*story, event.Message[news]) string { return "bad news" }),
			saga.Done(func(*story, event.Message[stop]) {})),
		"sub": saga.Sub("within", inner(), func(s *story) (string, story) { return "taken", story{ID: "taken"} }, func(*story, story) {}),
	} {
		t.Run(name, func(t *testing.T) {
			def := saga.Define("beside", 1, starts(), work[d](), saga.Parallel("both",
				saga.Sequence(saga.Sleep("nap", func(*story) time.Duration { return time.Minute }), branch),
				work[a]().Pivot()))
			play(t, func(w *theatre) {
				if name == "sub" {
					if err := w.order(func(ctx context.Context, tx *store.Tx) error {
						_, err := w.engine.Start(ctx, tx, "inner", "taken", story{ID: "taken"})
						return err
					}); err != nil {
						t.Fatal(err)
					}
				}
				w.Publish(begin{ID: "p"})
				w.Sleep(10 * time.Second)
				w.want("left", w.left("p"), "a0 d0")
				w.Publish(news{ID: "p"})
				w.Sleep(10 * time.Minute)
				w.want("left", w.left("p"), "a0 d0")
				w.ExpectRows("director", `SELECT status FROM saga_live WHERE id = 'p' UNION ALL SELECT status FROM saga_done WHERE id = 'p'`, "stuck")
			}, def)
		})
	}
}

// A pivot that was asked for and not answered may be done, and nothing takes it back: a
// message comes too late to cancel, and where the process turns back all the same, a person
// has to see to it.
func TestPivotWithoutAnswer(t *testing.T) {
	seal := saga.Step("seal", saga.Send(func(s *story) do[b] { return do[b]{s.ID, "0"} }), saga.Done(func(*story, event.Message[did[b]]) {})).
		Within(time.Minute).Pivot()
	cancel := saga.CancelledBy(func(_ *story, m event.Message[stop]) string { return m.Body.Why })
	byOperator := func(w *theatre) error {
		return w.order(func(ctx context.Context, tx *store.Tx) error {
			return w.engine.Cancel(ctx, tx, saga.Action{Saga: "pivot", ID: "p"})
		})
	}
	for name, test := range map[string]struct {
		attempts int
		turns    func(w *theatre) error
		reason   string
	}{
		"given up":  {2, func(*theatre) error { return nil }, "seal: no answer within 1m0s"},
		"cancelled": {0, byOperator, "cancelled"},
	} {
		t.Run(name, func(t *testing.T) {
			def := saga.Define("pivot", 1, starts(), cancel, work[a](), seal.Attempts(test.attempts))
			play(t, func(w *theatre) {
				w.hands.wills("do-b p", func(int) string { return "silent" })
				w.Publish(begin{ID: "p"})
				w.Sleep(10 * time.Second)
				w.Publish(stop{ID: "p", Why: "no more"})
				w.Sleep(10 * time.Second)
				w.expect("p", saga.Running, "")
				if err := test.turns(w); err != nil {
					t.Fatal(err)
				}
				w.Sleep(10 * time.Minute)
				w.want("left", w.left("p"), "a0")
				w.expect("p", saga.Stuck, test.reason)
				if err := w.retry("p"); err == nil {
					t.Error("the pivot was to be tried again, while all is being undone")
				}
				if err := w.skip("pivot", "p", "seal"); err != nil {
					t.Fatal(err)
				}
				w.Sleep(10 * time.Minute)
				w.want("left", w.left("p"), "")
				w.expect("p", saga.Compensated, test.reason)
			}, def)
		})
	}
}

// After the pivot nothing is undone, also if a saga beside it fails. It is over, and not
// tried again.
func TestSubBesidePivot(t *testing.T) {
	def := saga.Define("beside", 1, starts(), saga.Parallel("both",
		within(inner()),
		work[a]().Pivot()))
	play(t, func(w *theatre) {
		w.hands.wills("do-c p-in", func(n int) string { return map[bool]string{true: "silent", false: "wont"}[n == 1] })
		w.Publish(begin{ID: "p"})
		w.Sleep(10 * time.Minute)
		w.want("left", w.left("p"), "a0")
		w.expect("p", saga.Stuck, "")
		if err := w.retry("p"); err == nil {
			t.Error("the saga that has failed was to be tried again, and is over")
		}
		w.Sleep(10 * time.Minute)
		w.expect("p", saga.Stuck, "")
	}, def)
}

// A saga within another that is past its pivot stays so, however often its undo is tried.
func TestRetryOfSubPastItsPivot(t *testing.T) {
	child := saga.Define("child", 1, saga.Step("a", saga.Send(func(s *story) do[a] { return do[a]{s.ID, "0"} }),
		saga.Done(func(*story, event.Message[did[a]]) {})).Attempts(0).Pivot())
	def := saga.Define("beside", 1, starts(), within(child), work[d]())
	play(t, func(w *theatre) {
		w.hands.will("do-d p", "wont")
		w.Publish(begin{ID: "p"})
		w.expect("p", saga.Stuck, "d: no d")
		for range 2 {
			if err := w.retry("p"); err != nil {
				t.Fatal(err)
			}
			w.Quiet()
			w.expect("p", saga.Stuck, "d: no d")
		}
	}, def)
}

// A wait that is retried waits again, and takes what came since.
func TestRetryOfWaitBesidePivot(t *testing.T) {
	def := saga.Define("beside", 1, starts(), saga.Parallel("both",
		newsNode("wait").Within(time.Minute),
		work[a]().Pivot()), tells())
	play(t, func(w *theatre) {
		w.Publish(begin{ID: "p"})
		w.Sleep(10 * time.Minute)
		w.expect("p", saga.Stuck, "wait: nothing within 1m0s")
		if err := w.retry("p"); err != nil {
			t.Fatal(err)
		}
		w.Sleep(10 * time.Second)
		if done := w.Query("director", `SELECT status, doc FROM saga_done WHERE id = 'p'`); len(done) > 0 {
			t.Errorf("the wait is done without its event: %s", done)
		}
		w.Sleep(10 * time.Minute)
		w.Publish(news{"p", "kept"})
		w.Quiet()
		w.expect("p", saga.Stuck, "wait: nothing within 1m0s")
		if err := w.retry("p"); err != nil {
			t.Fatal(err)
		}
		w.expect("p", saga.Completed, "")
	}, def)
}

// TestRetryOfDecisionBesidePivot has a decision that nobody made in time be asked for again.
func TestRetryOfDecisionBesidePivot(t *testing.T) {
	def := saga.Define("beside", 1, starts(), saga.Parallel("both",
		saga.Decide("approval", saga.Accept("yes", func(s *story, _ saga.Decision) { s.tell("yes") })).Within(time.Minute),
		work[a]().Pivot()), tells())
	play(t, func(w *theatre) {
		decide := func() error {
			return w.order(func(ctx context.Context, tx *store.Tx) error {
				return w.engine.Decide(ctx, tx, saga.Action{Saga: "beside", ID: "p", By: "ann"}, "", "yes")
			})
		}
		w.Publish(begin{ID: "p"})
		w.Sleep(10 * time.Minute)
		w.expect("p", saga.Stuck, "approval: nothing within 1m0s")
		if err := decide(); err == nil {
			t.Error("it is decided, although the time is over")
		}
		if err := w.retry("p"); err != nil {
			t.Fatal(err)
		}
		w.Sleep(10 * time.Second)
		w.expect("p", saga.Deciding, "approval: nothing within 1m0s")
		if err := decide(); err != nil {
			t.Fatal(err)
		}
		w.Quiet()
		w.expect("p", saga.Completed, "")
	}, def)
}

func (w *theatre) retry(id string) error {
	return w.order(func(ctx context.Context, tx *store.Tx) error {
		return w.engine.Retry(ctx, tx, saga.Action{Saga: "beside", ID: id}, "")
	})
}
