package saga_test

import (
	"context"
	"fmt"
	"testing"
	"time"

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
