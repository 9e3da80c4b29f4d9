package service

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/tutti-go/tutti/kafka"
)

// join makes this instance a member of the service's consumer group, if the service
// reads anything.
func (r *running) join() error {
	s, l := r.s, r.s.loop
	topics := s.subscribed()
	if len(topics) == 0 {
		return nil
	}
	c, err := s.cfg.bus.Join(kafka.Membership{Group: s.name, Instance: r.lane.Name, Topics: topics, Start: l.start, Lost: l.lose})
	if err != nil {
		return err
	}
	r.consumer.Store(c)
	return nil
}

// read fetches until ctx ends. Kafka fences a member that another of its name has
// followed. That one may be this very instance: after a coordinator was away, the
// client joins as a new member, and requests of the old one are still under way. Whether
// there is a rival, the database knows: it would have taken the lane.
func (r *running) read(ctx context.Context) error {
	l := r.s.loop
	for attempt := 0; ; attempt++ {
		err := l.fetch(ctx, r.consumer.Load())
		if !errors.Is(err, kafka.ErrReplaced) {
			return err
		}
		held, unknown := r.db.HoldsLane(ctx)
		if unknown == nil && !held {
			return err
		}
		r.s.log.Warn("Kafka has fenced this instance, which holds its lane: joining the group again", "lane", r.lane.Name, "error", errors.Join(err, unknown))
		r.consumer.Load().Kill()
		l.mu.Lock()
		lost := slices.Collect(maps.Keys(l.assigned))
		l.mu.Unlock()
		l.lose(lost)
		if !sleep(ctx, l.backoff(attempt)) {
			return nil
		}
		if err := r.join(); err != nil {
			return err
		}
	}
}
