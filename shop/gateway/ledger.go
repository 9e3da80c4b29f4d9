package gateway

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/tutti-go/tutti/store"
)

//go:embed migrations
var migrations embed.FS

// Config tunes a simulator. Its zero value is the documented default.
type Config struct {
	// Unsynced trades durability for speed, and Shared allows a second instance in
	// the process: for tests in virtual time only.
	Unsynced, Shared bool
}

// errClosed is what calls get after Close.
var errClosed = errors.New("gateway is closed")

// ledger is a database that concurrent calls write in shared transactions.
type ledger struct {
	db *store.Store

	mu      sync.Mutex
	waiting []*entry
	writing bool // a goroutine writes what waits
	closed  bool
	idle    sync.WaitGroup // of that goroutine
}

// entry is one call's share of a transaction.
type entry struct {
	fn   func(ctx context.Context, tx *store.Tx) error
	done chan error
}

// openLedger opens the database at path with the tables of its kind.
func openLedger(ctx context.Context, path, kind string, cfg Config) (*ledger, error) {
	db, err := store.Open(ctx, path, store.Config{Owner: "gateway-" + kind, Unsynced: cfg.Unsynced, Shared: cfg.Shared})
	if err != nil {
		return nil, fmt.Errorf("open ledger of %s gateway: %w", kind, err)
	}
	files, err := fs.Sub(migrations, "migrations/"+kind)
	if err == nil {
		err = db.Migrate(ctx, files)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open ledger of %s gateway: %w", kind, err), db.Close())
	}
	return &ledger{db: db}, nil
}

// update runs fn in the next transaction and returns after the commit. If ctx ends
// before, fn may have its effect all the same. An error of fn fails all that
// share the transaction, so fn returns none but the database's.
func (l *ledger) update(ctx context.Context, fn func(ctx context.Context, tx *store.Tx) error) error {
	e := &entry{fn: fn, done: make(chan error, 1)}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return errClosed
	}
	l.waiting = append(l.waiting, e)
	if !l.writing {
		l.writing = true
		l.idle.Go(l.write)
	}
	l.mu.Unlock()
	select {
	case err := <-e.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write commits what waits, until nothing does.
func (l *ledger) write() {
	for {
		l.mu.Lock()
		batch := l.waiting
		l.waiting = nil
		l.writing = len(batch) > 0
		l.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		ctx := context.Background() // no caller's end may fail the others
		err := l.db.Update(ctx, func(tx *store.Tx) error {
			for _, e := range batch {
				if err := e.fn(ctx, tx); err != nil {
					return err
				}
			}
			return nil
		})
		for _, e := range batch {
			e.done <- err
		}
	}
}

// close waits for what is being written.
func (l *ledger) close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.idle.Wait()
	return l.db.Close()
}

const (
	lateAnswer = 5 * time.Second  // of what answers late
	noAnswer   = 30 * time.Second // until a call without an answer ends
)

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// silence is a call that gets no answer.
func silence(ctx context.Context) error {
	if err := pause(ctx, noAnswer); err != nil {
		return err
	}
	return errors.New("gateway does not answer")
}

// reference is the other side's own name for what it did under a key.
func reference(prefix, key string) string {
	sum := sha256.Sum256([]byte(key))
	return prefix + hex.EncodeToString(sum[:8])
}
