package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// postgres is one writing connection with its prepared statements and what waits
// to be sent on it, and a pool of readers. A lost connection is made anew when the
// next transaction begins.
type postgres struct {
	cfg    *pgx.ConnConfig
	schema string
	place  string // for people
	conn   *pgx.Conn
	stmts  map[string]*pgconn.StatementDescription
	pool   *pgxpool.Pool
	grips  map[int64]bool // lanes tied to the writing connection
	pipeline

	most    time.Duration // that the server lets a statement take; 0: any
	hurried bool          // this transaction keeps to that

	planned time.Time     // when plans are to be made anew
	plans   time.Duration // how long they last
}

const connectTimeout = 5 * time.Second

// settings are what a session is set to, unless the URL says otherwise.
var settings = map[string]string{
	"statement_timeout": "30s",
	// Less than a transaction may wait for another: it is run again.
	"lock_timeout": "10s",
	// A frozen instance must not keep others from what it has locked for ever.
	"idle_in_transaction_session_timeout": "60s",
}

func isPostgres(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

// openPostgres connects to the database of a URL, and makes its schema if it is
// missing: the one that search_path names in the URL, or one of the owner's name.
func openPostgres(ctx context.Context, dsn string, cfg Config) (*postgres, error) {
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("open database: %s: want postgres://user:password@host:port/database", strings.ReplaceAll(err.Error(), dsn, redacted(dsn)))
	}
	schema := c.RuntimeParams["search_path"]
	if schema == "" {
		schema = schemaOf(cfg.Owner)
	}
	if strings.ContainsAny(schema, ",\"") || schema != strings.TrimSpace(schema) || len(schema) > 63 {
		return nil, fmt.Errorf("open database: search_path is %q, want the name of one schema, of at most 63 bytes", schema)
	}
	for name, value := range settings {
		if c.RuntimeParams[name] == "" {
			c.RuntimeParams[name] = value
		}
	}
	if cfg.Unsynced {
		c.RuntimeParams["synchronous_commit"] = "off"
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = cfg.Owner
	}
	c.RuntimeParams["search_path"] = pgx.Identifier{schema}.Sanitize()
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
	p := &postgres{cfg: c, schema: schema, grips: map[int64]bool{}, place: fmt.Sprintf("%s:%d/%s, schema %s", c.Host, c.Port, c.Database, schema)}
	if err := p.connect(ctx); err != nil {
		return nil, fmt.Errorf("open database %s: %w", p.place, hint(err, c))
	}
	if err := p.openReaders(ctx, dsn, cfg.Readers); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", p.place, err), p.close())
	}
	if err = p.makeSchema(ctx, cfg.Existing); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", p.place, hint(err, c)), p.close())
	}
	return p, nil
}

// makeSchema makes the schema, unless it has to be there.
func (p *postgres) makeSchema(ctx context.Context, existing bool) error {
	return p.alone(ctx, func() error {
		var there bool
		if err := p.conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, p.schema).Scan(&there); err != nil || there {
			return err
		}
		if existing {
			return fs.ErrNotExist
		}
		_, err := p.conn.Exec(ctx, `CREATE SCHEMA `+p.cfg.RuntimeParams["search_path"])
		return err
	})
}

// Schema is the URL of the schema for one of several services that share a
// PostgreSQL database: that of its name, or, if the URL names a schema, that of both
// names, so that several systems can share a database too. Other names of databases
// are returned as they are.
func Schema(dsn, name string) string {
	u, err := url.Parse(dsn)
	if err != nil || !isPostgres(dsn) {
		return dsn
	}
	q := u.Query()
	name = schemaOf(name)
	if prefix := q.Get("search_path"); prefix != "" {
		name = prefix + "_" + name
	}
	q.Set("search_path", name)
	base, _, _ := strings.Cut(dsn, "#")
	base, _, _ = strings.Cut(base, "?")
	// PostgreSQL takes a plus for one. What net/url writes of a URL without host and path has no //.
	return base + "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
}

func schemaOf(owner string) string { return strings.ReplaceAll(owner, "-", "_") }

// redacted is a URL that may be shown.
func redacted(dsn string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		return "the URL"
	}
	return u.Redacted()
}

// hint adds what to do about an error at the start.
func hint(err error, c *pgx.ConnConfig) error {
	var e *pgconn.PgError
	switch {
	case !errors.As(err, &e):
		return err
	case e.Code == "3D000":
		return fmt.Errorf("%w: make it first, as by createdb %s", err, c.Database)
	case e.Code == "42501":
		return fmt.Errorf("%w: user %s needs the right to make a schema there (GRANT CREATE ON DATABASE), or a schema that belongs to it", err, c.User)
	case strings.HasPrefix(e.Code, "28"):
		return fmt.Errorf("%w: user %s may not connect: look at the password in the URL, and at pg_hba.conf", err, c.User)
	}
	return err
}

func (p *postgres) openReaders(ctx context.Context, dsn string, most int) error {
	pc, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return err
	}
	pc.ConnConfig = p.cfg.Copy()
	pc.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	pc.MaxConns = int32(most)
	pc.AfterConnect = func(_ context.Context, c *pgx.Conn) error {
		lenient(c.TypeMap())
		return nil
	}
	p.pool, err = pgxpool.NewWithConfig(ctx, pc)
	return err
}

// fastCompression has large values compressed by lz4, where the server can: the outbox
// of a batch takes an eighth of the time of pglz. It changes nothing where somebody has
// chosen for the database, the user or the URL.
const fastCompression = `SELECT set_config(name, 'lz4', false) FROM pg_settings
	WHERE name = 'default_toast_compression' AND source = 'default' AND 'lz4' = ANY (enumvals)`

// mostText is how long a statement may take, in nanoseconds.
const mostText = `SELECT setting::BIGINT * 1000000 FROM pg_settings WHERE name = 'statement_timeout'`

// connect makes the writing connection, if there is none that works.
func (p *postgres) connect(ctx context.Context) error {
	if p.conn != nil && !p.conn.IsClosed() {
		return nil
	}
	conn, err := pgx.ConnectConfig(ctx, p.cfg)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	lenient(conn.TypeMap())
	_, err = conn.Exec(ctx, fastCompression, pgx.QueryExecModeExec)
	if err == nil {
		err = conn.QueryRow(ctx, mostText, pgx.QueryExecModeExec).Scan(&p.most)
	}
	for lane := range p.grips { // if another has it by now, the next commit says so
		free := false
		if err == nil {
			err = conn.QueryRow(ctx, gripText, pgx.QueryExecModeExec, p.gripName(lane)).Scan(&free)
		}
		if err == nil && !free { // the server has not noticed yet that the connection before is gone
			delete(p.grips, lane)
		}
	}
	if err != nil {
		_ = conn.Close(ctx) // it is of no use
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	p.conn, p.stmts = conn, map[string]*pgconn.StatementDescription{}
	p.plans, p.planned = time.Second, time.Now().Add(time.Second)
	return nil
}

// replan has the plans of prepared statements made anew, after a second, and then each
// time when they are a quarter as old as the connection, or a minute. The server keeps a
// plan for as long as nobody has analyzed the tables, and one that was made for a table
// that was small reads it as a whole, to look for a few dozen rows, when it has a million.
func (p *postgres) replan() {
	if now := time.Now(); now.After(p.planned) {
		p.control("DISCARD PLANS")
		p.plans = min(p.plans*5/4, time.Minute)
		p.planned = now.Add(p.plans)
	}
}

// gripText locks a lane for as long as the session lives: it ends with its process.
const gripText = `SELECT pg_try_advisory_lock(hashtextextended($1, 8))`

func (p *postgres) gripName(lane int64) string { return fmt.Sprintf("tutti %s %d", p.schema, lane) }

func (p *postgres) grip(ctx context.Context, lane int64) (free bool, err error) {
	if p.grips[lane] {
		return true, nil
	}
	rows, err := p.query(ctx, gripText, []any{p.gripName(lane)})
	if err := (Row{rows, err}).Scan(&free); err != nil {
		return false, err
	}
	if free {
		p.grips[lane] = true
	}
	return free, nil
}

func (p *postgres) loose(ctx context.Context, lane int64) error {
	delete(p.grips, lane)
	_, err := p.conn.Exec(ctx, `SELECT pg_advisory_unlock(hashtextextended($1, 8))`, pgx.QueryExecModeExec, p.gripName(lane))
	return err
}

func (*postgres) dialect() dialect {
	return dialect{
		name: "postgres", blob: "BYTEA", id: "BIGINT", shared: true, bulk: true, clock: "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT",
		tables: `SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = $1`,
	}
}

// alone runs fn while no other instance does, on this schema. It is for what a
// transaction cannot keep apart: making tables, taking lanes.
func (p *postgres) alone(ctx context.Context, fn func() error) error {
	if err := p.connect(ctx); err != nil {
		return err
	}
	conn := p.conn
	const lock = `SELECT pg_advisory_lock(hashtextextended($1, 7))`
	for {
		_, err := conn.Exec(ctx, lock, pgx.QueryExecModeExec, "tutti "+p.schema)
		if err == nil {
			break
		}
		if err = p.classify(err, lock); !errors.Is(err, ErrConflict) || ctx.Err() != nil {
			return err
		}
	}
	err := fn()
	if !conn.IsClosed() { // or the server has given the lock back
		_, e := conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock(hashtextextended($1, 7))`, pgx.QueryExecModeExec, "tutti "+p.schema)
		err = errors.Join(err, e)
	}
	return err
}

func (p *postgres) read(ctx context.Context, query string, args []any) (Rows, error) {
	if err := storable(args); err != nil {
		return nil, err
	}
	rows, err := p.pool.Query(ctx, query, args...)
	if err != nil {
		return nil, unread(err)
	}
	return pooled{rows}, nil
}

// unread says of the error of a read whether the database does not work.
func unread(err error) error {
	_, unreached := errors.AsType[*pgconn.ConnectError](err)
	e, said := errors.AsType[*pgconn.PgError](err)
	if unreached || said && broken(e) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// pooled is a result that is read as it comes.
type pooled struct{ pgx.Rows }

func (r pooled) Err() error { return unread(r.Rows.Err()) }

func (r pooled) Close() error {
	r.Rows.Close()
	return r.Err()
}

func (p *postgres) close() error {
	if p.pool != nil {
		p.pool.Close()
	}
	if p.conn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = p.conn.Close(ctx) // the server notices by itself
	return nil
}

// classify tells apart what is to be run again, as a whole, from what is wrong
// with a statement.
func (p *postgres) classify(err error, text string) error {
	if err == nil {
		return nil
	}
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		if p.conn.IsClosed() {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return err
	}
	switch {
	case e.Code == "40001", e.Code == "40P01", e.Code == "55P03":
		return fmt.Errorf("%w: %w", ErrConflict, err)
	case e.Code == "25006": // a standby, after a failover: look for the primary
		_ = p.conn.Close(context.Background())
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case e.Code == "26000", e.Code == "0A000" && strings.Contains(e.Message, "cached plan"): // tables have changed beside us: prepare anew
		_ = p.conn.Close(context.Background())
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case broken(e):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return fmt.Errorf("%w in: %s", err, clip(strings.Join(strings.Fields(text), " ")))
}

// broken reports whether an error is about the server or the connection, and not about
// the statement.
func broken(e *pgconn.PgError) bool {
	return strings.HasPrefix(e.Code, "08") || strings.HasPrefix(e.Code, "53") || strings.HasPrefix(e.Code, "57P") || strings.HasPrefix(e.Code, "58") ||
		e.Code == "25P03" || e.Severity == "FATAL" || e.Severity == "PANIC"
}
