package kafka

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/tutti-go/tutti/event"
)

// How new topics are laid out, by what the contract, the settings and the cluster say.
func TestLayout(t *testing.T) {
	for _, tc := range []struct {
		name     string
		contract int
		cfg      Config
		brokers  int
		embedded bool
		want     [3]int // partitions, replication, min.insync.replicas
	}{
		{name: "embedded", brokers: 1, embedded: true, want: [3]int{1, -1, 0}},
		{name: "embedded, contract", contract: 8, brokers: 1, embedded: true, want: [3]int{1, -1, 0}},
		{name: "embedded, setting", cfg: Config{Partitions: 3}, brokers: 1, embedded: true, want: [3]int{3, -1, 0}},
		{name: "one broker", brokers: 1, want: [3]int{6, -1, 0}},
		{name: "two brokers", brokers: 2, want: [3]int{6, -1, 0}},
		{name: "three brokers", brokers: 3, want: [3]int{6, 3, 2}},
		{name: "contract", contract: 8, cfg: Config{Partitions: 3}, brokers: 9, want: [3]int{8, 3, 2}},
		{name: "settings", cfg: Config{Partitions: 3, Replication: 2}, brokers: 3, want: [3]int{3, 2, 1}},
		{name: "one copy", cfg: Config{Replication: 1}, brokers: 3, want: [3]int{6, 1, 1}},
		{name: "all in sync", cfg: Config{Replication: 3, MinInSync: 3}, brokers: 3, want: [3]int{6, 3, 3}},
	} {
		b := &Bus{cfg: tc.cfg.withDefaults(), embedded: tc.embedded, brokers: tc.brokers}
		var got [3]int
		if got[0], got[1], got[2] = b.layout(event.Topic{Name: "t", Partitions: tc.contract}); got != tc.want {
			t.Errorf("%s: layout() = %v, want %v", tc.name, got, tc.want)
		}
	}
}

// TestVeryLongRetention: a time that no Duration holds is a long one all the same.
func TestVeryLongRetention(t *testing.T) {
	b, err := Embed(BrokerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	bus, err := Connect(t.Context(), Config{Brokers: b.Addrs()})
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	const century = 100 * 365 * 24 * time.Hour
	for name, years := range map[string]int64{"some": 500, "many": 1_000_000} {
		if err := b.Cluster().CreateTopic(name, 1, map[string]string{"retention.ms": strconv.FormatInt(years*century.Milliseconds()/100, 10)}); err != nil {
			t.Fatal(err)
		}
		topics, err := bus.Describe(t.Context(), name)
		if err != nil || len(topics) != 1 || topics[0].Retention < century {
			t.Errorf("Describe() = %+v, %v, want a retention of %d years, or of as many as fit", topics, err, years)
		}
	}
}

// A cluster of three that is starting when a service is: its topics are kept three times
// all the same, also while a broker is away again.
func TestClusterThatIsStarting(t *testing.T) {
	t.Parallel()
	for _, cfg := range []Config{{}, {Replication: 3}} {
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			t.Fatal(err)
		}
		defer cluster.Close()
		cfg.Brokers = cluster.ListenAddrs()
		bus, err := Connect(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer bus.Close()
		ensure := func(topic string) error { return bus.EnsureTopics(t.Context(), []event.Topic{{Name: topic}}) }
		if cfg.Replication > 0 {
			if err := ensure("a"); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "3 copies of each record are asked for") {
				t.Errorf("EnsureTopics() with one broker = %v, want %v and what is missing", err, ErrUnreachable)
			}
		}
		for range 2 {
			if _, _, err := cluster.AddNode(-1, 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := ensure("a"); err != nil {
			t.Errorf("EnsureTopics() with three brokers = %v", err)
		}
		if topics, err := bus.Describe(t.Context(), "a"); err != nil || topics[0].Replication != 3 {
			t.Errorf("Describe() = %+v, %v, want three copies", topics, err)
		}
		if err := cluster.RemoveNode(2); err != nil {
			t.Fatal(err)
		}
		if err := ensure("b"); !errors.Is(err, ErrUnreachable) {
			t.Errorf("EnsureTopics() while a broker is away = %v, want %v", err, ErrUnreachable)
		}
	}
}
