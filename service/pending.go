package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/store"
)

// Topics lists the topics that the service reads or writes.
func (s *Service) Topics() []event.Topic { return s.topics() }

// Pending says what the service has still to do, or "" if that is nothing: records
// that it has not handled of a log that ends at ends, events that Kafka has not
// acknowledged, and what is due before until of its jobs, timers and parked
// records. Dead letters and dead jobs wait for a person and do not count.
func (s *Service) Pending(ctx context.Context, ends map[event.Partition]int64, until time.Time) (string, error) {
	select {
	case <-s.stopped:
		return "it has stopped", nil
	case <-s.ready:
	default:
		return "it is starting", nil
	}
	l := s.loop
	unsent, _, trouble := l.relay.status()
	switch queued := len(l.requests) + len(l.completions) + len(l.fetched); {
	case trouble != nil:
		return trouble.Error(), nil
	case unsent > 0:
		return fmt.Sprintf("%d events are not acknowledged by Kafka", unsent), nil
	case l.inherited.Load() > 0:
		return "what an instance that is gone has left is being sent", nil
	case queued > 0 || l.busy.Load() != 0:
		return "a transaction is under way", nil
	}
	db := l.db.Load()
	positions, err := db.Positions(ctx)
	if err != nil {
		return "", err
	}
	for _, topic := range s.subscribed() {
		for p, end := range ends {
			if p.Topic == topic && positions[p].Next < end {
				return fmt.Sprintf("%s is handled up to %d and ends at %d", p, positions[p].Next, end), nil
			}
		}
	}
	return s.due(ctx, until)
}

// due names something that is under way, or will be before until.
func (s *Service) due(ctx context.Context, until time.Time) (string, error) {
	db := s.loop.db.Load()
	var kind, id, state string
	err := db.Reader().QueryRow(ctx, `SELECT kind, id, state FROM tutti_job WHERE state = 'running' OR state = 'waiting' AND due < $1
		ORDER BY due LIMIT 1`, until.UnixMilli()).Scan(&kind, &id, &state)
	switch {
	case err == nil:
		return fmt.Sprintf("job %s %s is %s", kind, id, state), nil
	case !errors.Is(err, store.ErrNoRows):
		return "", fmt.Errorf("look for jobs: %w", err)
	}
	parked, _, err := db.DueParked(ctx, until, 1, nil)
	if err != nil || len(parked) == 0 {
		return "", err
	}
	return fmt.Sprintf("%s@%d is parked: %s", parked[0].Partition, parked[0].Offset, parked[0].Error), nil
}
