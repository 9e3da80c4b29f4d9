package service_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

// brokerGone is a connection to a broker that is gone, and what starts that one again.
func brokerGone(t *testing.T) (bus *kafka.Bus, embed func() *kafka.Broker) {
	t.Helper()
	dir, port := t.TempDir(), 0
	embed = func() *kafka.Broker {
		t.Helper()
		b, err := kafka.Embed(kafka.BrokerConfig{Dir: dir, Port: port, Unsynced: true})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	broker := embed()
	_, p, err := net.SplitHostPort(broker.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	if port, err = strconv.Atoi(p); err != nil {
		t.Fatal(err)
	}
	if bus, err = kafka.Connect(t.Context(), kafka.Config{Brokers: broker.Addrs(), Timeout: 500 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	if err := broker.Close(); err != nil {
		t.Fatal(err)
	}
	return bus, embed
}

// TestBrokerDown: a service that finds no broker when it starts says so, answers 503
// and starts when there is one; one that loses its broker goes on taking writes.
func TestBrokerDown(t *testing.T) {
	t.Parallel()
	bus, embed := brokerGone(t)
	var log logged
	s := service.New("patient", bus, service.Config{Database: filepath.Join(t.TempDir(), "patient.db"), Logger: log.logger(), Unsynced: true})
	s.Migrations(migrations(doneTable))
	event.Publishes[Made](s)
	picky(func(Made) error { return nil })(s)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		err := s.Run(ctx)
		if err != nil {
			t.Error(err)
		}
		ended <- err
	}()
	ready := func() (int, string) {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		return w.Code, w.Body.String()
	}
	eventually(t, s, "it waits and says so", func() bool {
		code, text := ready()
		return code == http.StatusServiceUnavailable && strings.Contains(text, "no Kafka broker answers") && log.has("Kafka does not answer; the service starts when it does")
	})
	write := func(n int) error {
		return s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return event.Publish(ctx, tx, Made{"k", n}) })
	}
	if err := write(0); problem.KindOf(err) != problem.Down {
		t.Errorf("Write() before the start = %v, want kind %v", err, problem.Down)
	}

	broker := embed()
	eventually(t, s, "it is ready", func() bool { code, _ := ready(); return code == http.StatusOK })
	if err := write(1); err != nil {
		t.Error(err)
	}
	eventually(t, s, "1 is handled", func() bool { return rows(t, s)["k1"] == 1 })
	if err := broker.Close(); err != nil {
		t.Fatal(err)
	}
	if err := write(2); err != nil {
		t.Errorf("Write() while the broker is away = %v, want it stored to be sent later", err)
	}
	broker = embed()
	eventually(t, s, "2 is handled", func() bool { return rows(t, s)["k2"] == 1 })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := broker.Close(); err != nil {
		t.Error(err)
	}
}

// TestStopWithMuchUnsent: a stop comes to its end although more is unsent than the
// client takes, and no broker answers.
func TestStopWithMuchUnsent(t *testing.T) {
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
	s := service.New("full", bus, service.Config{Database: filepath.Join(t.TempDir(), "full.db"), Unsynced: true, Drain: time.Second, WriteTimeout: time.Minute})
	event.Publishes[Made](s)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	<-s.Ready()
	write := func(from, to int) {
		t.Helper()
		if err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			for n := from; n < to; n++ {
				if err := event.Publish(ctx, tx, Made{"k", n}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	write(0, 1)
	eventually(t, s, "it is sent", func() bool { return s.Status().Unsent == 0 })
	if err := broker.Close(); err != nil {
		t.Fatal(err)
	}
	write(1, 110_000)
	time.Sleep(time.Second) // the client takes what it can
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it has not stopped after a minute")
	}
}

// TestLogCutWhileWritten takes the end of a log away under a running sender: it ends and
// says so, and so does each start after that.
func TestLogCutWhileWritten(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("writer", writer)
		write(w, "writer", 0, 5)
		w.Quiet()
		w.Sleep(3 * time.Second) // until Kafka is told how far it is
		if err := w.Broker().Recreate(madeTopic.Name); err != nil {
			t.Fatal(err)
		}
		for n := range 10 { // more than there were
			if w.Running("writer") {
				_ = w.Service("writer").Write(w.T().Context(), func(ctx context.Context, tx *store.Tx) error { return event.Publish(ctx, tx, Made{"k", 5 + n}) })
			}
		}
		const says = "the log has lost what it had acknowledged"
		if err := w.AwaitEnd("writer"); !errors.Is(err, service.ErrMismatch) || !strings.Contains(err.Error(), says) {
			t.Errorf("Run() = %v, want ErrMismatch that says: %s", err, says)
		}
		for range 2 {
			if err := w.TryStart("writer", writer); !errors.Is(err, service.ErrMismatch) || !strings.Contains(err.Error(), "the log was cut") {
				t.Errorf("Run() after that = %v, want ErrMismatch", err)
			}
		}
	})
}

// TestLogTruncatedUnderway deletes what a running service has not read: it ends, and
// says so, rather than to go on behind the loss.
func TestLogTruncatedUnderway(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("reader", reader)
		w.Publish(Made{"a", 0}, Made{"b", 0}, Made{"c", 0}, Made{"d", 0})
		w.Quiet()
		w.Cut("reader")
		w.Publish(Made{"a", 1}, Made{"b", 1}, Made{"c", 1}, Made{"d", 1})
		for p, end := range w.Broker().Ends([]string{madeTopic.Name}) {
			if err := w.Broker().Truncate(p, end); err != nil {
				t.Fatal(err)
			}
		}
		w.Heal("reader")
		if err := w.AwaitEnd("reader"); !errors.Is(err, kafka.ErrLogLost) || !strings.Contains(err.Error(), madeTopic.Name) {
			t.Errorf("Run() = %v, want ErrLogLost and the topic", err)
		}
	})
}

// TestTopicLostUnderway takes a topic from a running service: it ends, and says why,
// rather than to wait for ever or to go on somewhere within another topic.
func TestTopicLostUnderway(t *testing.T) {
	t.Parallel()
	for says, harm := range map[string]func(b *kafka.Broker) error{
		"deleted and made anew": func(b *kafka.Broker) error { return b.Recreate(madeTopic.Name) },
		"is gone":               func(b *kafka.Broker) error { return b.Cluster().DeleteTopic(madeTopic.Name) },
	} {
		t.Run(says, func(t *testing.T) {
			broker, bus := embedded(t)
			s := service.New("loser", bus, service.Config{Database: filepath.Join(t.TempDir(), "loser.db"), Unsynced: true})
			s.Migrations(migrations(doneTable))
			picky(func(Made) error { return nil })(s)
			service.LookAfterTopics(s, time.Second) // it has not looked since the start
			ended := make(chan error, 1)
			go func() { ended <- s.Run(t.Context()) }()
			<-s.Ready()
			produce(t, bus, madeTopic, made("a", 1))
			eventually(t, s, "a1 is done", func() bool { return rows(t, s)["a1"] == 1 })
			if err := harm(broker); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; !errors.Is(err, service.ErrTopicLost) || !strings.Contains(err.Error(), madeTopic.Name) || !strings.Contains(err.Error(), says) {
				t.Errorf("Run() = %v, want ErrTopicLost that says that it %s", err, says)
			}
		})
	}
}
