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

// A saga within another that has completed, and that retention has removed, has to be
// undone nevertheless, or to be kept: also where it is within one that has completed.
func TestRetentionOfSub(t *testing.T) {
	for id, part := range map[string]*saga.Node[story]{
		"o-in":    within(inner()),
		"o-in-in": within(saga.Define("mid", 1, within(inner()))),
	} {
		t.Run(id, func(t *testing.T) {
			def := saga.Define("outer", 1, starts(), part,
				saga.Sleep("long", func(*story) time.Duration { return 48 * time.Hour }),
				work[d]())
			tuttitest.RunConfig(t, tuttitest.Config{Calm: true, Patience: 3 * 24 * time.Hour}, func(world *tuttitest.World) {
				w := &theatre{World: world, hands: newHands(), defs: []saga.Saga{def}, cfg: saga.Config{Retention: time.Hour}}
				w.Start("hands", w.hands.register)
				w.direct()
				w.hands.will("do-d o", "wont")
				w.Publish(begin{ID: "o"})
				w.Sleep(time.Minute)
				w.want("left at first", w.left(id), "b0 c0")
				w.Sleep(49 * time.Hour)
				w.want("left", w.left(id), "")
			})
		})
	}
}

// within is a part that runs another definition.
func within(in *saga.Definition[story]) *saga.Node[story] {
	return saga.Sub("within", in, func(s *story) (string, story) { return s.ID + "-in", story{ID: s.ID + "-in"} }, func(*story, story) {})
}

// To retry a loop that has run too often is not to have it done.
func TestRetryOfLoop(t *testing.T) {
	def := saga.Define("loop", 1, starts(), work[a]().Pivot(),
		saga.While("on and on", 2, func(*story) bool { return true },
			saga.Step("count", saga.Send(func(s *story) ended { s.N++; return ended{s.ID, "again"} })).NothingToUndo()),
		tells())
	play(t, func(w *theatre) {
		w.Publish(begin{ID: "l"})
		w.expect("l", saga.Stuck, "")
		if err := w.order(func(ctx context.Context, tx *store.Tx) error {
			return w.engine.Retry(ctx, tx, saga.Action{Saga: "loop", ID: "l"}, "")
		}); err != nil {
			t.Fatal(err)
		}
		w.Quiet()
		w.expect("l", saga.Stuck, "")
	}, def)
}

// What comes too late to cancel changes nothing but the history.
func TestLateCancelLeavesState(t *testing.T) {
	def := saga.Define("late", 1, starts(),
		saga.CancelledBy(func(s *story, m event.Message[stop]) string { s.tell("stopped"); return m.Body.Why }),
		work[a]().Pivot(), newsNode("wait"))
	play(t, func(w *theatre) {
		w.Publish(begin{ID: "l"})
		w.Quiet()
		w.Publish(stop{"l", "enough"})
		w.Quiet()
		w.Publish(news{ID: "l"})
		w.expect("l", saga.Completed, "")
		w.want("told", w.told("l"), "a news")
	}, def)
}

// Events that came together before their instance are taken in the order of their log.
func TestOrderOfEarly(t *testing.T) {
	def := saga.Define("early", 1, starts(),
		saga.While("all", 12, func(s *story) bool { return s.N < 12 },
			saga.Wait("one", saga.Done(func(s *story, m event.Message[news]) { s.N++; s.tell("%s", m.Body.What) }))))
	play(t, func(w *theatre) {
		var all []event.Body
		for i := range 12 {
			all = append(all, news{"e", fmt.Sprint(i)})
		}
		w.Publish(all...)
		w.Quiet()
		w.Publish(begin{ID: "e"})
		w.expect("e", saga.Completed, "")
		w.want("told", w.told("e"), "0 1 2 3 4 5 6 7 8 9 10 11")
	}, def)
}

// brief is the news of somebody who wants to know no more.
type brief struct{ ID string }

func (brief) Contract() event.Contract { return news{}.Contract() }

// An event that comes too early is kept with all that any part, of any version, reads of it.
func TestKeptWithAllFields(t *testing.T) {
	def := func(version int, first, second *saga.Node[story]) *saga.Definition[story] {
		return saga.Define("kept", version, starts(), work[a](), first, second)
	}
	less := func(name string) *saga.Node[story] {
		return saga.Wait(name, saga.Done(func(s *story, m event.Message[brief]) { s.tell("%s", m.Body.ID) }))
	}
	more := func(name string) *saga.Node[story] {
		return saga.Wait(name, saga.Done(func(s *story, m event.Message[news]) { s.tell("%s", m.Body.What) }))
	}
	play(t, func(w *theatre) {
		w.hands.wills("do-a k", func(n int) string { return map[bool]string{true: "silent"}[n == 1] })
		w.Publish(news{"k", "first"})
		w.Quiet()
		w.Publish(begin{ID: "k"})
		w.Sleep(time.Second)
		w.Publish(news{"k", "second"})
		w.expect("k", saga.Completed, "")
		w.want("told", w.told("k"), "a first second")
	}, def(1, less("one"), less("two")), def(2, more("one"), more("two")))
}

// An id that a saga cannot have fails the part; the saga above does not stand still.
func TestSubWithoutID(t *testing.T) {
	sub := saga.Sub("within", inner(), func(s *story) (string, story) { return s.How, story{ID: s.How} }, func(*story, story) {})
	play(t, func(w *theatre) {
		w.Publish(begin{ID: "i"})
		w.expect("i", saga.Compensated, "the id of its saga inner is 0 bytes long, want 1 to 512")
		w.want("left", w.left("i"), "")
	}, saga.Define("nameless", 1, starts(), work[a](), saga.Sleep("nap", func(*story) time.Duration { return time.Minute }), sub))
}

// An id that is no text would be another one in the JSON of a timer: the saga would wait
// for ever. Who starts one is told.
func TestIDIsText(t *testing.T) {
	play(t, func(w *theatre) {
		w.hands.will("do-a odd", "silent")
		for _, key := range []string{"odd\xff", "odd\x00"} {
			c := begin{}.Contract()
			w.Produce(c.Topic, event.Encode(event.Envelope{ID: fmt.Sprintf("%x", key), Source: "/foreign", Type: c.Type, Version: 1, Key: key, Time: time.Now()},
				[]byte(`{"ID":"odd"}`)))
		}
		w.Sleep(time.Hour)
		w.Quiet()
		w.ExpectRows("director", `SELECT COUNT(*) FROM saga_live`, "0")
		w.ExpectRows("director", `SELECT COUNT(*) FROM tutti_parked WHERE state = 'dead' AND error LIKE '%which not every database stores'`, "2")
	}, saga.Define("text", 1, starts(), work[a]()))
}

// With a negative Early, what comes before its saga would be removed at once.
func TestNegativeConfig(t *testing.T) {
	for _, cfg := range []saga.Config{{Retention: -1}, {Early: -time.Hour}, {Cache: -1}} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, "want nothing below 0") {
					t.Errorf("Register with %+v has panicked with %q, want it to be refused", cfg, got)
				}
			}()
			saga.Register(service.New("director", cluster(t), service.Config{}), cfg)
		}()
	}
}

// Why a saga fails may quote what others wrote: it is text that a database takes.
func TestReasonIsText(t *testing.T) {
	play(t, func(w *theatre) {
		w.Publish(begin{ID: "r", How: "\x00room"})
		w.expect("r", saga.Compensated, "no  room")
	}, saga.Define("full", 1, starts(), saga.Fail("no", func(s *story) string { return "no " + s.How })))
}
