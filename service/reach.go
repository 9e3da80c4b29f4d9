package service

import (
	"context"
	"errors"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/store"
)

// reach repeats fn while what it needs is away, as Kafka or the database's server may
// be when all are started together.
func (r *running) reach(ctx context.Context, fn func() error) error {
	s := r.s
	defer s.loop.waits.Store(nil)
	for attempt := 0; ; attempt++ {
		err := fn()
		says := away(err)
		if says == "" || ctx.Err() != nil {
			return err
		}
		s.loop.waits.Store(&err)
		s.log.Warn(says, "attempt", attempt+1, "error", err)
		if !sleep(ctx, s.loop.backoff(min(attempt, 5))) {
			return context.Cause(ctx)
		}
	}
}

// away says what is away, if that is what an error is about.
func away(err error) string {
	switch {
	case errors.Is(err, kafka.ErrUnreachable):
		return "Kafka does not answer; the service starts when it does"
	case store.Away(err):
		return "the database is away; the service starts when it is there"
	}
	return ""
}

// openDatabase opens the database and makes its tables. It may be repeated.
func (r *running) openDatabase(ctx context.Context, publishes map[event.Contract]bool) error {
	s := r.s
	db, err := store.Open(ctx, s.cfg.Database, store.Config{
		Owner: s.name, Publishes: publishes, Partition: s.cfg.bus.Partition, Claim: s.loop.workers.claim,
		Unsynced: s.cfg.Unsynced, Shared: s.cfg.Shared, Now: s.cfg.hooks.now, Logger: s.log,
	})
	if err != nil {
		return err
	}
	if err := s.migrate(ctx, db); err != nil {
		return errors.Join(err, db.Close())
	}
	r.db = db
	return nil
}

// migrate makes the service's tables, and those of its parts.
func (s *Service) migrate(ctx context.Context, db *store.Store) error {
	if s.migrations != nil {
		if err := db.Migrate(ctx, s.migrations); err != nil {
			return err
		}
	}
	for _, part := range s.parts {
		if err := db.MigrateFor(ctx, part.Name, part.Migrations); err != nil {
			return err
		}
		if part.Check == nil {
			continue
		}
		if err := part.Check(ctx, db); err != nil {
			return err
		}
	}
	return nil
}
