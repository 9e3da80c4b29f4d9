package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tutti-go/tutti/event"
)

// Membership makes a consumer a member of a group that shares out partitions.
type Membership struct {
	// Group is the consumer group.
	Group string
	// Instance is stable over restarts of one instance (static membership,
	// KIP-345): a restart takes its partitions back at once.
	Instance string
	Topics   []string
	// Start returns where to begin in each of the partitions that were assigned; 0 in
	// those that it leaves out.
	Start func(ctx context.Context, ps []event.Partition) (map[event.Partition]int64, error)
	// Lost is told of partitions that are no longer assigned.
	Lost func(ps []event.Partition)
}

// Consumer reads the partitions that its group assigns to it.
type Consumer struct {
	m      Membership
	client *kgo.Client
	end    context.CancelFunc // of what the client waits for
	leave  func(ctx context.Context) error
	ids    map[string][16]byte // of topics
	log    *slog.Logger
	said   map[event.Partition]time.Time // that it cannot be read
}

// Fetched is consecutive records of a partition.
type Fetched struct {
	event.Partition
	Records []Consumed
	// End is the offset after the last record in the log.
	End int64
	// Err is why the partition cannot be read now, where there are no records. It is
	// logged, and the partition tried again.
	Err error
}

// Consumed is a record at its place in the log.
type Consumed struct {
	event.Record
	Offset int64
	Time   time.Time
	// Control says that it is no message, but ends a transaction of its producer.
	Control bool
}

// Errors of Poll after which a consumer cannot go on.
var (
	// ErrLogLost says that the log does not hold the offset that is next.
	ErrLogLost = errors.New("the log does not hold the next record")
	// ErrReplaced says that another instance has taken this one's place.
	ErrReplaced = errors.New("another instance has taken the place of this one")
)

// Join makes a consumer. Polling makes it a member.
func (b *Bus) Join(m Membership) (*Consumer, error) {
	opts := append(b.options(m.Instance),
		kgo.ConsumerGroup(m.Group),
		kgo.InstanceID(m.Instance),
		kgo.ConsumeTopics(m.Topics...),
		kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // positions pass them, too
		kgo.FetchMaxBytes(2<<20), // of batches of events, which are several times as large once they are unpacked
		kgo.FetchMaxPartitionBytes(512<<10),
		kgo.FetchMaxWait(b.cfg.FetchWait),
		kgo.SessionTimeout(b.cfg.Heartbeat*15/2),
		kgo.RebalanceTimeout(15*time.Second),
		kgo.HeartbeatInterval(b.cfg.Heartbeat),
		kgo.OnOffsetsFetched(whole),
		kgo.AdjustFetchOffsetsFn(func(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
			var assigned []event.Partition
			for topic, partitions := range offsets {
				for number := range partitions {
					assigned = append(assigned, event.Partition{Topic: topic, Number: number})
				}
			}
			if len(assigned) == 0 {
				return offsets, nil
			}
			starts, err := m.Start(ctx, assigned)
			if err != nil {
				return nil, err
			}
			for _, p := range assigned {
				offsets[p.Topic][p.Number] = kgo.NewOffset().At(starts[p])
			}
			return offsets, nil
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) { m.Lost(flatten(lost)) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) { m.Lost(flatten(lost)) }),
	)
	ctx, end := context.WithCancel(context.Background())
	client, err := kgo.NewClient(append(opts, kgo.WithContext(ctx))...)
	if err != nil {
		end()
		return nil, fmt.Errorf("join group %s: %w", m.Group, err)
	}
	c := b.consumer(m, client, end)
	c.leave = func(ctx context.Context) error { return b.Expel(ctx, m.Group, m.Instance) }
	return c, nil
}

func (b *Bus) consumer(m Membership, client *kgo.Client, end context.CancelFunc) *Consumer {
	return &Consumer{m: m, client: client, end: end, ids: map[string][16]byte{}, log: b.cfg.Logger, said: map[event.Partition]time.Time{}}
}

// whole returns an error if the group's coordinator does not tell where the group is in a
// partition, as one that has not heard of the topic yet. Where it begins to read, the
// client is told otherwise, but without that answer it would leave the partition out for
// as long as it is a member. So it joins again.
func whole(_ context.Context, _ *kgo.Client, answer *kmsg.OffsetFetchResponse) error {
	for _, g := range answer.Groups {
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return fmt.Errorf("fetch the offset of group %s in partition %d: %w", g.Group, p.Partition, err)
				}
			}
		}
	}
	return nil
}

func flatten(m map[string][]int32) []event.Partition {
	var out []event.Partition
	for topic, numbers := range m {
		for _, n := range numbers {
			out = append(out, event.Partition{Topic: topic, Number: n})
		}
	}
	return out
}

// Poll waits for records, at most limit of them. Errors that the client overcomes
// by itself are not returned; others can be read where a partition cannot.
func (c *Consumer) Poll(ctx context.Context, limit int) ([]Fetched, error) {
	fetches := c.client.PollRecords(ctx, limit)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := c.fatal(fetches); err != nil {
		return nil, err
	}
	var out []Fetched
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) == 0 {
			return
		}
		f := Fetched{Partition: event.Partition{Topic: p.Topic, Number: p.Partition}, End: p.HighWatermark, Records: make([]Consumed, len(p.Records))}
		for i, r := range p.Records {
			f.Records[i] = Consumed{
				Record: event.Record{Key: r.Key, Value: r.Value, Headers: ours(r.Headers)},
				Offset: r.Offset, Time: r.Timestamp, Control: r.Attrs.IsControl(),
			}
		}
		out = append(out, f)
	})
	if bad := c.unreadable(fetches); len(bad) > 0 {
		out = append(out, bad...)
		sleep(ctx, breath)
	}
	return out, nil
}

// breath is how long Poll waits where a partition cannot be read. The client pauses by
// itself where it takes an error for a passing one, and asks at once after any other.
const breath = 100 * time.Millisecond

// unreadable returns which partitions cannot be read, and says so of each once a minute.
func (c *Consumer) unreadable(fetches kgo.Fetches) (bad []Fetched) {
	for _, e := range fetches.Errors() {
		if e.Topic == "" { // of the group: the client says so, and pauses
			continue
		}
		p := event.Partition{Topic: e.Topic, Number: e.Partition}
		if time.Since(c.said[p]) >= time.Minute {
			c.said[p] = time.Now()
			c.log.Error("a partition cannot be read; it is tried again and again", "partition", p.String(), "error", e.Err)
		}
		bad = append(bad, Fetched{Partition: p, Err: e.Err})
	}
	return bad
}

func (c *Consumer) fatal(fetches kgo.Fetches) error {
	for _, e := range fetches.Errors() {
		var loss *kgo.ErrDataLoss
		switch {
		case errors.Is(e.Err, kerr.OffsetOutOfRange), errors.As(e.Err, &loss):
			return fmt.Errorf("poll %s/%d: %w: %w", e.Topic, e.Partition, ErrLogLost, e.Err)
		case errors.Is(e.Err, kerr.FencedInstanceID):
			return fmt.Errorf("poll group %s as %s: %w", c.m.Group, c.m.Instance, ErrReplaced)
		case errors.Is(e.Err, kgo.ErrClientClosed):
			return fmt.Errorf("poll group %s: %w", c.m.Group, e.Err)
		case errors.Is(e.Err, kerr.TopicAuthorizationFailed), errors.Is(e.Err, kerr.GroupAuthorizationFailed):
			return fmt.Errorf("poll %s as group %s: %w", e.Topic, c.m.Group, advice(ErrDenied, e.Err, "allow this client to Read both"))
		}
	}
	return nil
}

// Pause stops fetching of partitions, and Resume goes on where it stopped.
func (c *Consumer) Pause(ps []event.Partition) { c.client.PauseFetchPartitions(nest(ps)) }

// Resume undoes Pause.
func (c *Consumer) Resume(ps []event.Partition) { c.client.ResumeFetchPartitions(nest(ps)) }

func nest(ps []event.Partition) map[string][]int32 {
	out := map[string][]int32{}
	for _, p := range ps {
		out[p.Topic] = append(out[p.Topic], p.Number)
	}
	return out
}

// Commit stores how far the group is, for monitoring, waits for that, and reports
// whether it succeeded. One goroutine at a time may commit.
//
// The client's own commit holds a lock that joining the group waits for, so that one
// without an answer would keep this member out of the group. This one does not.
func (c *Consumer) Commit(ctx context.Context, next map[event.Partition]int64) bool {
	member, generation := c.client.GroupMetadata()
	if generation < 0 {
		return false // not in the group now
	}
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.InstanceID, req.Generation = c.m.Group, member, &c.m.Instance, generation
	topics := map[string][]kmsg.OffsetCommitRequestTopicPartition{}
	for p, at := range next {
		part := kmsg.NewOffsetCommitRequestTopicPartition()
		part.Partition, part.Offset = p.Number, at
		topics[p.Topic] = append(topics[p.Topic], part)
	}
	if !c.learnIDs(ctx, topics) {
		return false
	}
	for name, parts := range topics {
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic, t.TopicID, t.Partitions = name, c.ids[name], parts
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, c.client)
	if err != nil {
		return false
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 {
				return false
			}
		}
	}
	return true
}

// learnIDs looks up the ids of topics that are not known, by which brokers of
// Kafka 4 want them named. It reports whether all are known.
func (c *Consumer) learnIDs(ctx context.Context, topics map[string][]kmsg.OffsetCommitRequestTopicPartition) bool {
	var unknown []string
	for name := range topics {
		if _, known := c.ids[name]; !known {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return true
	}
	details, err := kadm.NewClient(c.client).ListTopics(ctx, unknown...)
	if err != nil || details.Error() != nil {
		return false
	}
	for name, d := range details {
		c.ids[name] = [16]byte(d.ID)
	}
	return true
}

// Close leaves the group, if it is in one, so that others take over at once.
func (c *Consumer) Close(ctx context.Context) {
	if c.m.Group == "" {
		c.client.Close()
		return
	}
	// A client that still runs would join again as soon as it is told that it has left.
	c.Kill()
	// Static members stay in the group until they are removed or time out. If
	// this fails, they time out.
	_ = c.leave(ctx)
}

// Expel removes a member from a group by its name, as it would leave by itself. One that
// lives after all joins again.
func (b *Bus) Expel(ctx context.Context, group, instance string) error {
	left, err := b.admin.LeaveGroup(ctx, kadm.LeaveGroup(group).InstanceIDs(instance))
	if err == nil {
		err = left.Error()
	}
	if errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.GroupIDNotFound) {
		return nil // it is not there
	}
	return err
}

// Kill ends the connections and nothing else, as a crash would.
func (c *Consumer) Kill() {
	c.end() // the client waits for an answer to its wish to join: as long as another member does not answer
	c.client.CloseAllowingRebalance()
}
