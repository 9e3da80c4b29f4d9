package saga_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

// share runs a test with sagas that two instances of the director share.
func share(t *testing.T, fn func(w *theatre), defs ...saga.Saga) {
	t.Helper()
	tuttitest.Run(t, func(world *tuttitest.World) {
		w := &theatre{World: world, hands: newHands(), defs: defs}
		w.Start("hands", w.hands.register)
		w.Start("director", w.register, service.Config{Shared: true})
		w.Start("director.b", w.register, service.Config{Shared: true})
		w.Sleep(time.Minute)
		fn(w)
	})
}

const shared = 60

func (w *theatre) beginShared() {
	for i := range shared {
		w.Publish(begin{ID: fmt.Sprint("s", i)})
	}
	w.Sleep(10 * time.Minute)
}

// The instance in which a saga ends may remember the one above as it was before that
// had started it.
func TestSubsOverInstances(t *testing.T) {
	in := inner()
	second := saga.Sub("second", in, func(s *story) (string, story) { return s.ID + "-2", story{ID: s.ID + "-2"} }, func(*story, story) {})
	share(t, func(w *theatre) {
		w.beginShared()
		w.ExpectRows("director", `SELECT COUNT(*) FROM saga_live`, "0")
	}, saga.Define("outer", 1, starts(), within(in), work[a](), second, work[d]()))
}

// A person's wish is not refused by an instance that remembers a saga as it was.
func TestDecideOverInstances(t *testing.T) {
	def := saga.Define("loan", 1, starts(), work[a](), within(inner()),
		saga.Decide("approval", saga.Accept("yes", func(*story, saga.Decision) {})))
	share(t, func(w *theatre) {
		w.beginShared()
		for i := range shared {
			if err := w.order(func(ctx context.Context, tx *store.Tx) error {
				return w.engine.Decide(ctx, tx, saga.Action{Saga: "loan", ID: fmt.Sprint("s", i), By: "ann"}, "", "yes")
			}); err != nil {
				t.Error(err)
			}
		}
	}, def)
}

// asks is a step of which a T says that it is done.
func asks[T event.Typed](what string) *saga.Node[story] {
	return saga.Step(what, saga.Send(func(s *story) ended { return ended{s.ID, what} }),
		saga.Done(func(s *story, m event.Message[T]) { s.tell("%s", what) })).NothingToUndo().Within(time.Hour)
}

// An instance that remembers a saga as it was takes no message for one that nothing waits
// for, also where the history is too long to tell of such.
func TestLongHistoryOverInstances(t *testing.T) {
	const sagas, long = 4, 220
	def := saga.Define("long", 1, starts(),
		saga.While("often", long, func(s *story) bool { return s.N < long },
			saga.Step("a", saga.Send(func(s *story) do[a] { s.N++; return do[a]{s.ID, "0"} }),
				saga.Done(func(s *story, m event.Message[did[a]]) {}),
				saga.Busy(func(s *story, m event.Message[later[a]]) string { return strings.Repeat("later ", 80) })).Backoff(time.Millisecond).NothingToUndo()),
		asks[news]("one"), asks[gone[a]]("two"), asks[news]("three"))
	share(t, func(w *theatre) {
		all := func(message func(id string) event.Body) {
			for i := range sagas {
				w.Publish(message(fmt.Sprint("l", i)))
			}
			w.Sleep(10 * time.Second)
		}
		all(func(id string) event.Body {
			w.hands.wills("do-a "+id, func(n int) string { return map[bool]string{true: "later"}[n%2 == 1] })
			return begin{ID: id}
		})
		w.ExpectRows("director", `SELECT COUNT(*) FROM saga_live WHERE doc LIKE '%"p":"one"%'`, fmt.Sprint(sagas))
		w.Stop("director")
		all(func(id string) event.Body { return news{ID: id} }) // the other one remembers them now
		w.Restart("director")
		w.Sleep(time.Minute)
		all(func(id string) event.Body { return gone[a]{ID: id} })
		w.Stop("director")
		all(func(id string) event.Body { return news{ID: id} })
		w.ExpectRows("director.b", `SELECT status, COUNT(*) FROM saga_done`, fmt.Sprint("completed|", sagas))
	}, def)
}

// While instances of the service are replaced one by one, an older one may meet sagas of
// a newer definition: what comes for them, and their timers, waits for a newer one.
func TestNewerOverInstances(t *testing.T) {
	v1 := saga.Define("newer", 1, starts(), work[a]())
	v2 := saga.Define("newer", 2, starts(), work[a](), saga.Sleep("nap", func(*story) time.Duration { return time.Minute }))
	share(t, func(w *theatre) {
		w.Stop("director.b")
		w.defs = []saga.Saga{v1, v2}
		newer := func() { w.Start("director.b", w.register, service.Config{Shared: true}) }
		newer()
		for i := range shared {
			if err := w.order(func(ctx context.Context, tx *store.Tx) error {
				id := fmt.Sprint("s", i)
				_, err := w.engine.Start(ctx, tx, "newer", id, story{ID: id})
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		w.Sleep(10 * time.Second)
		w.Stop("director.b")
		w.Sleep(10 * time.Minute)
		newer()
		w.Stop("director")
		w.Sleep(10 * time.Minute)
		w.ExpectRows("director.b", `SELECT status, COUNT(*) FROM saga_done`, fmt.Sprint("completed|", shared))
		for _, table := range []string{"saga_live", "tutti_parked", "tutti_job"} {
			w.ExpectRows("director.b", `SELECT COUNT(*) FROM `+table, "0")
		}
	}, v1)
}
