package saga_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/tuttitest"
)

// bag is a state whose copies share what they hold.
type bag struct {
	ID string
	In map[string]int
}

// TestStatesApart: a saga and one within it, which is started with a part of its state, do
// not see what the other does to that; whether instances are in memory or not.
func TestStatesApart(t *testing.T) {
	for name, cache := range map[string]int{"kept": 0, "read": 1} {
		t.Run(name, func(t *testing.T) {
			inner := saga.Define("inner", 1,
				saga.Step("in", saga.Send(func(b *bag) do[a] { b.In["inner"]++; return do[a]{b.ID, "0"} }),
					saga.Done(func(b *bag, m event.Message[did[a]]) { b.In["inner"]++ })).NothingToUndo())
			outer := saga.Define("outer", 1,
				saga.StartedBy(func(b *bag, m event.Message[begin]) { b.ID, b.In = m.Key, map[string]int{"outer": 1} }),
				saga.Sub("sub", inner, func(b *bag) (string, bag) { return "in-" + b.ID, bag{"in-" + b.ID, b.In} },
					func(b *bag, left bag) { b.In["joined"] = left.In["inner"]; b.In["left"] = len(left.In) }),
			)
			tuttitest.RunConfig(t, tuttitest.Config{Patience: 60 * 24 * time.Hour, Calm: true}, func(world *tuttitest.World) {
				w := &theatre{World: world, hands: newHands(), defs: []saga.Saga{outer}, cfg: saga.Config{Cache: cache}}
				w.Start("hands", w.hands.register)
				w.direct()
				w.Publish(begin{ID: "o"})
				w.expect("o", saga.Completed, "")
				for id, want := range map[string]string{"o": `{"joined":2,"left":2,"outer":1}`, "in-o": `{"inner":2,"outer":1}`} {
					if doc := w.Query("director", `SELECT doc FROM saga_done WHERE id = '`+id+`'`)[0]; !strings.Contains(doc, `"In":`+want) {
						t.Errorf("%s has ended with %s, want %s", id, doc, want)
					}
				}
			})
		})
	}
}

// full starts two sagas at once, with what their states take over from it.
type full struct {
	ID string
	In map[string]int
}

func (full) Contract() event.Contract { return contract("full", "full", event.KindEvent) }
func (m full) Key() string            { return m.ID }

// TestStartedTogether: two sagas that one message starts do not share what was in it.
func TestStartedTogether(t *testing.T) {
	counts := func(name string) *saga.Definition[bag] {
		return saga.Define(name, 1, saga.StartedBy(func(b *bag, m event.Message[full]) { b.ID, b.In = m.Key, m.Body.In }),
			saga.Step("count", saga.Send(func(b *bag) ended { b.In["n"]++; return ended{b.ID, ""} })).NothingToUndo())
	}
	tuttitest.Run(t, func(world *tuttitest.World) {
		world.Start("director", func(s *service.Service) {
			saga.Register(s, saga.Config{}, counts("one"), counts("two"))
			event.Publishes[full](s)
		})
		world.Publish(full{"o", map[string]int{"n": 1}})
		world.ExpectRows("director", `SELECT saga FROM saga_done WHERE doc LIKE '%"n":2%' ORDER BY saga`, "one", "two")
	})
}
