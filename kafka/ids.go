package kafka

import (
	"context"
	"fmt"
)

// TopicIDs returns the ids of those of some topics that there are. A topic that was
// deleted and made anew has another id.
func (b *Bus) TopicIDs(ctx context.Context, topics []string) (map[string][16]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	details, err := b.admin.ListTopics(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", b.explain(err))
	}
	ids := map[string][16]byte{}
	for name, d := range details {
		if d.Err == nil {
			ids[name] = [16]byte(d.ID)
		}
	}
	return ids, nil
}
