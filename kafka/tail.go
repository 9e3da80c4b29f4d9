package kafka

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tutti-go/tutti/event"
)

// Tail reads partitions as a bystander: it is a member of no group and commits
// nothing. One goroutine uses it.
type Tail struct {
	client *kgo.Client
	next   map[event.Partition]int64
}

// Read is a record that was read at its place.
type Read struct {
	event.Partition
	Consumed
}

// Tail begins to read partitions, each from an offset on.
func (b *Bus) Tail(from map[event.Partition]int64) (*Tail, error) {
	offsets := map[string]map[int32]kgo.Offset{}
	for p, at := range from {
		if offsets[p.Topic] == nil {
			offsets[p.Topic] = map[int32]kgo.Offset{}
		}
		offsets[p.Topic][p.Number] = kgo.NewOffset().At(at)
	}
	client, err := kgo.NewClient(append(b.options("tutti-tail"),
		kgo.ConsumePartitions(offsets),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // retention may overtake a reader; it goes on
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // a log may end with them
		kgo.FetchMaxBytes(8<<20),
		kgo.FetchMaxPartitionBytes(1<<20),
		kgo.FetchMaxWait(b.cfg.FetchWait),
	)...)
	if err != nil {
		return nil, fmt.Errorf("read topics: %w", err)
	}
	return &Tail{client: client, next: maps.Clone(from)}, nil
}

// Poll waits for records, at most limit of them. Those of a partition are in order;
// partitions are merged by time.
func (t *Tail) Poll(ctx context.Context, limit int) ([]Read, error) {
	fetches := t.client.PollRecords(ctx, limit)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, e := range fetches.Errors() {
		return nil, fmt.Errorf("read %s/%d: %w", e.Topic, e.Partition, e.Err)
	}
	var queues [][]Read
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		var queue []Read
		at := event.Partition{Topic: p.Topic, Number: p.Partition}
		for _, r := range p.Records {
			t.next[at] = r.Offset + 1
			if r.Attrs.IsControl() {
				continue
			}
			headers := make([]event.Header, len(r.Headers))
			for i, h := range r.Headers {
				headers[i] = event.Header(h)
			}
			queue = append(queue, Read{at, Consumed{Record: event.Record{Key: r.Key, Value: r.Value, Headers: headers}, Offset: r.Offset, Time: r.Timestamp}})
		}
		if len(queue) > 0 {
			queues = append(queues, queue)
		}
	})
	return merge(queues), nil
}

// merge takes from the queue whose first record is the oldest, again and again.
func merge(queues [][]Read) (out []Read) {
	for len(queues) > 0 {
		first := 0
		for i := range queues {
			if queues[i][0].Time.Before(queues[first][0].Time) {
				first = i
			}
		}
		out = append(out, queues[first][0])
		if queues[first] = queues[first][1:]; len(queues[first]) == 0 {
			queues = slices.Delete(queues, first, first+1)
		}
	}
	return out
}

// Reached reports whether each partition has been read up to an offset.
func (t *Tail) Reached(ends map[event.Partition]int64) bool {
	for p, end := range ends {
		if t.next[p] < end {
			return false
		}
	}
	return true
}

// Close ends the connections.
func (t *Tail) Close() { t.client.Close() }

// TimesAt returns the times of records, each the first at or after an offset. What
// cannot be read within a time is left out.
func (b *Bus) TimesAt(ctx context.Context, at map[event.Partition]int64, within time.Duration) (map[event.Partition]time.Time, error) {
	out := map[event.Partition]time.Time{}
	if len(at) == 0 {
		return out, nil
	}
	tail, err := b.Tail(at)
	if err != nil {
		return nil, err
	}
	defer tail.Close()
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for len(out) < len(at) {
		records, err := tail.Poll(ctx, 100)
		if err != nil {
			return out, nil //nolint:nilerr // what is known by then is all that is promised
		}
		for _, r := range records {
			if _, known := out[r.Partition]; !known {
				out[r.Partition] = r.Time
				tail.client.PauseFetchPartitions(nest([]event.Partition{r.Partition}))
			}
		}
	}
	return out, nil
}

func compare(groupA, groupB string, a, b event.Partition) int {
	return cmp.Or(cmp.Compare(groupA, groupB), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Number, b.Number))
}
