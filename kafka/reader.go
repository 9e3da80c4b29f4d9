package kafka

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tutti-go/tutti/event"
)

// Reader makes a consumer that reads whole partitions, each from an offset on,
// without being a member of a group: for those who look at the log and change
// nothing.
func (b *Bus) Reader(id string, from map[event.Partition]int64) (*Consumer, error) {
	offsets := map[string]map[int32]kgo.Offset{}
	for p, at := range from {
		if offsets[p.Topic] == nil {
			offsets[p.Topic] = map[int32]kgo.Offset{}
		}
		offsets[p.Topic][p.Number] = kgo.NewOffset().At(at)
	}
	client, err := kgo.NewClient(append(b.options(id),
		kgo.ConsumePartitions(offsets),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	)...)
	if err != nil {
		return nil, fmt.Errorf("read topics as %s: %w", id, err)
	}
	return b.consumer(Membership{}, client, func() {}), nil
}
