package saga_test

import (
	"context"
	"fmt"
	"sync"
	"testing/fstest"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// mark is a kind of work. Each has messages of its own.
type mark interface{ name() string }

type (
	a struct{}
	b struct{}
	c struct{}
	d struct{}
)

func (a) name() string { return "a" }
func (b) name() string { return "b" }
func (c) name() string { return "c" }
func (d) name() string { return "d" }

func nameOf[M mark]() string { var m M; return m.name() }

// The messages about work of a kind: to do it, to undo it, and what is answered.
type (
	do[M mark]    struct{ ID, N string }
	undo[M mark]  struct{ ID, N string }
	did[M mark]   struct{ ID, N string }
	wont[M mark]  struct{ ID, N, Why string }
	later[M mark] struct{ ID, N string }
	gone[M mark]  struct{ ID, N string }
	stays[M mark] struct{ ID, N string }
)

func (do[M]) Contract() event.Contract { return contract("do-"+nameOf[M](), "do", event.KindCommand) }
func (undo[M]) Contract() event.Contract {
	return contract("undo-"+nameOf[M](), "do", event.KindCommand)
}
func (did[M]) Contract() event.Contract { return contract("did-"+nameOf[M](), "did", event.KindEvent) }
func (wont[M]) Contract() event.Contract {
	return contract("wont-"+nameOf[M](), "did", event.KindEvent)
}
func (later[M]) Contract() event.Contract {
	return contract("later-"+nameOf[M](), "did", event.KindEvent)
}
func (gone[M]) Contract() event.Contract {
	return contract("gone-"+nameOf[M](), "did", event.KindEvent)
}
func (stays[M]) Contract() event.Contract {
	return contract("stays-"+nameOf[M](), "did", event.KindEvent)
}

func (m do[M]) Key() string    { return m.ID }
func (m undo[M]) Key() string  { return m.ID }
func (m did[M]) Key() string   { return m.ID }
func (m wont[M]) Key() string  { return m.ID }
func (m later[M]) Key() string { return m.ID }
func (m gone[M]) Key() string  { return m.ID }
func (m stays[M]) Key() string { return m.ID }

// begin starts a saga, stop cancels it, and news is what it may wait for.
type (
	begin struct{ ID, How string }
	stop  struct{ ID, Why string }
	news  struct{ ID, What string }
	ended struct{ ID, Story string }
)

func (begin) Contract() event.Contract { return contract("begin", "begin", event.KindEvent) }
func (stop) Contract() event.Contract  { return contract("stop", "stop", event.KindEvent) }
func (news) Contract() event.Contract  { return contract("news", "news", event.KindEvent) }
func (ended) Contract() event.Contract { return contract("ended", "ended", event.KindEvent) }
func (m begin) Key() string            { return m.ID }
func (m stop) Key() string             { return m.ID }
func (m news) Key() string             { return m.ID }
func (m ended) Key() string            { return m.ID }

// story is the state of the sagas of these tests.
type story struct {
	ID, How string
	N       int    // iterations
	Told    string // what has happened, in the order in which it was told
}

func (s *story) tell(format string, args ...any) { s.Told += fmt.Sprintf(format, args...) + " " }

// work is a step of a kind, with all its replies, once for each number.
func work[M mark]() *saga.Node[story] {
	return numbered[M](func(s *story) string { return fmt.Sprint(s.N) })
}

// once is work that is the same whatever the number.
func once[M mark]() *saga.Node[story] { return numbered[M](func(*story) string { return "0" }) }

func numbered[M mark](n func(*story) string) *saga.Node[story] {
	return named[M](nameOf[M](), n)
}

func named[M mark](name string, n func(*story) string) *saga.Node[story] {
	return saga.Step(name,
		saga.Send(func(s *story) do[M] { return do[M]{s.ID, n(s)} }),
		saga.Done(func(s *story, m event.Message[did[M]]) { s.tell("%s", name) }),
		saga.Failed(func(s *story, m event.Message[wont[M]]) string { return m.Body.Why }),
		saga.Busy(func(s *story, m event.Message[later[M]]) string { return "later" }),
		saga.Undo(func(s *story) undo[M] { return undo[M]{s.ID, n(s)} },
			saga.Done(func(s *story, m event.Message[gone[M]]) { s.tell("-%s", name) }),
			saga.Failed(func(s *story, m event.Message[stays[M]]) string { return "it stays" })))
}

func starts() *saga.Node[story] {
	return saga.StartedBy(func(s *story, m event.Message[begin]) { s.ID, s.How = m.Key, m.Body.How })
}

// tells ends a saga by publishing what it was told.
func tells() *saga.Node[story] {
	return saga.Step("tell", saga.Send(func(s *story) ended { return ended{s.ID, s.Told} })).NothingToUndo()
}

// hands do the work, and keep a row of each that is done and not undone.
type hands struct {
	mu sync.Mutex
	// how says what to answer to the n-th command of a kind: done (also by default),
	// wont, later, silent, stays.
	how   map[string]func(n int) string
	got   map[string]int
	twice map[string]bool // what is answered twice
}

func newHands() *hands {
	return &hands{how: map[string]func(int) string{}, got: map[string]int{}, twice: map[string]bool{}}
}

// answer decides on a command, as "do-a t1".
func (h *hands) answer(what string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got[what]++
	if how := h.how[what]; how != nil {
		return how(h.got[what])
	}
	return ""
}

func (h *hands) will(what, answer string) { h.wills(what, func(int) string { return answer }) }

func (h *hands) wills(what string, how func(n int) string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.how[what] = how
}

// say publishes an answer, twice where that was asked for.
func (h *hands) say(ctx context.Context, tx *store.Tx, what string, body event.Body) error {
	h.mu.Lock()
	times := 1
	if h.twice[what] {
		times = 2
	}
	h.mu.Unlock()
	for range times {
		if err := event.Publish(ctx, tx, body); err != nil {
			return err
		}
	}
	return nil
}

// times is how often a command came.
func (h *hands) times(what string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.got[what]
}

func (h *hands) register(s *service.Service) {
	s.Migrations(fstest.MapFS{"0001_work.sql": {Data: []byte(
		`CREATE TABLE work (id TEXT NOT NULL, kind TEXT NOT NULL, n TEXT NOT NULL, PRIMARY KEY (id, kind, n));
		CREATE TABLE refused (id TEXT NOT NULL, kind TEXT NOT NULL, n TEXT NOT NULL, PRIMARY KEY (id, kind, n))`)}})
	hand[a](h, s)
	hand[b](h, s)
	hand[c](h, s)
	hand[d](h, s)
}

// hand does work of one kind. What was undone is not done any more.
func hand[M mark](h *hands, s *service.Service) {
	kind := nameOf[M]()
	event.Publishes[did[M]](s)
	event.Publishes[wont[M]](s)
	event.Publishes[later[M]](s)
	event.Publishes[gone[M]](s)
	event.Publishes[stays[M]](s)
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[do[M]]) error {
		switch h.answer("do-" + kind + " " + m.Key) {
		case "silent":
			return nil
		case "wont":
			return event.Publish(ctx, tx, wont[M]{m.Body.ID, m.Body.N, "no " + kind})
		case "later":
			return event.Publish(ctx, tx, later[M]{m.Body.ID, m.Body.N})
		}
		err := tx.Exec(ctx, `INSERT INTO work (id, kind, n) SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT 1 FROM refused WHERE id = $1 AND kind = $2 AND n = $3)
			ON CONFLICT (id, kind, n) DO NOTHING`, m.Body.ID, kind, m.Body.N)
		if err != nil {
			return err
		}
		return h.say(ctx, tx, "do-"+kind+" "+m.Key, did[M](m.Body))
	})
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[undo[M]]) error {
		switch h.answer("undo-" + kind + " " + m.Key) {
		case "silent":
			return nil
		case "stays":
			return event.Publish(ctx, tx, stays[M](m.Body))
		}
		if err := tx.Exec(ctx, `DELETE FROM work WHERE id = $1 AND kind = $2 AND n = $3`, m.Body.ID, kind, m.Body.N); err != nil {
			return err
		}
		if err := tx.Exec(ctx, `INSERT INTO refused (id, kind, n) VALUES ($1, $2, $3) ON CONFLICT (id, kind, n) DO NOTHING`, m.Body.ID, kind, m.Body.N); err != nil {
			return err
		}
		return h.say(ctx, tx, "undo-"+kind+" "+m.Key, gone[M](m.Body))
	})
}
