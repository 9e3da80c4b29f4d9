package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	// Shared allows several instances on one database in one process: for tests.
	Shared bool
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
	lane    *Lane
	release func() error
}

// Open opens, or creates, the database that dsn names: "sqlite:PATH", or a plain
// path. Tables of the framework are created or brought up to date.
func Open(ctx context.Context, dsn string, cfg Config) (*Store, error) {
	if cfg.Readers == 0 {
		cfg.Readers = 4
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Owner == "" {
		return nil, errors.New("open database: Config.Owner is empty, want the service's name")
	}
	path, err := sqlitePath(dsn)
	if err != nil {
		return nil, err
	}
	release := func() error { return nil }
	if !cfg.Shared {
		if release, err = lock.File(path + ".lock"); err != nil {
			return nil, fmt.Errorf("open database %s: %w", path, err)
		}
	}
	db, err := openSQLite(ctx, path, cfg)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), release())
	}
	s := &Store{cfg: cfg, db: db, release: release}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare database %s: %w", path, err), s.Close())
	}
	return s, nil
}

func sqlitePath(dsn string) (string, error) {
	path, found := strings.CutPrefix(dsn, "sqlite:")
	if scheme, _, other := strings.Cut(dsn, "://"); !found && other {
		return "", fmt.Errorf("open database: scheme %q is not supported, want sqlite:PATH", scheme)
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

// backend is what a kind of database has to offer: the seam between SQLite and
// PostgreSQL. exec and query run on the one write connection.
type backend interface {
	exec(ctx context.Context, query string, args []any) (int64, error)
	query(ctx context.Context, query string, args []any) (Rows, error)
	read(ctx context.Context, query string, args []any) (Rows, error)
	dialect() dialect
	close() error
}

// dialect is where the SQL of databases differs.
type dialect struct {
	begin string // starts a write transaction
	blob  string // type of a column of bytes
	id    string // type of a column that numbers rows
}

func millis(t time.Time) int64      { return t.UnixMilli() }
func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
