package saga_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

// theatre is a world with a service that directs sagas and one that does the work.
type theatre struct {
	*tuttitest.World
	hands  *hands
	engine *saga.Engine
	svc    *service.Service
	defs   []saga.Saga
	cfg    saga.Config
}

// play runs a test with sagas.
func play(t *testing.T, fn func(w *theatre), defs ...saga.Saga) {
	t.Helper()
	tuttitest.RunConfig(t, tuttitest.Config{Patience: 60 * 24 * time.Hour, Calm: true}, func(world *tuttitest.World) {
		w := &theatre{World: world, hands: newHands(), defs: defs}
		w.Start("hands", w.hands.register)
		w.direct()
		fn(w)
	})
}

// direct starts the director.
func (w *theatre) direct() { w.Start("director", w.register) }

func (w *theatre) register(s *service.Service) {
	w.svc, w.engine = s, saga.Register(s, w.cfg, w.defs...)
	event.Publishes[begin](s)
}

// expect waits until a saga is over, or stands as it says.
func (w *theatre) expect(id string, status saga.Status, reason string) {
	w.T().Helper()
	w.ExpectRows("director", `SELECT status, reason FROM saga_live WHERE id = '`+id+`' UNION ALL SELECT status, reason FROM saga_done WHERE id = '`+id+`'`,
		string(status)+"|"+reason)
}

// told is what a saga's state was told.
func (w *theatre) told(id string) string {
	w.T().Helper()
	rows := w.Query("director", `SELECT doc FROM saga_live WHERE id = $1 UNION ALL SELECT doc FROM saga_done WHERE id = $1`, id)
	if len(rows) != 1 {
		w.T().Fatalf("saga %s: %d rows", id, len(rows))
	}
	_, rest, _ := strings.Cut(rows[0], `"Told":"`)
	text, _, _ := strings.Cut(rest, `"`)
	return strings.TrimSpace(text)
}

// left is the work that is done and not undone.
func (w *theatre) left(id string) string {
	w.T().Helper()
	return strings.Join(w.Query("hands", `SELECT kind || n FROM work WHERE id = $1 ORDER BY kind, n`, id), " ")
}

// order does what a person wants.
func (w *theatre) order(fn func(ctx context.Context, tx *store.Tx) error) error {
	return w.svc.Write(w.T().Context(), fn)
}

func (w *theatre) want(what, got, want string) {
	w.T().Helper()
	if got != want {
		w.T().Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestSequence(t *testing.T) {
	def := saga.Define("plain", 1, starts(), work[a](), work[b](), work[c]())
	play(t, func(w *theatre) {
		w.hands.will("do-c no", "wont")
		w.hands.wills("do-b busy", func(n int) string { return map[bool]string{true: "later"}[n < 3] })
		for _, id := range []string{"yes", "no", "busy"} {
			w.Publish(begin{ID: id})
		}
		w.expect("yes", saga.Completed, "")
		w.want("told", w.told("yes"), "a b c")
		w.want("left", w.left("yes"), "a0 b0 c0")
		w.expect("no", saga.Compensated, "c: no c")
		w.want("told", w.told("no"), "a b -b -a")
		w.want("left", w.left("no"), "")
		w.expect("busy", saga.Completed, "")
		if n := w.hands.times("do-b busy"); n != 3 {
			t.Errorf("b was asked %d times, want 3", n)
		}
	}, def)
}

func TestParallel(t *testing.T) {
	def := saga.Define("fork", 1, starts(), work[a](), saga.Parallel("both", saga.Sequence(work[b]()), work[c]()), work[d]())
	play(t, func(w *theatre) {
		w.hands.will("do-c no", "wont")
		w.hands.will("do-b slow", "silent")
		for _, id := range []string{"yes", "no", "slow"} {
			w.Publish(begin{ID: id})
		}
		w.expect("yes", saga.Completed, "")
		w.want("left", w.left("yes"), "a0 b0 c0 d0")
		w.expect("no", saga.Compensated, "c: no c")
		w.want("left", w.left("no"), "")
		w.expect("slow", saga.Compensated, "b: no answer within 1m0s")
		w.want("left", w.left("slow"), "")
	}, def)
}

func TestConditions(t *testing.T) {
	def := saga.Define("if", 1, starts(),
		saga.If("big", func(s *story) bool { return s.How == "big" }, work[a](), work[b]()),
		saga.If("odd", func(s *story) bool { return s.How == "odd" }, saga.Fail("oddness", func(s *story) string { return "it is odd" })),
		work[c]())
	play(t, func(w *theatre) {
		w.Publish(begin{"1", "big"})
		w.Publish(begin{"2", "small"})
		w.Publish(begin{"3", "odd"})
		w.expect("1", saga.Completed, "")
		w.want("left", w.left("1"), "a0 c0")
		w.expect("2", saga.Completed, "")
		w.want("left", w.left("2"), "b0 c0")
		w.expect("3", saga.Compensated, "it is odd")
		w.want("left", w.left("3"), "")
	}, def)
}

func TestLoop(t *testing.T) {
	def := saga.Define("loop", 1, starts(),
		saga.While("rooms", 5, func(s *story) bool { return s.N < 3 || s.How == "more" },
			saga.Step("count", saga.Send(func(s *story) ended { s.N++; return ended{s.ID, "counting"} })).NothingToUndo(),
			work[a]()),
		work[b]())
	play(t, func(w *theatre) {
		w.hands.will("do-b no", "wont")
		w.Publish(begin{ID: "yes"})
		w.Publish(begin{ID: "no"})
		w.Publish(begin{"over", "more"})
		w.expect("yes", saga.Completed, "")
		w.want("left", w.left("yes"), "a1 a2 a3 b3")
		w.expect("no", saga.Compensated, "b: no b")
		w.want("left", w.left("no"), "")
		w.expect("over", saga.Compensated, "rooms: after 5 iterations there is still more to do")
		w.want("left", w.left("over"), "")
	}, def)
}

func TestWait(t *testing.T) {
	def := saga.Define("wait", 1, starts(), work[a](),
		saga.Wait("news", saga.Done(func(s *story, m event.Message[news]) { s.tell("%s", m.Body.What) })).Within(48*time.Hour),
		saga.Sleep("rest", func(*story) time.Duration { return 30 * 24 * time.Hour }),
		saga.Wait("more", saga.Done(func(s *story, m event.Message[news]) { s.tell("%s", m.Body.What) })).Within(time.Hour).
			Otherwise(func(s *story) { s.tell("nothing") }),
		work[b]())
	play(t, func(w *theatre) {
		w.Publish(news{"early", "before"}) // before it starts
		w.Quiet()
		w.Publish(begin{ID: "early"})
		w.Publish(begin{ID: "late"})
		w.Publish(begin{ID: "never"})
		w.Sleep(24 * time.Hour)
		w.Publish(news{"late", "at-last"})
		w.Sleep(29*24*time.Hour + 3*time.Hour)
		w.want("status", strings.Join(w.Query("director", `SELECT id || status FROM saga_live ORDER BY id`), " "), "laterunning")
		w.Publish(news{"late", "kept"}) // while it sleeps
		w.expect("early", saga.Completed, "")
		w.want("told", w.told("early"), "a before nothing b")
		w.expect("late", saga.Completed, "")
		w.want("told", w.told("late"), "a at-last kept b")
		w.expect("never", saga.Compensated, "news: nothing within 48h0m0s")
	}, def)
}

func TestDecide(t *testing.T) {
	def := saga.Define("decide", 1, starts(), work[a](),
		saga.Decide("approval",
			saga.Accept("yes", func(s *story, d saga.Decision) { s.tell("yes-by-%s", d.By) }),
			saga.Refuse("no", func(s *story, d saga.Decision) { s.tell("no-by-%s", d.By) })).Within(30*24*time.Hour),
		work[b]())
	play(t, func(w *theatre) {
		for _, id := range []string{"1", "2", "3"} {
			w.Publish(begin{ID: id})
		}
		w.expect("1", saga.Deciding, "")
		decide := func(id, choice string) error {
			return w.order(func(ctx context.Context, tx *store.Tx) error {
				return w.engine.Decide(ctx, tx, saga.Action{Saga: "decide", ID: id, By: "ann", Note: "because"}, "", choice)
			})
		}
		w.Sleep(29 * 24 * time.Hour)
		if err := decide("1", "maybe"); err == nil || !strings.Contains(err.Error(), "yes, no") {
			t.Errorf("an unknown option: %v", err)
		}
		if err := decide("9", "yes"); err == nil {
			t.Error("decided on what is not there")
		}
		for id, choice := range map[string]string{"1": "yes", "2": "no"} {
			if err := decide(id, choice); err != nil {
				t.Fatal(err)
			}
		}
		w.expect("1", saga.Completed, "")
		w.want("told", w.told("1"), "a yes-by-ann b")
		w.expect("2", saga.Compensated, "approval: no: because")
		w.want("left", w.left("2"), "")
		w.expect("3", saga.Compensated, "approval: nothing within 720h0m0s")
		if err := decide("1", "yes"); err == nil {
			t.Error("decided on what is over")
		}
	}, def)
}
