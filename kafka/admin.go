package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/tutti-go/tutti/event"
)

// TopicInfo is what a cluster says of a topic.
type TopicInfo struct {
	Name        string
	Partitions  int
	Replication int
	// Records is how many offsets are between the log's ends: after compaction, or
	// with transactions, there may be fewer records.
	Records int64
	// Size is the bytes of one replica of each partition, -1 if the cluster does not say.
	Size int64
	// Retention is how long records are kept: negative for ever. Known is false
	// where the cluster does not say.
	Retention time.Duration
	Known     bool
	Compacted bool
	Consumers []Consumption
	// Publishers are the services that have noted how far they sent here.
	Publishers []string
}

// Consumption is how far a group is in a topic.
type Consumption struct {
	Group string
	Lag   int64
}

// Progress is how far a group has committed in a partition.
type Progress struct {
	Group string
	event.Partition
	Bounds
}

// sentSuffix ends the groups in which services note how far they sent.
const sentSuffix = ".sent"

// Describe describes topics: all but internal ones if none is named.
func (b *Bus) Describe(ctx context.Context, topics ...string) ([]TopicInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	details, err := b.admin.ListTopics(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("describe topics: %w", err)
	}
	out := make([]TopicInfo, 0, len(details))
	for _, d := range details.Sorted() {
		if d.Err != nil {
			return nil, fmt.Errorf("describe topic %s: %w", d.Topic, d.Err)
		}
		t := TopicInfo{Name: d.Topic, Partitions: len(d.Partitions), Size: -1}
		for _, p := range d.Partitions {
			t.Replication = max(t.Replication, len(p.Replicas))
		}
		out = append(out, t)
	}
	if len(out) == 0 {
		return out, nil
	}
	names := details.Names()
	bounds, err := b.Bounds(ctx, "", names)
	if err != nil {
		return nil, fmt.Errorf("describe topics: %w", err)
	}
	groups, err := b.Progress(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("describe topics: %w", err)
	}
	sizes := b.sizes(ctx, details)
	configs, _ := b.admin.DescribeTopicConfigs(ctx, names...) // without the right to ask, it is not known
	for i := range out {
		t := &out[i]
		for p, at := range bounds {
			if p.Topic == t.Name {
				t.Records += at.End - at.Start
			}
		}
		if size, ok := sizes[t.Name]; ok {
			t.Size = size
		}
		t.configure(configs)
		t.consumed(groups)
	}
	return out, nil
}

func (t *TopicInfo) configure(configs kadm.ResourceConfigs) {
	rc, err := configs.On(t.Name, nil)
	if err != nil || rc.Err != nil {
		return
	}
	for _, c := range rc.Configs {
		switch c.Key {
		case "retention.ms":
			if ms, err := strconv.ParseInt(c.MaybeValue(), 10, 64); err == nil {
				t.Retention, t.Known = time.Duration(min(max(-1, ms), math.MaxInt64/int64(time.Millisecond)))*time.Millisecond, true
			}
		case "cleanup.policy":
			t.Compacted = c.MaybeValue() == "compact" || c.MaybeValue() == "compact,delete" || c.MaybeValue() == "delete,compact"
		}
	}
}

// consumed adds who reads and writes the topic. groups is sorted.
func (t *TopicInfo) consumed(groups []Progress) {
	for _, g := range groups {
		if g.Topic != t.Name {
			continue
		}
		if name, sent := cutSent(g.Group); sent {
			if !slices.Contains(t.Publishers, name) {
				t.Publishers = append(t.Publishers, name)
			}
			continue
		}
		if n := len(t.Consumers); n == 0 || t.Consumers[n-1].Group != g.Group {
			t.Consumers = append(t.Consumers, Consumption{Group: g.Group})
		}
		t.Consumers[len(t.Consumers)-1].Lag += max(0, g.End-max(g.Committed, g.Start))
	}
}

func cutSent(group string) (string, bool) {
	if n := len(group) - len(sentSuffix); n > 0 && group[n:] == sentSuffix {
		return group[:n], true
	}
	return group, false
}

// sizes returns the bytes of each topic, of the largest replica of each partition.
// Where a broker does not answer, or may not be asked, there are none.
func (b *Bus) sizes(ctx context.Context, details kadm.TopicDetails) map[string]int64 {
	dirs, err := b.admin.DescribeAllLogDirs(ctx, details.TopicsSet())
	if err != nil {
		return nil
	}
	largest := map[event.Partition]int64{}
	for _, dir := range dirs.Sorted() {
		if dir.Err != nil {
			return nil
		}
		for _, p := range dir.Topics.Sorted() {
			id := event.Partition{Topic: p.Topic, Number: p.Partition}
			largest[id] = max(largest[id], p.Size)
		}
	}
	out := map[string]int64{}
	for p, size := range largest {
		out[p.Topic] += size
	}
	return out
}

// Progress returns how far each consumer group has committed, by group, topic and
// partition: of all topics if none is named.
func (b *Bus) Progress(ctx context.Context, topics ...string) ([]Progress, error) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	listed, err := b.admin.ListGroups(ctx)
	if err != nil {
		return nil, fmt.Errorf("list groups: %w", err)
	}
	groups := listed.Groups()
	if len(groups) == 0 {
		return nil, nil
	}
	var out []Progress
	named := map[string]bool{}
	for _, r := range b.admin.FetchManyOffsets(ctx, groups...) {
		if r.Err != nil && !errors.Is(r.Err, kerr.GroupIDNotFound) {
			return nil, fmt.Errorf("fetch offsets of group %s: %w", r.Group, r.Err)
		}
		r.Fetched.Each(func(o kadm.OffsetResponse) {
			if o.Err == nil && o.At >= 0 && (len(topics) == 0 || slices.Contains(topics, o.Topic)) {
				named[o.Topic] = true
				out = append(out, Progress{Group: r.Group, Partition: event.Partition{Topic: o.Topic, Number: o.Partition}, Bounds: Bounds{Committed: o.At}})
			}
		})
	}
	bounds, err := b.existing(ctx, slices.Sorted(maps.Keys(named)))
	if err != nil {
		return nil, err
	}
	out = slices.DeleteFunc(out, func(p Progress) bool { _, there := bounds[p.Partition]; return !there })
	for i := range out {
		at := bounds[out[i].Partition]
		out[i].Start, out[i].End = at.Start, at.End
	}
	slices.SortFunc(out, func(a, b Progress) int {
		return compare(a.Group, b.Group, a.Partition, b.Partition)
	})
	return out, nil
}

// existing returns the bounds of those topics that are there: a group remembers
// offsets of topics that were deleted.
func (b *Bus) existing(ctx context.Context, topics []string) (map[event.Partition]Bounds, error) {
	all, err := b.Topics(ctx)
	if err != nil {
		return nil, err
	}
	return b.Bounds(ctx, "", slices.DeleteFunc(topics, func(t string) bool { return !slices.Contains(all, t) }))
}

// OffsetsAfter returns, of each partition of some topics, the first offset whose
// record is from a time or later, and the end where there is none.
func (b *Bus) OffsetsAfter(ctx context.Context, at time.Time, topics []string) (map[event.Partition]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	ms := max(at.UnixMilli(), 0) // below it, Kafka takes a time for something else: -1 is the end
	offsets, err := b.admin.ListOffsetsAfterMilli(ctx, ms, topics...)
	if err == nil {
		err = offsets.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list offsets after %s: %w", at.Format(time.RFC3339), err)
	}
	out := map[event.Partition]int64{}
	offsets.Each(func(o kadm.ListedOffset) { out[event.Partition{Topic: o.Topic, Number: o.Partition}] = o.Offset })
	return out, nil
}

// Sent reports whether the group is where a service notes how far it has sent, and
// reads nothing.
func (p Progress) Sent() bool {
	_, sent := cutSent(p.Group)
	return sent
}
