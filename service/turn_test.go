package service_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

// TestTwoThatWaitForEachOther has two instances come to partitions that are new to them
// while each has events in its outbox that are sent and still there. Each holds back
// what it reads until the other's are gone, and has to take out its own meanwhile.
func TestTwoThatWaitForEachOther(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		t := w.T()
		both := []string{"middle", "middle.b"}
		for _, name := range both {
			w.Start(name, func(s *service.Service) {
				s.Migrations(migrations(doneTable))
				event.Publishes[Passed](s)
				event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Numbered]) error {
					return tx.Exec(ctx, `INSERT INTO done (id, n) VALUES ($1, $2)`, m.Body.Group, m.Body.N)
				})
			}, service.Config{Shared: true})
		}
		w.Sleep(time.Minute) // each has its partition
		for n, name := range both {
			if err := w.Service(name).Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				return event.Publish(ctx, tx, Passed{"p", n})
			}); err != nil {
				t.Fatal(err)
			}
		}
		for n := range 8 { // to both partitions
			w.Publish(Numbered{fmt.Sprint("g", n), n})
		}
		w.Sleep(3 * time.Second) // far less than an instance waits for one that does not send
		if got := w.Query("middle", `SELECT COUNT(*) FROM done`); got[0] != "8" {
			t.Errorf("%s of 8 messages are handled", got[0])
		}
		for _, name := range both {
			if n := w.Service(name).Status().Handled; n == 0 {
				t.Errorf("%s has handled nothing: the two did not share", name)
			}
		}
		w.Quiet()
	})
}

// TestOneThatDoesNotSend has an instance live, hold its lane, and be cut off from Kafka
// with events that it has not sent. Who takes over its partitions must not overtake them:
// it has the instance replaced.
func TestOneThatDoesNotSend(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		t := w.T()
		var mute atomic.Bool
		for _, name := range []string{"middle", "middle.b"} {
			w.Start(name, func(s *service.Service) {
				if name == "middle" {
					service.FailSends(s, func(int64) (bool, error) {
						if mute.Load() {
							return false, errSmall
						}
						return false, nil
					})
				}
				event.Publishes[Passed](s)
				event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Numbered]) error {
					return event.Publish(ctx, tx, Passed(m.Body))
				})
			}, service.Config{Shared: true})
		}
		w.Start("sink", func(s *service.Service) {
			s.Migrations(smallTables)
			event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Passed]) error {
				return tx.Exec(ctx, `INSERT INTO got (grp, n) VALUES ($1, $2)`, m.Body.Group, m.Body.N)
			})
		})
		w.Sleep(time.Minute) // each has its partition
		var want []string
		publish := func(n int) {
			for g := range 4 {
				w.Publish(Numbered{fmt.Sprint("g", g), n})
				want = append(want, fmt.Sprintf("g%d|%d", g, n))
			}
		}
		publish(0)
		w.Sleep(time.Second)
		mute.Store(true)
		publish(1)
		w.Sleep(time.Second)
		w.ExpectEnd("middle")
		w.Cut("middle")
		w.Sleep(time.Minute) // the other has all partitions
		publish(2)
		w.Sleep(5 * time.Minute)
		if w.Running("middle") {
			t.Error("the instance that does not send goes on")
		}
		w.Quiet()
		slices.Sort(want)
		w.ExpectRows("sink", `SELECT grp, n FROM got ORDER BY grp, place`, want...)
	})
}
