package kafka

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tutti-go/tutti/event"
)

// A service that starts while the cluster elects a coordinator waits for it.
func TestWaitsForCoordinator(t *testing.T) {
	broker, bus := embedded(t)
	topics := []event.Topic{{Name: "a"}}
	if err := bus.EnsureTopics(t.Context(), topics); err != nil {
		t.Fatal(err)
	}
	broker.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Err: kerr.CoordinatorNotAvailable, Count: 3})
	if _, err := bus.Bounds(t.Context(), "g", []string{"a"}); err != nil {
		t.Errorf("Bounds() while the coordinator is elected: %v", err)
	}
}

// What a cluster says while it starts, elects, or has too much to do ends by itself: a
// service that starts meanwhile waits.
func TestWaitsForWhatPasses(t *testing.T) {
	t.Parallel()
	create := func(ctx context.Context, b *Bus, name string) error {
		return b.EnsureTopics(ctx, []event.Topic{{Name: name}})
	}
	bounds := func(ctx context.Context, b *Bus, _ string) error {
		_, err := b.Bounds(ctx, "", []string{"there"})
		return err
	}
	for _, tc := range []struct {
		of  kmsg.Key
		err *kerr.Error
		ask func(ctx context.Context, b *Bus, name string) error
	}{
		{kmsg.CreateTopics, kerr.RequestTimedOut, create},
		{kmsg.CreateTopics, kerr.NotController, create},
		{kmsg.CreateTopics, kerr.ThrottlingQuotaExceeded, create},
		{kmsg.ListOffsets, kerr.OffsetNotAvailable, bounds},
		{kmsg.ListOffsets, kerr.KafkaStorageError, bounds},
		{kmsg.ListOffsets, kerr.ListenerNotFound, bounds},
	} {
		t.Run(tc.err.Message, func(t *testing.T) {
			t.Parallel()
			broker, bus := embedded(t)
			if err := bus.EnsureTopics(t.Context(), []event.Topic{{Name: "there"}}); err != nil {
				t.Fatal(err)
			}
			fault := kfake.Fault{Keys: []kmsg.Key{tc.of}, Err: tc.err, Count: 3}
			broker.cluster.Fault(fault)
			if err := tc.ask(t.Context(), bus, "a"); err != nil {
				t.Errorf("asked while it passes: %v", err)
			}
			fault.Count = -1
			broker.cluster.Fault(fault)
			bus.cfg.Timeout = 500 * time.Millisecond
			if err := tc.ask(t.Context(), bus, "b"); !errors.Is(err, ErrUnreachable) {
				t.Errorf("asked while it does not pass: %v, want %v", err, ErrUnreachable)
			}
		})
	}
}

// A cluster that has answered before, and does not come to itself within the timeout, is
// one that cannot be reached: a service waits on. Its settings are not to blame.
func TestClusterThatIsAway(t *testing.T) {
	t.Parallel()
	topics := []event.Topic{{Name: "a"}}
	for _, tc := range []struct {
		name string
		away func(*kfake.Cluster)
	}{
		{"hangs up", func(c *kfake.Cluster) {
			c.Control(func(kmsg.Request) (kmsg.Response, error, bool) {
				c.KeepControl()
				return nil, errors.New("hang up"), true
			})
		}},
		{"elects a coordinator", func(c *kfake.Cluster) {
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Err: kerr.CoordinatorNotAvailable, Count: 1000})
		}},
		{"elects a leader", func(c *kfake.Cluster) {
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.LeaderNotAvailable, Count: 1000})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			broker, bus := embedded(t)
			if err := bus.EnsureTopics(t.Context(), topics); err != nil {
				t.Fatal(err)
			}
			tc.away(broker.cluster)
			bus.cfg.Timeout = 500 * time.Millisecond
			if _, err := bus.Bounds(t.Context(), "g", []string{"a"}); !errors.Is(err, ErrUnreachable) {
				t.Errorf("Bounds() = %v, want %v", err, ErrUnreachable)
			}
			if tc.name != "hangs up" {
				return
			}
			if err := bus.EnsureTopics(t.Context(), topics); !errors.Is(err, ErrUnreachable) {
				t.Errorf("EnsureTopics() = %v, want %v", err, ErrUnreachable)
			}
			if _, err := bus.TopicIDs(t.Context(), []string{"a"}); !errors.Is(err, ErrUnreachable) {
				t.Errorf("TopicIDs() = %v, want %v", err, ErrUnreachable)
			}
		})
	}
}

// A topic that the client takes for unknown, because of what it was told before, is asked
// for again. One that is not there is told so soon.
func TestAsksAgainForTopics(t *testing.T) {
	t.Parallel()
	broker, bus := embedded(t)
	if err := bus.EnsureTopics(t.Context(), []event.Topic{{Name: "a"}}); err != nil {
		t.Fatal(err)
	}
	broker.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.UnknownTopicOrPartition, Count: 3})
	if _, err := bus.Bounds(t.Context(), "", []string{"a"}); err != nil {
		t.Errorf("Bounds() of a topic that is not known for a moment: %v", err)
	}
	if _, err := bus.Bounds(t.Context(), "", []string{"none"}); !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("Bounds() of a topic that is not there = %v", err)
	}
}

// A leader may hear later of a topic than those who were asked for it: a service that has
// found its topics waits for that.
func TestWaitsForLeaderThatDoesNotKnowYet(t *testing.T) {
	t.Parallel()
	broker, bus := embedded(t)
	if err := bus.EnsureTopics(t.Context(), []event.Topic{{Name: "a"}}); err != nil {
		t.Fatal(err)
	}
	fault := broker.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.UnknownTopicOrPartition, Count: -1})
	time.AfterFunc(2*memory, fault.Remove)
	if _, err := bus.Bounds(t.Context(), "", []string{"a"}); err != nil {
		t.Errorf("Bounds() of a topic that is there, and that its leader does not know for %v: %v", 2*memory, err)
	}
}

// An offset that cannot be told is not taken for none: a service would think that it is
// new.
func TestOffsetThatIsNotTold(t *testing.T) {
	broker, bus := embedded(t)
	p := event.Partition{Topic: "a"}
	if err := bus.EnsureTopics(t.Context(), []event.Topic{{Name: p.Topic}}); err != nil {
		t.Fatal(err)
	}
	if err := bus.Commit(t.Context(), "g", map[event.Partition]Mark{p: {Offset: 7}}); err != nil {
		t.Fatal(err)
	}
	ids, err := bus.TopicIDs(t.Context(), []string{p.Topic})
	if err != nil {
		t.Fatal(err)
	}
	broker.cluster.ControlKey(int16(kmsg.OffsetFetch), func(r kmsg.Request) (kmsg.Response, error, bool) { // once
		refused := kmsg.NewOffsetFetchResponseGroupTopicPartition()
		refused.Offset, refused.ErrorCode = -1, kerr.UnstableOffsetCommit.Code
		topic, group := kmsg.NewOffsetFetchResponseGroupTopic(), kmsg.NewOffsetFetchResponseGroup()
		topic.Topic, topic.TopicID, topic.Partitions = p.Topic, ids[p.Topic], append(topic.Partitions, refused)
		group.Group, group.Topics = "g", append(group.Topics, topic)
		answer := r.ResponseKind().(*kmsg.OffsetFetchResponse)
		answer.Groups = append(answer.Groups, group)
		return answer, nil, true
	})
	if got, err := bus.Bounds(t.Context(), "g", []string{p.Topic}); !errors.Is(err, kerr.UnstableOffsetCommit) {
		t.Errorf("Bounds() = %+v, %v, want the broker's refusal", got, err)
	}
	if got, err := bus.Bounds(t.Context(), "g", []string{p.Topic}); err != nil || got[p].Committed != 7 {
		t.Errorf("Bounds() afterwards = %+v, %v, want that 7 is committed", got, err)
	}
}

// embedded is a broker, and a bus that is connected to it.
func embedded(t *testing.T) (*Broker, *Bus) {
	t.Helper()
	broker, err := Embed(BrokerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() }) // it keeps nothing
	bus, err := Connect(t.Context(), Config{Brokers: broker.Addrs(), Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	return broker, bus
}
