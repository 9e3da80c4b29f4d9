package kafka

import (
	"testing"

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
