package store

import (
	"context"
	"fmt"
	"strings"
)

const topicMeta = "topic " // begins the names under which ids of topics are kept

// TopicIDs returns the ids that topics had when they were last used, as
// [Tx.KeepTopicIDs] was told.
func (s *Store) TopicIDs(ctx context.Context) (map[string]string, error) {
	ids := map[string]string{}
	_, err := Collect(ctx, s.Reader(), func(r Rows) (struct{}, error) {
		var name, id string
		err := r.Scan(&name, &id)
		ids[strings.TrimPrefix(name, topicMeta)] = id
		return struct{}{}, err
	}, `SELECT name, value FROM tutti_meta WHERE name LIKE $1`, topicMeta+"%")
	if err != nil {
		return nil, fmt.Errorf("read ids of topics: %w", err)
	}
	return ids, nil
}

// KeepTopicIDs remembers the ids of topics.
func (tx *Tx) KeepTopicIDs(ctx context.Context, ids map[string]string) error {
	for topic, id := range ids {
		if err := tx.Exec(ctx, `INSERT INTO tutti_meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, topicMeta+topic, id); err != nil {
			return fmt.Errorf("keep the id of topic %s: %w", topic, err)
		}
	}
	return nil
}
