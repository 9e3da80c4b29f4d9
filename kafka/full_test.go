package kafka_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
)

// TestSendEndsWithItsContext: a producer that is full, because no broker answers, keeps
// nobody from stopping.
func TestSendEndsWithItsContext(t *testing.T) {
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
	topic := event.Topic{Name: "full"}
	if err := bus.EnsureTopics(t.Context(), []event.Topic{topic}); err != nil {
		t.Fatal(err)
	}
	p, err := bus.Producer("full")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if err := broker.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	failed := make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range 200_000 {
			p.Send(ctx, event.Partition{Topic: topic.Name}, event.Record{Value: []byte("x")}, func(_ int64, err error) {
				select {
				case failed <- err:
				default:
				}
			})
			if ctx.Err() != nil {
				return
			}
		}
	}()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("Send() waits on, long after its context has ended")
	}
	if err := <-failed; !errors.Is(err, context.DeadlineExceeded) || !kafka.Closed(err) {
		t.Errorf("the record that had to wait failed with %v, want that its context has ended", err)
	}
}
