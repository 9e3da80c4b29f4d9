package service_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// TestHandlerThatHangs: a record whose handler uses up its time holds up neither its
// own end nor other keys.
func TestHandlerThatHangs(t *testing.T) {
	t.Parallel()
	bus := cluster(t)
	cfg := quick
	cfg.HandlerTimeout = 100 * time.Millisecond
	s, _ := start(t, bus, "hangs", t.TempDir(), cfg, func(s *service.Service) {
		event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Made]) error {
			if m.Body.ID == "bad" {
				<-ctx.Done()
				return ctx.Err()
			}
			return tx.Exec(ctx, `INSERT INTO done (id, n) VALUES ($1, 1)`, m.Body.ID)
		})
	})
	produce(t, bus, madeTopic, made("bad", 0))
	eventually(t, s, "one dead letter", func() bool { return len(parked(t, s, store.Selection{State: store.StateDead})) == 1 })
	produce(t, bus, madeTopic, made("good", 0))
	eventually(t, s, "good is done", func() bool { return rows(t, s)["good"] == 1 })
}

// TestHandlerThatHangsBesideOthers: while a record uses up its handler's time again and
// again, other keys and requests go on, and what it took says how long it waits.
func TestHandlerThatHangsBesideOthers(t *testing.T) {
	t.Parallel()
	bus := cluster(t)
	cfg := quick
	cfg.HandlerTimeout, cfg.WriteTimeout, cfg.Attempts = 500*time.Millisecond, 2*time.Second, 1000
	var hung atomic.Int32
	begun := time.Now()
	s, _ := start(t, bus, "beside", t.TempDir(), cfg, func(s *service.Service) {
		event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Made]) error {
			if m.Body.ID == "bad" {
				hung.Add(1)
				<-ctx.Done()
				return ctx.Err()
			}
			return tx.Exec(ctx, `INSERT INTO done (id, n) VALUES ($1, 1)`, m.Body.ID)
		})
	})
	produce(t, bus, madeTopic, made("bad", 0))
	eventually(t, s, "it hangs", func() bool { return hung.Load() > 0 })
	for n := range 10 {
		id := fmt.Sprint("good", n)
		produce(t, bus, madeTopic, made(id, 0))
		if err := s.Write(t.Context(), func(context.Context, *store.Tx) error { return nil }); err != nil {
			t.Fatalf("Write() = %v", err)
		}
		eventually(t, s, id+" is done", func() bool { return rows(t, s)[id] == 1 })
		time.Sleep(200 * time.Millisecond)
	}
	all := parked(t, s, store.Selection{})
	if len(all) != 1 || !strings.Contains(all[0].Error, "its time was over") {
		t.Fatalf("parked are %+v, want the record that hangs", all)
	}
	n := int(hung.Load())
	if n != all[0].Attempts && n != all[0].Attempts+1 {
		t.Errorf("it was run %d times in %d attempts, want once for each", n, all[0].Attempts)
	}
	least := cfg.HandlerTimeout * time.Duration((n-1)+n*(n-1)/2) // each takes its time, and the n-th waits n times that
	if got := time.Since(begun); got < least {
		t.Errorf("it was run %d times in %v, want at least %v", n, got, least)
	}
}

// TestHandlersSlowTogether: handlers that look at no context use up the time of their
// batch; what is counted and stored beside them goes on.
func TestHandlersSlowTogether(t *testing.T) {
	t.Parallel()
	bus := cluster(t)
	cfg := quick
	cfg.HandlerTimeout = 100 * time.Millisecond
	produce(t, bus, madeTopic, made("a", 0), made("b", 1), made("c", 2), made("d", 3))
	s, _ := start(t, bus, "slow", t.TempDir(), cfg, picky(func(Made) error {
		time.Sleep(60 * time.Millisecond)
		return nil
	}))
	eventually(t, s, "all are done", func() bool { return len(rows(t, s)) == 4 })
}

// TestKeylessAreHandledOnce: parked records without a key that are due together are
// no queue of one key.
func TestKeylessAreHandledOnce(t *testing.T) {
	bus := cluster(t)
	var mended atomic.Bool
	s, _ := start(t, bus, "keyless", t.TempDir(), quick, picky(func(Made) error {
		if !mended.Load() {
			return event.Later(errors.New("not yet"), 50*time.Millisecond)
		}
		return nil
	}))
	var all []event.Record
	for n := range 5 {
		all = append(all, foreign(fmt.Sprint(n), "", fmt.Sprintf(`{"id":"x","n":%d}`, n)))
	}
	produce(t, bus, madeTopic, all...)
	eventually(t, s, "all are parked", func() bool { return len(parked(t, s, store.Selection{})) == 5 })
	mended.Store(true)
	eventually(t, s, "nothing is parked", func() bool { return len(parked(t, s, store.Selection{})) == 0 })
	for id, n := range rows(t, s) {
		if n != 1 {
			t.Errorf("%s is done %d times, want once", id, n)
		}
	}
}

// hold keeps the loop busy until release is called, so that what comes meanwhile
// shares the next transaction.
func hold(t *testing.T, s *service.Service) (release func()) {
	t.Helper()
	began, end, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.Write(context.Background(), func(context.Context, *store.Tx) error {
			close(began)
			<-end
			return nil
		})
	}()
	<-began
	return func() {
		close(end)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestDiscardWhileTheNextArrives: a record that arrives in the transaction that
// discards the one it would wait for waits for nothing.
func TestDiscardWhileTheNextArrives(t *testing.T) {
	t.Parallel()
	bus := cluster(t)
	s, _ := start(t, bus, "discards", t.TempDir(), quick, picky(func(m Made) error {
		if m.N == 0 {
			return event.Reject(errors.New("no"))
		}
		return nil
	}))
	produce(t, bus, madeTopic, made("k", 0))
	eventually(t, s, "one dead letter", func() bool { return len(parked(t, s, store.Selection{State: store.StateDead})) == 1 })
	dead := parked(t, s, store.Selection{})
	release := hold(t, s)
	discarded := make(chan error, 1)
	go func() { discarded <- s.Discard(t.Context(), dead[0]) }()
	produce(t, bus, madeTopic, made("k", 1))
	time.Sleep(700 * time.Millisecond) // until it is fetched
	release()
	if err := <-discarded; err != nil {
		t.Fatal(err)
	}
	eventually(t, s, "k1 is done", func() bool { return rows(t, s)["k1"] == 1 })
}

// TestSendsFailForLong: events that Kafka refuses for long hold up neither writes nor
// the end.
func TestSendsFailForLong(t *testing.T) {
	t.Parallel()
	broker, bus := embedded(t)
	cfg := service.Config{Drain: 500 * time.Millisecond, WriteTimeout: 2 * time.Second, Unsynced: true}
	s, stop := start(t, bus, "maker", t.TempDir(), cfg, func(s *service.Service) { event.Publishes[Made](s) })
	broker.FailSends(madeTopic.Name, kafka.Forbidden, 1_000_000)
	for n := range 1500 {
		publish(t, s, Made{"a", n})
	}
	stop()
}

// TestStopWithoutBroker: a service stops in order although the broker is gone; what
// it could not send it sends at the next start.
func TestStopWithoutBroker(t *testing.T) {
	t.Parallel()
	broker, err := kafka.Embed(kafka.BrokerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	bus, err := kafka.Connect(t.Context(), kafka.Config{Brokers: broker.Addrs()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	s, stop := start(t, bus, "maker", t.TempDir(), service.Config{Drain: 500 * time.Millisecond}, maker)
	publish(t, s, Made{"a", 0})
	if err := broker.Close(); err != nil {
		t.Fatal(err)
	}
	publish(t, s, Made{"a", 1})
	stop()
}

func TestJittered(t *testing.T) {
	for _, base := range []time.Duration{1, time.Millisecond, time.Minute, 1000 * time.Hour} {
		for n := range 100 {
			if got := service.Jittered(base, 2000*time.Hour, n); got < 1 || got > 2000*time.Hour {
				t.Errorf("jittered(%v, 2000h, %d) = %v", base, n, got)
			}
		}
	}
}
