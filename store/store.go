package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/lock"
)

// Errors that callers decide by.
var (
	// ErrNoRows is what Scan of a [Row] returns where the query found nothing.
	ErrNoRows = errors.New("no rows")
	// ErrFenced says that another instance has taken over what this one was
	// working on: a position has moved, or its lane was adopted. The transaction
	// is rolled back.
	ErrFenced = errors.New("fenced: another instance has taken over")
	// ErrUndeclared says that a service publishes what it did not declare.
	ErrUndeclared = errors.New("undeclared")
	// ErrConflict says that a transaction got in the way of another one, as
	// databases tell it that several instances share. Nothing is wrong with what is
	// in it: it is rolled back, and has to be run again from its beginning.
	ErrConflict = errors.New("conflict with another transaction")
)

// Config tunes a store. Its zero value is the documented default.
type Config struct {
	// Owner names the service; it is part of the names of lanes. Required.
	Owner string
	// Publishes is what the service declared. A transaction refuses to append
	// anything else.
	Publishes map[event.Contract]bool
	// Partition maps a topic and key to the partition that the message goes to.
	// Required to publish.
	Partition func(topic, key string) (int32, error)
	// Claim says whether there is room to run a job of a kind right after the
	// commit; others wait in the table. Default: no.
	Claim func(kind string) bool
	// Readers is how many connections serve reads outside the loop; default 4.
	Readers int
	// Unsynced trades durability for speed: for tests in virtual time only.
	Unsynced bool
	// Shared allows several instances on one SQLite database in one process: for
	// tests. PostgreSQL is shared always.
	Shared bool
	// Now is the clock, for tests; default time.Now.
	Now func() time.Time
	// Existing makes no database: where there is none, Open returns fs.ErrNotExist.
	Existing bool
	// Logger defaults to slog.Default.
	Logger *slog.Logger
}

// Store is a service's own database. One goroutine at a time, the service's
// loop, may hold its write transaction; reads go on beside it.
type Store struct {
	cfg     Config
	db      backend
	name    string // Owner.incarnation: the prefix of lane names
	tx      sync.Mutex
	scratch scratch // of the transaction that has tx
	lane    *Lane
	shared  bool // other instances may have the database open
	release func() error
}

// Open opens, or creates, the database that dsn names: "sqlite:PATH", a plain path,
// or "postgres://user:password@host:port/database". Tables of the framework are
// created or brought up to date.
//
// On PostgreSQL, tables are in a schema of the owner's name, or in the one that the
// URL names, as in "…/database?search_path=name"; it is made if it is missing.
func Open(ctx context.Context, dsn string, cfg Config) (*Store, error) {
	if cfg.Readers == 0 {
		cfg.Readers = 4
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Owner == "" {
		return nil, errors.New("open database: Config.Owner is empty, want the service's name")
	}
	s, place := &Store{cfg: cfg, release: func() error { return nil }}, ""
	if isPostgres(dsn) {
		db, err := openPostgres(ctx, dsn, cfg)
		if err != nil {
			return nil, err
		}
		s.db, place = db, db.place
	} else {
		db, err := s.openFile(ctx, dsn)
		if err != nil {
			return nil, err
		}
		s.db, place = db, db.path
	}
	s.shared = cfg.Shared || s.db.dialect().shared
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare database %s: %w", place, err), s.Close())
	}
	return s, nil
}

func (s *Store) openFile(ctx context.Context, dsn string) (*sqlite, error) {
	path, err := sqlitePath(dsn)
	if err != nil {
		return nil, err
	}
	if !s.cfg.Shared {
		if s.release, err = lock.File(path + ".lock"); err != nil {
			return nil, fmt.Errorf("open database %s: %w", path, err)
		}
	}
	if s.cfg.Existing {
		if _, err := os.Stat(path); err != nil {
			return nil, errors.Join(fmt.Errorf("open database: %w", err), s.release())
		}
	}
	db, err := openSQLite(ctx, path, s.cfg)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), s.release())
	}
	return db, nil
}

func sqlitePath(dsn string) (string, error) {
	path, found := strings.CutPrefix(dsn, "sqlite:")
	_, _, other := strings.Cut(dsn, "://")
	scheme, _, _ := strings.Cut(dsn, ":")
	if nearly := strings.ToLower(scheme); !found && (other || nearly == "postgres" || nearly == "postgresql") {
		return "", fmt.Errorf("open database: %q begins no URL that is supported, want sqlite:PATH or postgres://user@host/database", scheme+":")
	}
	if path == "" {
		return "", errors.New("open database: path is empty, want sqlite:PATH")
	}
	return path, nil
}

// Close ends all connections. An open transaction is rolled back.
func (s *Store) Close() error {
	return errors.Join(s.db.close(), s.release())
}

// Name identifies the service and this incarnation of its database. It changes
// when the database is created anew.
func (s *Store) Name() string { return s.name }

// HasTable reports whether there is a table of a name.
func (s *Store) HasTable(ctx context.Context, name string) (bool, error) {
	var n int
	err := s.Reader().QueryRow(ctx, s.db.dialect().tables, name).Scan(&n)
	return n > 0, err
}

// Querier reads. Queries use $1, $2, … for their arguments on every database.
type Querier interface {
	// Query runs a query; the caller closes the rows.
	Query(ctx context.Context, query string, args ...any) (Rows, error)
	// QueryRow runs a query of at most one row.
	QueryRow(ctx context.Context, query string, args ...any) Row
}

// Rows are the result of a query.
type Rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close() error
}

// Row is the first row of a query's result.
type Row struct {
	rows Rows
	err  error
}

// NewRow is the first row of rows, or the error of the query.
func NewRow(rows Rows, err error) Row { return Row{rows, err} }

// Scan copies the row's columns, or returns [ErrNoRows].
func (r Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	return r.rows.Close()
}

// Collect runs a query and scans every row with scan.
func Collect[T any](ctx context.Context, q Querier, scan func(Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return out, rows.Close()
}

// Reader reads the last committed state, beside the loop and any number of other
// readers.
func (s *Store) Reader() Querier { return reader{s.db} }

type reader struct{ db backend }

func (r reader) Query(ctx context.Context, query string, args ...any) (Rows, error) {
	return r.db.read(ctx, query, args)
}

func (r reader) QueryRow(ctx context.Context, query string, args ...any) Row {
	rows, err := r.db.read(ctx, query, args)
	return Row{rows, err}
}

// Shared reports whether other instances may use the database at the same time.
func (s *Store) Shared() bool { return s.shared }

// backend is what a kind of database has to offer: the seam between SQLite and
// PostgreSQL. All but read and alone run in the one write transaction.
type backend interface {
	begin(ctx context.Context) error
	commit(ctx context.Context) error
	rollback(ctx context.Context) error
	// savepoint begins what undo can undo; release ends it, and reports what of it
	// has failed: once constraints have failed at a commit, also those that are
	// deferred. Where nobody waits for that, it may surface later: not confirm.
	savepoint(ctx context.Context) error
	release(ctx context.Context, confirm bool) error
	undo(ctx context.Context) error
	// exec returns how many rows were changed; queue may run the statement later,
	// together with the next ones.
	exec(ctx context.Context, query string, args []any) (int64, error)
	queue(ctx context.Context, query string, args []any) error
	// insertJobs stores jobs of a lane, unless they are there. It may be queued, too:
	// which of them are known is said at the commit.
	insertJobs(ctx context.Context, lane int64, jobs []*jobChange) error
	// expect is queue for a statement without which nothing may be committed unless
	// it changes n rows: the transaction then fails with otherwise.
	expect(ctx context.Context, query string, args []any, n int, otherwise error) error
	query(ctx context.Context, query string, args []any) (Rows, error)
	// failure is the first failure of a statement of this transaction, if it has left
	// the transaction of no use.
	failure() error
	booking()      // what follows is bookkeeping
	patient()      // what follows may take its time
	inDoubt() bool // after a commit that failed: it may have succeeded

	read(ctx context.Context, query string, args []any) (Rows, error)
	alone(ctx context.Context, fn func() error) error // beside no other instance's
	// grip ties a lane to the writing connection, unless it is tied to another's. It
	// reports whether it was free. loose undoes it.
	grip(ctx context.Context, lane int64) (bool, error)
	loose(ctx context.Context, lane int64) error
	dialect() dialect
	close() error
}

// dialect is where databases differ.
type dialect struct {
	name   string // as conditional comments of migrations say it
	blob   string // type of a column of bytes
	id     string // type of a column that numbers rows
	shared bool   // several instances may use it
	bulk   bool   // it takes arrays
	clock  string // the time in milliseconds that all instances share; empty: their own
	tables string // counts the tables of a name
}

func millis(t time.Time) int64      { return t.UnixMilli() }
func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
