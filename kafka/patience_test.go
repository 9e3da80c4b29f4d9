package kafka

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tutti-go/tutti/event"
)

// A service that starts while the cluster elects a coordinator waits for it.
func TestWaitsForCoordinator(t *testing.T) {
	broker, err := Embed(BrokerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	bus, err := Connect(t.Context(), Config{Brokers: broker.Addrs(), Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	topics := []event.Topic{{Name: "a"}}
	if err := bus.EnsureTopics(t.Context(), topics); err != nil {
		t.Fatal(err)
	}
	broker.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Err: kerr.CoordinatorNotAvailable, Count: 3})
	if _, err := bus.Bounds(t.Context(), "g", []string{"a"}); err != nil {
		t.Errorf("Bounds() while the coordinator is elected: %v", err)
	}
}
