package kafka

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tutti-go/tutti/event"
)

// SendFault is how an embedded broker fails requests to write, in tests.
type SendFault string

// Of these, Kafka's clients repeat Busy and Unanswered by themselves, and give the
// records up for good at the others. Unanswered writes the records and then says
// that it could not: a lost acknowledgement.
const (
	Busy       SendFault = "busy"
	Unanswered SendFault = "unanswered"
	Invalid    SendFault = "invalid"
	TooLarge   SendFault = "too large"
	Forbidden  SendFault = "forbidden"
)

var sendFaults = map[SendFault]*kerr.Error{
	Busy: kerr.NotEnoughReplicas, Unanswered: kerr.RequestTimedOut, Invalid: kerr.InvalidRecord,
	TooLarge: kerr.MessageTooLarge, Forbidden: kerr.TopicAuthorizationFailed,
}

// FailSends makes the next requests to write to a topic fail.
func (b *Broker) FailSends(topic string, f SendFault, requests int) {
	b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: sendFaults[f], Count: requests})
}

// Rebalance makes a group share its partitions out anew. If evict is set, the
// member that is heard of next is told that it is no longer one: it loses its
// partitions and joins again.
func (b *Broker) Rebalance(group string, evict bool) {
	err := kerr.RebalanceInProgress
	if evict {
		err = kerr.UnknownMemberID
	}
	b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Group: group, Err: err})
}

// Truncate deletes the records of a partition before an offset, as retention does.
func (b *Broker) Truncate(p event.Partition, before int64) error {
	if err := b.cluster.DeleteRecords(p.Topic, p.Number, before); err != nil {
		return fmt.Errorf("delete records of %s before %d: %w", p, before, err)
	}
	return nil
}

// Recreate deletes a topic with its records and makes it anew.
func (b *Broker) Recreate(topic string) error {
	partitions := int32(len(b.cluster.PartitionInfos(topic)))
	if err := b.cluster.DeleteTopic(topic); err != nil {
		return fmt.Errorf("delete topic %s: %w", topic, err)
	}
	if err := b.cluster.CreateTopic(topic, partitions, nil); err != nil {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	return nil
}

// Ends returns where the log of each partition of some topics ends. It asks the
// broker itself, not over the network.
func (b *Broker) Ends(topics []string) map[event.Partition]int64 {
	out := map[event.Partition]int64{}
	for _, topic := range topics {
		for _, info := range b.cluster.PartitionInfos(topic) {
			out[event.Partition{Topic: topic, Number: info.Partition}] = info.HighWatermark
		}
	}
	return out
}
