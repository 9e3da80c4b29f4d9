package service

import (
	"context"
	"time"

	"github.com/tutti-go/tutti/store"
)

// guards hold off the hazards that docs/architecture.md lists. Tests switch one off
// to show that it is needed: then their simulation fails.
type guards struct {
	duplicates bool // drop events that were seen
	gaps       bool // drop events after one that is missing
	again      bool // after a failed send, send all that follows it again
	first      bool // let nothing of a lane land before its first event
	resend     bool // send what the last holder of the lane left unsent
	checks     bool // compare database and log at the start
	heads      bool // do not begin behind what the log has lost at its head
	keys       bool // park what follows a parked record of its key
	turns      bool // publish nothing while the last holder of a partition has events to send
}

var allGuards = guards{duplicates: true, gaps: true, again: true, first: true, resend: true, checks: true, heads: true, keys: true, turns: true}

// hooks are for tests of this package; each may be nil.
type hooks struct {
	// commit may change what is about to be committed: to undo the fences.
	commit func(ctx context.Context, tx *store.Tx, books *store.Books) error
	// send may make an event fail by itself, as clients can that send without
	// idempotence: err is what its sender is told, and landed whether it is written.
	send func(e *store.Sendable) (landed bool, err error)
	// now is the clock of the machine; nil: the real one.
	now func() time.Time
	// look is how often topics are looked after; 0: as always.
	look time.Duration
}
