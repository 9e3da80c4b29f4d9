package service_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// TestRecoveryLastsOverKafka: after a recovery a service starts again without one, also where
// nothing came to be read or sent since.
func TestRecoveryLastsOverKafka(t *testing.T) {
	for _, how := range []service.Recovery{service.Rewind, service.Skip} {
		t.Run(string(how), func(t *testing.T) {
			overKafka(t, func(t *testing.T, bus *kafka.Bus) {
				dir := t.TempDir()
				s, stop := start(t, bus, "echo", dir, service.Config{}, echo)
				for n := range 3 {
					publish(t, s, Made{"a", n})
				}
				eventually(t, s, "all is done", func() bool { return len(rows(t, s)) == 3 && s.Status().Unsent == 0 })
				stop()
				// As if the log had been cut.
				p := event.Partition{Topic: madeTopic.Name}
				ahead := map[event.Partition]kafka.Mark{p: {Offset: 100}}
				if err := errors.Join(bus.Commit(t.Context(), "echo"+suffix, ahead), bus.Commit(t.Context(), "echo"+suffix+".sent", ahead)); err != nil {
					t.Fatal(err)
				}
				refused := service.New("echo"+suffix, bus, service.Config{Database: database(t, dir, "echo")})
				refused.Migrations(migrations(doneTable))
				echo(refused)
				if err := refused.Run(t.Context()); !errors.Is(err, service.ErrMismatch) {
					t.Fatalf("Run() = %v, want a refusal", err)
				}
				s, stop = start(t, bus, "echo", dir, service.Config{Recover: how}, echo)
				eventually(t, s, "Kafka knows", func() bool {
					bounds, err := bus.Bounds(t.Context(), "echo"+suffix, []string{p.Topic})
					return err == nil && bounds[p].Committed == bounds[p].End
				})
				stop()
				_, stop = start(t, bus, "echo", dir, service.Config{}, echo)
				stop()
			})
		})
	}
}

// TestRecoveryWithUnsentEvents: what was numbered before the recovery and is sent after
// it says nothing of the numbers given since.
func TestRecoveryWithUnsentEvents(t *testing.T) {
	bus, dir := cluster(t), t.TempDir()
	mute := func(s *service.Service) { event.Publishes[Made](s) }
	s, stop := start(t, bus, "maker", dir, service.Config{}, mute)
	for n := range 10 {
		publish(t, s, Made{"a", n})
	}
	eventually(t, s, "all is sent", func() bool { return s.Status().Unsent == 0 })
	var incarnation string
	if err := s.Read().QueryRow(t.Context(), `SELECT value FROM tutti_meta WHERE name = 'incarnation'`).Scan(&incarnation); err != nil {
		t.Fatal(err)
	}
	stop()

	var dying atomic.Bool
	crashing := service.New("maker", bus, service.Config{Database: database(t, dir, "maker"), Fault: func(p service.Point) error {
		if p == service.AfterCommit && dying.Load() {
			return service.ErrCrash
		}
		return nil
	}})
	crashing.Migrations(migrations(doneTable))
	mute(crashing)
	ended := make(chan error, 1)
	go func() { ended <- crashing.Run(context.Background()) }()
	<-crashing.Ready()
	dying.Store(true)
	_ = crashing.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return event.Publish(ctx, tx, Made{"a", 10}) })
	if err := <-ended; !errors.Is(err, service.ErrCrash) {
		t.Fatal(err)
	}
	// So that there is something to recover from.
	ahead := kafka.Mark{Metadata: "maker." + incarnation + ".0 99"}
	if err := bus.Commit(t.Context(), "maker.sent", map[event.Partition]kafka.Mark{{Topic: madeTopic.Name}: ahead}); err != nil {
		t.Fatal(err)
	}
	s, stop = start(t, bus, "maker", dir, service.Config{Recover: service.Rewind}, mute)
	eventually(t, s, "all is sent", func() bool { return s.Status().Unsent == 0 })
	stop()
	start(t, bus, "maker", dir, service.Config{}, mute)
}
