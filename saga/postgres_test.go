package saga_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

// TestOverPostgres has two instances of a service direct sagas on one PostgreSQL, one of
// which dies and comes back, again and again: all sagas end, and what they have done is
// there once.
func TestOverPostgres(t *testing.T) {
	database, bus := tuttitest.Postgres(t), cluster(t)
	h := newHands()
	workers, stopWorkers := run(t, bus, "hands", "sqlite:"+filepath.Join(t.TempDir(), "hands.db"), func(s *service.Service) {
		h.register(s)
		event.Publishes[begin](s)
	})
	defer stopWorkers(nil)
	def := saga.Define("pg", 1, starts(), once[a](), saga.Parallel("both", once[b](), once[c]()), once[d](), tells())
	register := func(s *service.Service) { saga.Register(s, saga.Config{}, def) }
	first, stopFirst := run(t, bus, "director", database, register)
	_, stopSecond := run(t, bus, "director", database, register)
	defer func() { stopFirst(nil) }()
	defer func() { stopSecond(nil) }()

	const sagas, kills = 300, 4
	for i := range sagas {
		id := fmt.Sprint("p", i)
		if i%5 == 1 {
			h.will("do-d "+id, "wont")
		}
		if err := workers.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return event.Publish(ctx, tx, begin{ID: id}) }); err != nil {
			t.Fatal(err)
		}
		if i%(sagas/kills) == sagas/kills/2 {
			stopSecond(service.ErrCrash)
			_, stopSecond = run(t, bus, "director", database, register)
		}
	}
	count := func(s *service.Service, query string) (n int) {
		t.Helper()
		if err := s.Read().QueryRow(t.Context(), query).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for begun := time.Now(); count(first, `SELECT COUNT(*) FROM saga_done`) < sagas; {
		if time.Since(begun) > 2*time.Minute {
			t.Fatalf("%d of %d sagas have ended after two minutes", count(first, `SELECT COUNT(*) FROM saga_done`), sagas)
		}
		time.Sleep(50 * time.Millisecond)
	}
	for query, want := range map[string]int{
		`SELECT COUNT(*) FROM saga_live`:                                    0,
		`SELECT COUNT(*) FROM saga_done WHERE status = 'completed'`:         sagas * 4 / 5,
		`SELECT COUNT(*) FROM saga_done WHERE reason = 'd: no d'`:           sagas / 5,
		`SELECT COUNT(*) FROM tutti_job WHERE kind <> 'saga.alarm'`:         0,
		`SELECT COUNT(*) FROM tutti_parked`:                                 0,
		`SELECT COUNT(*) FROM saga_done WHERE history LIKE '%"duplicate"%'`: 0,
	} {
		if got := count(first, query); got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
	// Where an index had what each message changes, each would change all indexes.
	if got := count(first, `SELECT COUNT(*) FROM pg_attribute a JOIN pg_index i ON a.attrelid = i.indexrelid
		WHERE i.indrelid = 'saga_live'::regclass AND a.attname IN ('revision', 'changed', 'reason', 'doc', 'history')`); got != 0 {
		t.Errorf("%d columns of indexes change with each message, want none", got)
	}
	if got := count(workers, `SELECT COUNT(*) FROM work`); got != sagas*4/5*4 {
		t.Errorf("%d pieces of work are left, want %d", got, sagas*4/5*4)
	}
}

// Where one instance of a service is about to start a saga while another one starts and
// ends it, that one counts.
func TestStartedTwiceOverPostgres(t *testing.T) {
	database, bus := tuttitest.Postgres(t), cluster(t)
	def := saga.Define("twice", 1, saga.If("again", func(s *story) bool { return s.How == "again" },
		saga.Sleep("nap", func(*story) time.Duration { return 10 * time.Millisecond })))
	var engines [2]*saga.Engine
	first, stopFirst := run(t, bus, "director", database, func(s *service.Service) { engines[0] = saga.Register(s, saga.Config{}, def) })
	defer stopFirst(nil)
	second, stopSecond := run(t, bus, "director", database, func(s *service.Service) { engines[1] = saga.Register(s, saga.Config{}, def) })
	defer stopSecond(nil)
	if err := first.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		var n int
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM saga_done`).Scan(&n); err != nil { // from here on it sees nothing new
			return err
		}
		if err := second.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			_, err := engines[1].Start(ctx, tx, "twice", "t", story{How: "once"})
			return err
		}); err != nil {
			return err
		}
		_, err := engines[0].Start(ctx, tx, "twice", "t", story{How: "again"})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var got string
	for begun := time.Now(); got != "once" && time.Since(begun) < 20*time.Second; time.Sleep(10 * time.Millisecond) {
		if err := first.Read().QueryRow(t.Context(), `SELECT STRING_AGG(doc::json->'state'->>'How', ' ')
			FROM (SELECT doc FROM saga_live UNION ALL SELECT doc FROM saga_done) AS all_of_it`).Scan(&got); err != nil {
			t.Fatal(err)
		}
	}
	if got != "once" {
		t.Errorf("the saga has run %s, want once", got)
	}
}

// TestChildIDOverPostgres: a part whose saga would have an id that PostgreSQL does not store
// fails, as one that is too long does.
func TestChildIDOverPostgres(t *testing.T) {
	database, bus := tuttitest.Postgres(t), cluster(t)
	inner := saga.Define("inner", 1, once[b]())
	def := saga.Define("above", 1, starts(),
		saga.Sub("within", inner, func(s *story) (string, story) { return "x\x00" + s.ID, story{ID: s.ID} }, func(*story, story) {}))
	s, stop := run(t, bus, "director", database, func(s *service.Service) {
		saga.Register(s, saga.Config{}, def)
		event.Publishes[begin](s)
	})
	defer stop(nil)
	h := newHands()
	_, stopHands := run(t, bus, "hands", "sqlite:"+filepath.Join(t.TempDir(), "hands.db"), h.register)
	defer stopHands(nil)
	if err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return event.Publish(ctx, tx, begin{ID: "o"}) }); err != nil {
		t.Fatal(err)
	}
	var status, reason string
	for begun := time.Now(); time.Since(begun) < 10*time.Second && status == ""; time.Sleep(50 * time.Millisecond) {
		_ = s.Read().QueryRow(t.Context(), `SELECT status, reason FROM saga_done WHERE id = 'o'`).Scan(&status, &reason)
	}
	if status != string(saga.Compensated) {
		t.Errorf("saga is %q (%s), want it compensated", status, reason)
	}
}

// cluster starts a broker in memory, and returns a bus to it.
func cluster(t *testing.T) *kafka.Bus {
	t.Helper()
	network := &kafka.Network{}
	broker, err := kafka.Embed(kafka.BrokerConfig{Network: network, Port: 9092})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { broker.Close() })
	bus, err := kafka.Connect(t.Context(), kafka.Config{Brokers: broker.Addrs(), Partitions: 4, Dial: network.DialContext})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	return bus
}

// run runs a service until stop, whose argument is the cause: a crash if it is that.
func run(t *testing.T, bus *kafka.Bus, name, database string, register func(*service.Service)) (s *service.Service, stop func(cause error)) {
	t.Helper()
	s = service.New(name, bus, service.Config{Database: database, Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))})
	register(s)
	ctx, cancel := context.WithCancelCause(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	select {
	case <-s.Ready():
	case err := <-ended:
		t.Fatal(err)
	case <-time.After(time.Minute):
		t.Fatalf("%s is not ready after a minute", name)
	}
	return s, func(cause error) {
		cancel(cause)
		if err := <-ended; err != nil && !errors.Is(err, service.ErrCrash) {
			t.Error(err)
		}
	}
}
