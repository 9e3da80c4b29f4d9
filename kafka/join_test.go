package kafka

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tutti-go/tutti/event"
)

// A coordinator that has not heard of a topic yet, of which the leader of its partitions
// has, cannot tell where the group is. The partition is read all the same.
func TestReadsWhatItsCoordinatorDoesNotKnowYet(t *testing.T) {
	t.Parallel()
	broker, bus := embedded(t)
	p := event.Partition{Topic: "a"}
	if err := bus.EnsureTopics(t.Context(), []event.Topic{{Name: p.Topic}}); err != nil {
		t.Fatal(err)
	}
	broker.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Topic: p.Topic, Err: kerr.UnknownTopicID, Count: 5})
	c, err := bus.Join(Membership{
		Group: "g", Instance: "i", Topics: []string{p.Topic}, Lost: func([]event.Partition) {},
		Start: func(context.Context, []event.Partition) (map[event.Partition]int64, error) { return nil, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Kill()
	sender, err := bus.Producer("p")
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	sender.Send(t.Context(), p, event.Record{Value: []byte("x")}, func(_ int64, err error) {
		if err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		fetched, err := c.Poll(ctx, 1)
		if err != nil {
			t.Fatalf("Poll() = %v before the record was read", err)
		}
		if len(fetched) > 0 {
			return
		}
	}
}
