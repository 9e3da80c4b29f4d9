package service

import (
	"context"
	"errors"
	"time"

	"github.com/tutti-go/tutti/store"
)

// Guard is one of those that tests can switch off.
type Guard string

// The guards, each against a hazard of docs/architecture.md.
const (
	GuardDuplicates Guard = "duplicates are dropped"
	GuardGaps       Guard = "what follows a gap is dropped"
	GuardAgain      Guard = "what follows a failed event is sent again"
	GuardFirst      Guard = "nothing lands before the first event of a lane"
	GuardResend     Guard = "the outbox is sent after a crash"
	GuardChecks     Guard = "database and log are compared at the start"
	GuardHeads      Guard = "nothing begins behind what the log has lost"
	GuardKeys       Guard = "what follows a parked record waits"
	GuardTurns      Guard = "the last holder's events are waited for"
	GuardPositions  Guard = "a moved position fences"
	GuardLanes      Guard = "an adopted lane fences"
)

// Without switches a guard off. It is called before Run.
func Without(g Guard, s *Service) {
	switch off := &s.cfg.guards; g {
	case GuardDuplicates:
		off.duplicates = false
	case GuardGaps:
		off.gaps = false
	case GuardAgain:
		off.again = false
	case GuardFirst:
		off.first = false
	case GuardResend:
		off.resend = false
	case GuardChecks:
		off.checks = false
	case GuardHeads:
		off.heads = false
	case GuardKeys:
		off.keys = false
	case GuardTurns:
		off.turns = false
	case GuardPositions:
		s.cfg.hooks.commit = followPositions
	case GuardLanes:
		s.cfg.hooks.commit = s.takeBack()
	default:
		panic("no guard: " + g)
	}
}

// followPositions makes a transaction move positions from wherever they are.
func followPositions(ctx context.Context, tx *store.Tx, books *store.Books) error {
	for i := range books.Advance {
		a := &books.Advance[i]
		err := tx.QueryRow(ctx, `SELECT next FROM tutti_position WHERE topic = $1 AND part = $2`, a.Topic, a.Number).Scan(&a.From)
		a.New = errors.Is(err, store.ErrNoRows)
		if err != nil && !a.New {
			return err
		}
	}
	return nil
}

// takeBack returns a hook that makes the lane this instance's own before each commit.
func (s *Service) takeBack() func(context.Context, *store.Tx, *store.Books) error {
	var epoch int64
	return func(ctx context.Context, tx *store.Tx, _ *store.Books) error {
		number := s.loop.lane
		if epoch == 0 { // the first commit comes before anyone else can take it
			return tx.QueryRow(ctx, `SELECT epoch FROM tutti_lane WHERE lane = $1`, number).Scan(&epoch)
		}
		return tx.Exec(ctx, `UPDATE tutti_lane SET epoch = $1, commits = 0 WHERE lane = $2`, epoch, number)
	}
}

// LookAfterTopics sets how often a service looks whether its topics are there.
func LookAfterTopics(s *Service, every time.Duration) { s.cfg.hooks.look = every }

// FailSends makes events fail to be sent by themselves: fail says what the sender of
// the event of a number is told, and whether it is written all the same.
func FailSends(s *Service, fail func(seq int64) (landed bool, err error)) {
	s.cfg.hooks.send = func(e *store.Sendable) (bool, error) { return fail(e.Seq) }
}

// Jittered is the delay before an attempt.
func Jittered(base, limit time.Duration, n int) time.Duration {
	return newJitter(0).before(n, base, limit)
}

// Conflicts makes transactions that handle so many records get in the way of another's.
func Conflicts(s *Service, conflict func(records int64) bool) {
	s.cfg.hooks.commit = func(_ context.Context, _ *store.Tx, books *store.Books) error {
		var n int64
		for _, a := range books.Advance {
			n += a.To - a.From
		}
		if conflict(n) {
			return store.ErrConflict
		}
		return nil
	}
}

// Clock makes a service's machine have a clock of its own.
func Clock(s *Service, now func() time.Time) { s.cfg.hooks.now = now }
