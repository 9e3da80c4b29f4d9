package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pipeline is the statements of a transaction that have not been sent: those
// without a result are, in one round trip, with the next that has one.
type pipeline struct {
	batch   pgconn.Batch
	queued  []statement
	size    int // bytes of arguments queued
	begun   bool
	failed  error // the first failure since the transaction or its savepoint began
	books   int   // statements queued before the bookkeeping; -1 while there is none
	doubt   bool  // COMMIT was sent, and nobody knows
	checks  bool  // constraints have failed at a COMMIT before: savepoints are to check theirs
	builder pgx.ExtendedQueryBuilder

	wanted bool // a savepoint, before the next statement
	since  int  // where the savepoint is among those queued
	older  bool // what failed was queued before the savepoint
}

// statement is one that is queued.
type statement struct {
	text      string
	done      func(*pgconn.Result)
	otherwise error // if it does not change as many rows as it has to
}

const (
	mostQueued = 1000    // statements
	sizeQueued = 1 << 20 // bytes
)

// lateError is the failure of a handler's statement that the handler was not told
// of: it was pipelined.
type lateError struct{ error }

func (e lateError) Unwrap() error { return e.error }

// Late reports whether an error is the failure of a statement that was written by
// [Tx.Exec] before, and has not surfaced there: it was pipelined, or a constraint is
// deferred that it does not meet. Once that has happened, a savepoint fails if what is in
// it does not meet such constraints.
func Late(err error) bool {
	var late lateError
	return errors.As(err, &late)
}

// late says of an error that it may be that of a statement before. What concerns all of
// the transaction stays as it is.
func late(err error) error {
	for _, all := range []error{ErrConflict, ErrUnavailable, ErrFenced} {
		if errors.Is(err, all) {
			return err
		}
	}
	if err == nil || Late(err) {
		return err
	}
	return lateError{err}
}

const beginWrite = "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE"

func (p *postgres) begin(ctx context.Context) error {
	if err := p.connect(ctx); err != nil {
		return err
	}
	p.reset()
	p.begun, p.failed, p.doubt, p.books, p.older = false, nil, false, -1, false
	p.hurried = p.most > 0
	p.control(beginWrite)
	p.replan()
	return nil
}

// patient lets the statements of this transaction take their time, as those of migrations.
func (p *postgres) patient() {
	p.control("SET LOCAL statement_timeout = 0")
	p.hurried = false
}

// roundTrip bounds one round trip: the server ends statements before, if it does not hang.
func (p *postgres) roundTrip() (context.Context, context.CancelFunc) {
	if !p.hurried {
		return context.WithCancel(context.Background())
	}
	return context.WithTimeout(context.Background(), p.most*3/2)
}

func (p *pipeline) reset() {
	p.batch, p.queued, p.size, p.since = pgconn.Batch{}, p.queued[:0], 0, 0
}

// control queues a statement that begins or ends something.
func (p *pipeline) control(text string) {
	p.batch.ExecParams(text, nil, nil, nil, nil)
	p.queued = append(p.queued, statement{text: text})
}

// add queues a statement, prepared once on this connection.
func (p *postgres) add(query string, args []any, s statement) error {
	if p.failed != nil {
		return p.failed
	}
	if err := storable(args); err != nil {
		return err
	}
	if p.wanted { // also what cannot be prepared is undone with it
		p.wanted, p.since = false, len(p.queued)
		p.control("SAVEPOINT tutti")
	}
	sd, err := p.prepared(query)
	if err != nil {
		return err
	}
	if err := p.builder.Build(p.conn.TypeMap(), sd, args); err != nil {
		return fmt.Errorf("%w in: %s", err, clip(query))
	}
	p.batch.ExecStatement(sd, p.builder.ParamValues, p.builder.ParamFormats, p.builder.ResultFormats)
	for _, v := range p.builder.ParamValues {
		p.size += len(v)
	}
	s.text = query
	p.queued = append(p.queued, s)
	return nil
}

// prepared returns the statement for a query text. What is queued is sent before a
// new one is prepared: it may make the tables that the new one is about.
func (p *postgres) prepared(query string) (*pgconn.StatementDescription, error) {
	if sd, ok := p.stmts[query]; ok {
		return sd, nil
	}
	if _, err := p.flush(); err != nil {
		return nil, late(err)
	}
	ctx, cancel := p.roundTrip()
	defer cancel()
	if len(p.stmts) >= maxStatements {
		if err := p.conn.PgConn().Exec(ctx, "DEALLOCATE ALL").Close(); err != nil {
			return nil, p.fail(err, "DEALLOCATE ALL")
		}
		clear(p.stmts)
	}
	sd, err := p.conn.PgConn().Prepare(ctx, "tutti_"+strconv.Itoa(len(p.stmts)), query, nil)
	if err != nil {
		return nil, p.fail(err, query)
	}
	p.stmts[query] = sd
	return sd, nil
}

func (p *postgres) fail(err error, text string) error {
	p.failed = p.classify(err, text)
	return p.failed
}

// flush sends what is queued, and returns the result of the last statement.
func (p *postgres) flush() (last *pgconn.Result, err error) {
	if p.failed != nil {
		return nil, p.failed
	}
	if len(p.queued) == 0 {
		return nil, nil
	}
	p.begun = true
	ctx, cancel := p.roundTrip()
	defer cancel()
	results := p.conn.PgConn().ExecBatch(ctx, &p.batch)
	n := 0
	for results.NextResult() {
		r := results.ResultReader().Read()
		if r.Err != nil {
			break
		}
		last = r
		if done := p.queued[n].done; done != nil {
			done(r)
		}
		n++
	}
	err = results.Close()
	if err == nil {
		p.reset()
		if p.books > 0 {
			p.books = 0
		}
		return last, nil
	}
	var s statement
	if n < len(p.queued) {
		s = p.queued[n]
	}
	atCommit := s.text == "COMMIT" && errors.As(err, new(*pgconn.PgError))
	p.checks = p.checks || atCommit
	other := p.books < 0 && n < len(p.queued)-1 // than the one whose result is asked for
	before := other || p.books >= 0 && (n < p.books || atCommit)
	p.older = n < p.since
	p.reset()
	var e *pgconn.PgError
	if s.otherwise != nil && errors.As(err, &e) && e.Code == "22012" {
		p.failed = s.otherwise
		return nil, p.failed
	}
	if err = p.fail(err, s.text); before {
		err = late(err)
	}
	return nil, err
}

// queue runs a statement some time before the next result or the commit.
func (p *postgres) queue(_ context.Context, query string, args []any) error {
	return p.later(query, args, statement{})
}

func (p *postgres) later(query string, args []any, s statement) error {
	if err := p.add(query, args, s); err != nil {
		return err
	}
	if len(p.queued) < mostQueued && p.size < sizeQueued {
		return nil
	}
	_, err := p.flush()
	return err
}

// expect queues a statement that has to change n rows, or the transaction fails
// with otherwise. The server decides it, so that nothing waits for the answer: a
// division by zero ends the transaction before its COMMIT.
func (p *postgres) expect(_ context.Context, query string, args []any, n int, otherwise error) error {
	args = append(args[:len(args):len(args)], int64(n))
	query = fmt.Sprintf(`WITH changed AS (%s RETURNING 1) SELECT 1 / (CASE WHEN COUNT(*) = $%d::bigint THEN 1 ELSE 0 END) FROM changed`, query, len(args))
	return p.add(query, args, statement{otherwise: otherwise})
}

func (p *postgres) exec(_ context.Context, query string, args []any) (int64, error) {
	if err := p.add(query, args, statement{}); err != nil {
		return 0, err
	}
	r, err := p.flush()
	if err != nil {
		return 0, err
	}
	return r.CommandTag.RowsAffected(), nil
}

func (p *postgres) query(_ context.Context, query string, args []any) (Rows, error) {
	if err := p.add(query, args, statement{}); err != nil {
		return nil, err
	}
	r, err := p.flush()
	if err != nil {
		return nil, err
	}
	return &fetched{types: p.conn.TypeMap(), fields: r.FieldDescriptions, rows: r.Rows}, nil
}

func (p *postgres) savepoint(context.Context) error {
	if p.failed != nil {
		return p.failed
	}
	p.wanted = true
	return nil
}

func (p *postgres) release(_ context.Context, confirm bool) error {
	if p.wanted || p.failed != nil { // nothing was done, or nothing more can be
		p.wanted = false
		return p.failed
	}
	if !confirm && !p.checks {
		p.control("RELEASE SAVEPOINT tutti")
		return nil
	}
	if p.checks { // and those after it may defer theirs again
		p.control("SAVEPOINT tutti_checks")
		p.control("SET CONSTRAINTS ALL IMMEDIATE")
		p.control("ROLLBACK TO SAVEPOINT tutti_checks")
	}
	p.control("RELEASE SAVEPOINT tutti")
	_, err := p.flush()
	return err
}

// undo undoes what was done since the savepoint. Where what failed is older than
// that, undo fails: the savepoint was never made, and the name may be that of another.
func (p *postgres) undo(context.Context) error {
	if p.wanted && p.failed == nil {
		p.wanted = false
		return nil
	}
	if errors.Is(p.failed, ErrConflict) || errors.Is(p.failed, ErrUnavailable) {
		return p.failed // what concerns all of the transaction
	}
	if p.failed == nil { // what was queued before the savepoint has to stay
		_, err := p.back()
		if err == nil || p.failed == nil || errors.Is(err, ErrConflict) || errors.Is(err, ErrUnavailable) {
			return err
		}
	}
	if p.older || p.wanted {
		return lateError{p.failed}
	}
	before := p.failed
	p.reset()
	p.failed = nil
	if _, err := p.back(); err != nil {
		return fmt.Errorf("%w, after %w", err, before)
	}
	return nil
}

func (p *postgres) back() (*pgconn.Result, error) {
	p.control("ROLLBACK TO SAVEPOINT tutti")
	p.control("RELEASE SAVEPOINT tutti")
	return p.flush()
}

func (p *postgres) failure() error { return p.failed }

// booking says that what follows is bookkeeping.
func (p *postgres) booking() { p.books = len(p.queued) }

func (p *postgres) commit(context.Context) error {
	p.control("COMMIT")
	r, err := p.flush()
	switch {
	case err != nil:
		p.doubt = p.conn.IsClosed()
		return err
	case r.CommandTag.String() != "COMMIT": // the server has rolled it back
		return errors.New("the transaction had failed before")
	}
	p.begun = false
	return nil
}

// inDoubt reports whether the transaction may have been committed although commit
// failed.
func (p *postgres) inDoubt() bool { return p.doubt }

func (p *postgres) rollback(context.Context) error {
	p.reset()
	p.failed = nil
	if !p.begun || p.conn.IsClosed() {
		return nil
	}
	p.begun = false
	p.control("ROLLBACK")
	if _, err := p.flush(); err != nil { // the connection is of no use any more
		_ = p.conn.Close(context.Background())
		return err
	}
	p.begun = false
	return nil
}
