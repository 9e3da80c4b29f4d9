package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrTopicLost says that a topic was deleted, or deleted and made anew, while the
// service used it.
var ErrTopicLost = errors.New("a topic was deleted under the running service")

const lookAfterTopics = 15 * time.Second

// watchTopics ends with an error once a topic of the service is gone or another: the
// client would wait for it for ever, or go on somewhere within the new one.
func (r *running) watchTopics(ctx context.Context) error {
	var names []string
	for _, t := range r.s.topics() {
		names = append(names, t.Name)
	}
	known, err := r.db.TopicIDs(ctx) // as the start has found them
	if err != nil {
		known = map[string]string{}
	}
	missed := map[string]int{}
	for len(names) > 0 && sleep(ctx, max(cmp.Or(r.s.cfg.hooks.look, lookAfterTopics), r.s.cfg.Calm)) {
		ids, err := r.s.cfg.bus.TopicIDs(ctx, names)
		if err != nil {
			continue // Kafka does not answer; others say so
		}
		for _, name := range names {
			id, there := ids[name]
			switch before := known[name]; {
			case there && before != "" && topicID(id) != before:
				return fmt.Errorf("%w: %s was deleted and made anew. %s", ErrTopicLost, name, afterLoss)
			case there:
				known[name], missed[name] = topicID(id), 0
			default: // a broker that has just started may not know it yet
				if missed[name]++; missed[name] >= 3 {
					return fmt.Errorf("%w: %s is gone. %s", ErrTopicLost, name, afterLoss)
				}
			}
		}
	}
	return nil
}

const afterLoss = "Its events are lost unless they are brought back from a copy of the cluster. The database is untouched: " +
	"the next start compares it with the topic, refuses to go on, and says what can be done"
