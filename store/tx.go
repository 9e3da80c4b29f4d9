package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/tutti-go/tutti/event"
)

// Tx is the transaction in which handlers run, and in which the positions and
// the outgoing messages are stored with their effects. It is used by one
// goroutine at a time.
//
// Queries use $1, $2, … for their arguments on every database.
type Tx struct {
	s     *Store
	now   time.Time
	cause event.Cause
	scope int // counts the messages and requests handled in this transaction

	out    []pending
	size   int          // bytes of their bodies
	jobs   []*jobChange // what is added is handed to workers after the commit
	stored int          // so many of jobs
	then   []func()     // to be called after the commit
	done   bool
}

// pending is an appended message that the commit completes.
type pending struct {
	event.Outgoing
	cause event.Cause
	scope int
}

// Begin starts the write transaction. It waits for the one before it.
func (s *Store) Begin(ctx context.Context) (*Tx, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.tx.Lock()
	if err := s.db.begin(ctx); err != nil {
		s.tx.Unlock()
		return nil, fmt.Errorf("begin transaction: %w", err)
	}
	return &Tx{s: s, out: s.scratch.out, now: s.cfg.Now().UTC().Truncate(time.Millisecond)}, nil
}

// Update runs fn in a transaction of its own, for work outside a service's loop.
// What fn appends is in the outbox when Update returns. It may run fn more than
// once, so fn must have no effects beside the transaction.
func (s *Store) Update(ctx context.Context, fn func(tx *Tx) error) error {
	return s.update(ctx, Books{}, fn)
}

// Sweep deletes the batches of the outbox up to sent.
func (s *Store) Sweep(ctx context.Context, sent int64) error {
	return s.update(ctx, Books{Sent: sent}, func(*Tx) error { return nil })
}

// update runs fn in a transaction, again where that got in the way of another's.
func (s *Store) update(ctx context.Context, books Books, fn func(tx *Tx) error) error {
	const most = 20
	for attempt := 1; ; attempt++ {
		err := s.tryUpdate(ctx, books, fn)
		if attempt == most || !errors.Is(err, ErrConflict) || ctx.Err() != nil {
			return err
		}
		time.Sleep(rand.N(time.Duration(attempt) * 5 * time.Millisecond))
	}
}

func (s *Store) tryUpdate(ctx context.Context, books Books, fn func(tx *Tx) error) error {
	tx, err := s.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := fn(tx); err != nil {
		return cmp.Or(tx.Again(), err)
	}
	_, err = tx.Commit(ctx, books)
	return err
}

// Now is the transaction's time, to the millisecond. Handlers take it as the
// present, so that what one transaction writes has one time.
func (tx *Tx) Now() time.Time { return tx.now }

// Cause is what messages appended now carry as their cause.
func (tx *Tx) Cause() event.Cause { return tx.cause }

// Handling says because of what the following messages and jobs are written.
func (tx *Tx) Handling(c event.Cause) {
	tx.cause = bounded(c)
	tx.scope++
}

const maxCause = 1024 // bytes of what a message passes on of its cause, each

// bounded leaves out what a foreign producer made too long to be passed on: with it,
// a message could be larger than Kafka takes, and hold up all that follow it.
func bounded(c event.Cause) event.Cause {
	if len(c.CorrelationID) > maxCause {
		c.CorrelationID = c.ID
	}
	if len(c.TraceParent) > maxCause {
		c.TraceParent, c.TraceState = "", ""
	}
	if len(c.TraceState) > maxCause {
		c.TraceState = ""
	}
	return c
}

// Exec runs a statement whose outcome is not needed. Databases behind a network
// may pipeline it; its error then surfaces at the next query or at the commit.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return tx.s.db.queue(ctx, query, args)
}

// Affected runs a statement and returns how many rows it changed.
func (tx *Tx) Affected(ctx context.Context, query string, args ...any) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return tx.s.db.exec(ctx, query, args)
}

// Expect runs a statement that has to change n rows: where it does not, the
// transaction fails with otherwise, here or, where statements are pipelined, at the
// next query or the commit. An otherwise that wraps [ErrConflict] has the transaction
// run again.
func (tx *Tx) Expect(ctx context.Context, n int, otherwise error, query string, args ...any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return tx.s.db.expect(ctx, query, args, n, otherwise)
}

// AfterCommit has fn called once the transaction has committed, on the goroutine
// that committed it. What a savepoint undoes takes its calls back.
func (tx *Tx) AfterCommit(fn func()) { tx.then = append(tx.then, fn) }

// Query runs a query that sees what this transaction has written.
func (tx *Tx) Query(ctx context.Context, query string, args ...any) (Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return tx.s.db.query(ctx, query, args)
}

// QueryRow runs a query of at most one row that sees what this transaction has
// written.
func (tx *Tx) QueryRow(ctx context.Context, query string, args ...any) Row {
	rows, err := tx.Query(ctx, query, args...)
	return Row{rows, err}
}

// Append adds a message that is sent if and only if the transaction commits.
// Services call [event.Publish].
func (tx *Tx) Append(m event.Outgoing) error {
	switch {
	case !tx.s.cfg.Publishes[m.Contract]:
		return fmt.Errorf("%w: service %s does not declare that it publishes %s: call event.Publishes", ErrUndeclared, tx.s.cfg.Owner, m.Contract)
	case m.Key == "" || len(m.Key) > event.MaxKey:
		return event.Reject(fmt.Errorf("key is %d bytes long, want 1 to %d", len(m.Key), event.MaxKey))
	case len(m.Data) > event.MaxData:
		return event.Reject(fmt.Errorf("body is %d bytes long, want at most %d", len(m.Data), event.MaxData))
	case tx.size+len(m.Data) > maxAppended:
		return fmt.Errorf("the transaction has appended %d bytes, and takes at most %d", tx.size, maxAppended)
	}
	tx.out = append(tx.out, pending{m, tx.cause, tx.scope})
	tx.size += len(m.Data)
	return nil
}

// maxAppended is how many bytes of bodies a transaction takes: a row of the outbox has
// them all, and no database takes one of a gigabyte.
const maxAppended = 256 << 20

// Appended is how many bytes of bodies were appended.
func (tx *Tx) Appended() int { return tx.size }

// NextID is the id that the message has which is appended next, in a service's
// transaction.
func (tx *Tx) NextID() string { return tx.s.lane.id(tx.s.lane.ids + int64(len(tx.out)) + 1) }

// Savepoint runs fn such that its failure undoes only what fn did. An error of
// fn is returned as it is; broken says that the transaction itself failed and can
// only be rolled back: also where fn failed because of [ErrUnavailable].
func (tx *Tx) Savepoint(ctx context.Context, fn func() error) (err error, broken error) {
	return tx.apart(ctx, fn, true)
}

// Apart is Savepoint without waiting to hear whether all that fn wrote succeeded, which
// is a round trip on PostgreSQL. If something did not, the transaction fails as [Late],
// and everything in it is to be run again, in savepoints.
func (tx *Tx) Apart(ctx context.Context, fn func() error) (err error, broken error) {
	return tx.apart(ctx, fn, false)
}

func (tx *Tx) apart(ctx context.Context, fn func() error, confirm bool) (err error, broken error) {
	out, size, jobs, stored, then := len(tx.out), tx.size, len(tx.jobs), tx.stored, len(tx.then)
	if err := tx.s.db.savepoint(ctx); err != nil {
		return nil, fmt.Errorf("savepoint: %w", err)
	}
	err = fn()
	if err == nil && confirm {
		err = tx.storeJobs(context.WithoutCancel(ctx))
	}
	if err == nil {
		err = tx.s.db.release(context.WithoutCancel(ctx), confirm)
	}
	if err == nil {
		return nil, nil
	}
	clear(tx.out[out:]) // its memory is used again
	tx.out, tx.size, tx.jobs, tx.stored, tx.then = tx.out[:out], size, tx.jobs[:jobs], stored, tx.then[:then]
	if back := tx.s.db.undo(context.WithoutCancel(ctx)); back != nil {
		return err, fmt.Errorf("roll back to savepoint: %w", back)
	}
	if errors.Is(err, ErrUnavailable) {
		return err, err
	}
	return err, nil
}

// Again is why the transaction has to be run again as a whole, whatever became of
// that error in the code that met it: [ErrConflict], [ErrUnavailable] or one that is
// [Ended], and nil if none of them happened. Nothing more can be done in such a
// transaction, and its commit fails.
func (tx *Tx) Again() error {
	if tx.done {
		return nil
	}
	err := tx.s.db.failure()
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrUnavailable) || Ended(err) {
		return err
	}
	return nil
}

// Rollback undoes the transaction. After a commit it does nothing.
func (tx *Tx) Rollback() {
	if tx.done {
		return
	}
	tx.done = true
	// A connection that cannot roll back is replaced by the backend.
	if err := tx.s.db.rollback(context.Background()); err != nil {
		tx.s.cfg.Logger.Warn("roll back transaction", "error", err)
	}
	tx.s.scratch.keep(tx)
	tx.s.tx.Unlock()
}

// scratch is memory that each transaction leaves to the next.
type scratch struct {
	out []pending
	packer
}

func (s *scratch) keep(tx *Tx) {
	const mostOut = 16 << 10 // messages
	clear(tx.out)
	if s.out = tx.out[:0]; cap(s.out) > mostOut {
		s.out = nil
	}
	s.forget()
	tx.out = nil
}

// Books is the bookkeeping that one transaction stores beside the effects.
type Books struct {
	// Advance moves positions. If one is not where Advance expects it, the
	// transaction fails with [ErrFenced].
	Advance []Advance
	// Seen raises the highest sequence numbers seen.
	Seen []Seen
	// Closed and Opened change what is known to be missing, in this order.
	Closed, Opened []Gap
	// Sent is the last batch of the outbox that Kafka has acknowledged with all
	// before it: these are deleted.
	Sent int64
}

// Committed is what a commit leaves to be done.
type Committed struct {
	// Batch numbers the outbox row; 0 if nothing was appended.
	Batch  int64
	Events []Sendable
	// Jobs were added and are due now.
	Jobs []Job
}

// Commit stores the books and what was appended, and commits. If it fails,
// everything is rolled back. Where the answer of the database is lost, Commit waits
// until it knows whether the transaction was committed.
func (tx *Tx) Commit(ctx context.Context, b Books) (Committed, error) {
	if tx.done {
		return Committed{}, errors.New("commit: the transaction has ended")
	}
	err := late(tx.storeJobs(ctx)) // or what handlers have queued before
	tx.s.db.booking()
	var c Committed
	var keep func()
	if err == nil {
		c, keep, err = tx.write(ctx, b)
	}
	if err != nil {
		tx.Rollback()
		return Committed{}, err
	}
	if err := tx.s.db.commit(context.WithoutCancel(ctx)); err != nil {
		if tx.s.db.inDoubt() && tx.s.lane != nil {
			err = tx.s.settle(ctx, err)
		}
		if err != nil {
			tx.Rollback()
			return Committed{}, fmt.Errorf("commit transaction: %w", err)
		}
	}
	keep()
	c.Jobs = added(tx.jobs)
	tx.done = true
	tx.s.scratch.keep(tx)
	tx.s.tx.Unlock()
	for _, fn := range tx.then {
		fn()
	}
	return c, nil
}

// write stores the books and the outbox; keep makes the lane's new counters
// current once the commit has succeeded.
func (tx *Tx) write(ctx context.Context, b Books) (c Committed, keep func(), err error) {
	if err := tx.advance(ctx, b); err != nil {
		return c, nil, err
	}
	if err := tx.storeGaps(ctx, b); err != nil {
		return c, nil, err
	}
	return tx.appendOutbox(ctx, b.Sent)
}
