package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	sqlite3 "modernc.org/sqlite"
)

// sqlite is one writing connection with its prepared statements, and a pool of
// readers.
type sqlite struct {
	path    string
	pool    *sql.DB // of the writer: one connection
	writer  *sql.Conn
	stmts   map[string]prepared
	readers *sql.DB
	file    os.FileInfo // of path, when it was opened

	mu    sync.Mutex
	reads map[string]*sql.Stmt // prepared on the readers

	results []*sql.Rows // of this transaction, to be closed with it

	open     bool  // a transaction was begun
	ended    bool  // and SQLite has rolled it back by itself
	failed   error // why nothing more may be done in it
	checks   bool  // constraints have failed at a COMMIT before: savepoints are to check theirs
	dangling bool  // some were not met when the savepoint began
}

// prepared is a statement, and which argument each of its placeholders stands for.
type prepared struct {
	*sql.Stmt
	order []int
}

const maxStatements = 512 // prepared on the writer, and on the readers; more than that are generated texts

func openSQLite(ctx context.Context, path string, cfg Config) (*sqlite, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	sync := "FULL"
	if cfg.Unsynced {
		sync = "OFF"
	}
	// Small caches: the operating system keeps the file's pages anyway, once for all
	// connections, and gives them back. A cached page takes 8 KB: allocations of a page
	// and its header are rounded up to a power of two.
	pool, err := sql.Open("sqlite", sqliteURL(path, "busy_timeout(5000)", "journal_mode(WAL)", "synchronous("+sync+")",
		"foreign_keys(ON)", "cache_size(-2048)", "wal_autocheckpoint(4000)"))
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	writer, err := pool.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w (is the file a SQLite database, on a writable disk that is not full?)", closing(pool, err))
	}
	readers, err := sql.Open("sqlite", sqliteURL(path, "busy_timeout(5000)", "query_only(ON)", "cache_size(-1024)"))
	if err != nil {
		return nil, closing(pool, err)
	}
	readers.SetMaxOpenConns(cfg.Readers)
	readers.SetMaxIdleConns(cfg.Readers)
	file, err := os.Stat(path)
	if err != nil {
		return nil, closing(readers, closing(pool, err))
	}
	return &sqlite{path: path, pool: pool, writer: writer, stmts: map[string]prepared{}, readers: readers, file: file, reads: map[string]*sql.Stmt{}}, nil
}

func closing(db *sql.DB, err error) error {
	_ = db.Close() // the first error is the one to report
	return err
}

func sqliteURL(path string, pragmas ...string) string {
	q := url.Values{"_pragma": pragmas}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

func (*sqlite) dialect() dialect {
	return dialect{name: "sqlite", blob: "BLOB", id: "INTEGER", tables: `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1`}
}

func (s *sqlite) run(text string) error {
	_, err := s.exec(context.Background(), text, nil)
	return err
}

func (s *sqlite) begin(context.Context) error {
	err := s.run("BEGIN IMMEDIATE")
	s.open, s.ended, s.failed = err == nil, false, nil
	return err
}

func (s *sqlite) commit(context.Context) error {
	s.done()
	err := s.run("COMMIT")
	if err == nil {
		s.open = false
		return nil
	}
	if isConstraint(err) { // one that was deferred
		s.checks = true
		return lateError{err}
	}
	return err
}

// isConstraint reports whether a statement, which has changed nothing, broke a constraint.
func isConstraint(err error) bool {
	e := (*sqlite3.Error)(nil)
	return errors.As(err, &e) && e.Code()&0xff == 19 // SQLITE_CONSTRAINT
}

func (s *sqlite) rollback(context.Context) error {
	s.done()
	there := s.open && !s.ended
	s.open, s.failed = false, nil
	if !there {
		return nil
	}
	return s.run("ROLLBACK")
}

// done closes the results that handlers have left open: who closes the connection would
// wait for them for ever.
func (s *sqlite) done() {
	for _, r := range s.results {
		_ = r.Close() // a result that nobody reads has nothing to lose
	}
	clear(s.results)
	s.results = s.results[:0]
}

func (s *sqlite) savepoint(context.Context) error {
	s.dangling = s.checks && s.unmet()
	return s.run("SAVEPOINT tutti")
}

func (s *sqlite) release(context.Context, bool) error {
	if s.checks && s.failed == nil && !s.dangling && s.unmet() {
		return errors.New("a FOREIGN KEY constraint that is deferred is not met")
	}
	return s.run("RELEASE SAVEPOINT tutti")
}

func (s *sqlite) undo(context.Context) error {
	if err := s.run("ROLLBACK TO SAVEPOINT tutti"); err != nil {
		return err
	}
	return s.run("RELEASE SAVEPOINT tutti")
}

// unmet reports whether a deferred constraint is not met now.
func (s *sqlite) unmet() bool {
	n := 0
	err := s.writer.Raw(func(conn any) (err error) {
		n, _, err = conn.(sqlite3.DBStatus).Status(sqlite3.DBStatusDeferredFKs, false)
		return err
	})
	return err == nil && n > 0
}

// alone needs nothing: a write transaction has the database to itself.
func (s *sqlite) alone(_ context.Context, fn func() error) error { return fn() }

// grip knows nothing of other connections: a lane's lease tells.
func (*sqlite) grip(context.Context, int64) (bool, error) { return false, nil }
func (*sqlite) loose(context.Context, int64) error        { return nil }

func (s *sqlite) failure() error { return s.failed }
func (*sqlite) booking()         {}
func (*sqlite) patient()         {}
func (*sqlite) inDoubt() bool    { return false }

func (s *sqlite) queue(ctx context.Context, query string, args []any) error {
	_, err := s.exec(ctx, query, args)
	return err
}

func (s *sqlite) expect(ctx context.Context, query string, args []any, n int, otherwise error) error {
	got, err := s.exec(ctx, query, args)
	if err == nil && got != int64(n) {
		return otherwise
	}
	return err
}

// prepared returns the statement for a query text, prepared once. Statements run
// without the caller's cancellation, which would cost a goroutine each; callers
// check the context before.
func (s *sqlite) prepared(query string) (prepared, error) {
	if st, ok := s.stmts[query]; ok {
		return st, nil
	}
	if len(s.stmts) >= maxStatements {
		for q, st := range s.stmts {
			_ = st.Close() // a statement that is dropped has nothing to lose
			delete(s.stmts, q)
		}
	}
	text, order := positional(query)
	st, err := s.writer.PrepareContext(context.Background(), text)
	if err != nil {
		return prepared{}, fmt.Errorf("%w in: %s", s.judge(err), strings.Join(strings.Fields(query), " "))
	}
	s.stmts[query] = prepared{st, order}
	return s.stmts[query], nil
}

func (s *sqlite) exec(_ context.Context, query string, args []any) (int64, error) {
	if s.failed != nil {
		return 0, s.failed
	}
	if query == "COMMIT" {
		if err := s.there(); err != nil {
			return 0, err
		}
	}
	st, err := s.prepared(query)
	if err != nil {
		return 0, err
	}
	res, err := st.ExecContext(context.Background(), arrange(args, st.order)...)
	if err != nil {
		return 0, s.judge(err)
	}
	return res.RowsAffected()
}

func (s *sqlite) query(_ context.Context, query string, args []any) (Rows, error) {
	if s.failed != nil {
		return nil, s.failed
	}
	st, err := s.prepared(query)
	if err != nil {
		return nil, err
	}
	rows, err := st.QueryContext(context.Background(), arrange(args, st.order)...) //nolint:rowserrcheck // the caller's, who reads them
	if err != nil {
		return nil, s.judge(err) // a nil *sql.Rows must not become a Rows
	}
	s.results = append(s.results, rows)
	return judged{rows, s}, nil
}

// judged is a result whose reading may fail.
type judged struct {
	*sql.Rows
	s *sqlite
}

func (r judged) Next() bool {
	if r.Rows.Next() {
		return true
	}
	if err := r.Err(); err != nil {
		_ = r.s.judge(err) // the caller asks for it by Err
	}
	return false
}

func (s *sqlite) read(ctx context.Context, query string, args []any) (Rows, error) {
	st, err := s.reading(ctx, query) //nolint:sqlclosecheck // kept for the next call, and closed with the connections
	if err != nil {
		return nil, err
	}
	var rows *sql.Rows
	if st != nil {
		rows, err = st.QueryContext(ctx, args...) //nolint:rowserrcheck // the caller's, who reads them
	} else {
		rows, err = s.readers.QueryContext(ctx, query, args...) //nolint:rowserrcheck // as above
	}
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// reading returns the statement for a query text, prepared once for each of the readers
// that come to run it: to prepare costs more than to run. It returns nil where too many
// are kept; they may be in use, so that none can be dropped.
func (s *sqlite) reading(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.Lock()
	st, full := s.reads[query], len(s.reads) >= maxStatements
	s.mu.Unlock()
	if st != nil || full {
		return st, nil
	}
	st, err := s.readers.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.reads[query]; other != nil {
		_ = st.Close() //nolint:sqlclosecheck // another is kept, and nobody has this one
		return other, nil
	}
	s.reads[query] = st
	return st, nil
}

func (s *sqlite) close() error {
	err := s.readers.Close() // with their statements
	for _, st := range s.stmts {
		_ = st.Close() // closed with the connection below
	}
	_ = s.writer.Close() // hands the connection back to the pool, closed next
	if e := s.pool.Close(); err == nil {
		err = e
	}
	return err
}
