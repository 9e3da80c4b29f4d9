package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// schema is the framework's own tables, one statement each; versions are their
// indices. {blob} and {id} stand for the dialect's types. From the first release on,
// statements are only ever appended.
//
// SQLite keeps a row of a table WITHOUT ROWID in the tree of its primary key, and
// otherwise in a tree of its own: one write instead of two.
var schema = []string{
	`CREATE TABLE tutti_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)`,
	`CREATE TABLE tutti_position (topic TEXT NOT NULL, part INTEGER NOT NULL, next BIGINT NOT NULL, origin BIGINT NOT NULL,
		PRIMARY KEY (topic, part)) /* sqlite: WITHOUT ROWID */`,
	`CREATE TABLE tutti_seen (topic TEXT NOT NULL, part INTEGER NOT NULL, lane TEXT NOT NULL, seq BIGINT NOT NULL,
		PRIMARY KEY (topic, part, lane)) /* sqlite: WITHOUT ROWID */`,
	`CREATE TABLE tutti_foreign (source TEXT NOT NULL, id TEXT NOT NULL, topic TEXT NOT NULL, part INTEGER NOT NULL, pos BIGINT NOT NULL,
		PRIMARY KEY (source, id))`,
	`CREATE INDEX tutti_foreign_pos ON tutti_foreign (topic, part, pos)`,
	`CREATE TABLE tutti_lane (lane BIGINT PRIMARY KEY, epoch BIGINT NOT NULL, alive BIGINT NOT NULL, ids BIGINT NOT NULL, batch BIGINT NOT NULL,
		commits BIGINT NOT NULL)`,
	`CREATE TABLE tutti_seq (lane BIGINT NOT NULL, topic TEXT NOT NULL, part INTEGER NOT NULL, seq BIGINT NOT NULL,
		PRIMARY KEY (lane, topic, part)) /* sqlite: WITHOUT ROWID */`,
	`CREATE TABLE tutti_outbox (lane BIGINT NOT NULL, batch BIGINT NOT NULL, written BIGINT NOT NULL, events {blob} NOT NULL,
		PRIMARY KEY (lane, batch))`,
	`CREATE TABLE tutti_parked (topic TEXT NOT NULL, part INTEGER NOT NULL, pos BIGINT NOT NULL, msgkey {blob} NOT NULL,
		state TEXT NOT NULL, attempts INTEGER NOT NULL, due BIGINT NOT NULL, since BIGINT NOT NULL, error TEXT NOT NULL,
		headers {blob} NOT NULL, body {blob} NOT NULL, PRIMARY KEY (topic, part, pos))`,
	`CREATE INDEX tutti_parked_key ON tutti_parked (topic, part, msgkey, pos)`,
	`CREATE INDEX tutti_parked_due ON tutti_parked (state, due)`,
	`CREATE TABLE tutti_job (kind TEXT NOT NULL, id TEXT NOT NULL, lane BIGINT NOT NULL, due BIGINT NOT NULL, state TEXT NOT NULL,
		attempts INTEGER NOT NULL, args {blob} NOT NULL, cause TEXT NOT NULL, error TEXT NOT NULL, PRIMARY KEY (kind, id)) /* sqlite: WITHOUT ROWID */`,
	// Most jobs run as soon as they are there, and never come into this index.
	`CREATE INDEX tutti_job_due ON tutti_job (lane, due) WHERE state = 'waiting'`,
	`CREATE TABLE tutti_gap (topic TEXT NOT NULL, part INTEGER NOT NULL, lane TEXT NOT NULL, last BIGINT NOT NULL, seq BIGINT NOT NULL,
		pos BIGINT NOT NULL, since BIGINT NOT NULL, PRIMARY KEY (topic, part, lane)) /* sqlite: WITHOUT ROWID */`,
	// The index answers how many records are parked of each key, and how large they are.
	`ALTER TABLE tutti_parked ADD COLUMN size BIGINT NOT NULL DEFAULT 0`,
	`DROP INDEX tutti_parked_key`,
	`CREATE INDEX tutti_parked_key ON tutti_parked (topic, part, msgkey, pos, size)`,
	// Before anybody has analyzed the table, PostgreSQL takes a kind alone to say as much
	// as an id, and reads all jobs of the kind to delete some.
	`/* postgres: ALTER TABLE tutti_job DROP CONSTRAINT tutti_job_pkey, ADD PRIMARY KEY (id, kind) */`,
	`CREATE INDEX tutti_job_dead ON tutti_job (kind) WHERE state = 'dead'`,
	`ALTER TABLE tutti_job ADD COLUMN failed INTEGER NOT NULL DEFAULT 0`,
}

const frameworkOwner = "tutti"

// prepare brings the framework's tables up to date and reads who this database is.
func (s *Store) prepare(ctx context.Context) error {
	d := s.db.dialect()
	return s.alone(ctx, func(tx *Tx) error {
		if err := tx.Exec(ctx, `CREATE TABLE IF NOT EXISTS tutti_migration (owner TEXT NOT NULL, version INTEGER NOT NULL, name TEXT NOT NULL,
			checksum TEXT NOT NULL, applied BIGINT NOT NULL, PRIMARY KEY (owner, version))`); err != nil {
			return err
		}
		steps := make([]migration, len(schema))
		for i, text := range schema {
			text = strings.NewReplacer("{blob}", d.blob, "{id}", d.id).Replace(text)
			steps[i] = migration{version: i + 1, name: fmt.Sprintf("schema %d", i+1), text: text}
		}
		if err := tx.migrate(ctx, frameworkOwner, steps); err != nil {
			return err
		}
		id, err := tx.identity(ctx)
		if err != nil {
			return err
		}
		s.name = s.cfg.Owner + "." + id
		return nil
	})
}

// alone runs fn in a transaction beside no other instance that does the same. The
// loop must not be running yet.
func (s *Store) alone(ctx context.Context, fn func(tx *Tx) error) error {
	return s.db.alone(ctx, func() error { return s.Update(ctx, fn) })
}

// identity reads the database's incarnation, made when it is first opened.
func (tx *Tx) identity(ctx context.Context) (string, error) {
	var owner, id string
	err := tx.QueryRow(ctx, `SELECT value FROM tutti_meta WHERE name = 'owner'`).Scan(&owner)
	switch {
	case errors.Is(err, ErrNoRows):
		return tx.incarnate(ctx)
	case err != nil:
		return "", err
	case owner != tx.s.cfg.Owner:
		return "", fmt.Errorf("it belongs to service %q, not %q: each service owns a database of its own", owner, tx.s.cfg.Owner)
	}
	return id, tx.QueryRow(ctx, `SELECT value FROM tutti_meta WHERE name = 'incarnation'`).Scan(&id)
}

// incarnate gives the database a new identity: its lanes get new names, and
// number from 1.
func (tx *Tx) incarnate(ctx context.Context) (string, error) {
	var raw [4]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return "", err
	}
	id := hex.EncodeToString(raw[:])
	for name, value := range map[string]string{"owner": tx.s.cfg.Owner, "incarnation": id} {
		err := tx.Exec(ctx, `INSERT INTO tutti_meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
		if err != nil {
			return "", err
		}
	}
	return id, nil
}

// Reincarnate gives the database a new identity, so that its lanes number from 1
// under new names: the recovery of a database that was restored from a copy, whose
// numbers would be given twice. No lane may be held.
func (s *Store) Reincarnate(ctx context.Context) error {
	return s.alone(ctx, func(tx *Tx) error {
		if err := tx.nobody(ctx); err != nil {
			return fmt.Errorf("give database of %s a new identity: %w", s.cfg.Owner, err)
		}
		id, err := tx.incarnate(ctx)
		if err != nil {
			return fmt.Errorf("give database of %s a new identity: %w", s.cfg.Owner, err)
		}
		if err := tx.Exec(ctx, `DELETE FROM tutti_seq`); err != nil {
			return fmt.Errorf("give database of %s a new identity: %w", s.cfg.Owner, err)
		}
		s.name = s.cfg.Owner + "." + id
		return nil
	})
}

type migration struct {
	version int
	name    string
	text    string
}

// Migrate applies the service's migrations that have not been applied, in the
// order of their numbers, each once, all in one transaction. Files are named
// NUMBER_NAME.sql, as in 0001_orders.sql. A file that changed after it was applied
// is an error. What is meant for one kind of database only stands in a comment that
// names it: /* sqlite: WITHOUT ROWID */ or /* postgres: … */.
func (s *Store) Migrate(ctx context.Context, files fs.FS) error {
	return s.MigrateFor(ctx, "service", files)
}

// MigrateFor is [Store.Migrate] for a part of the service that keeps tables of its
// own, and numbers its migrations by itself.
func (s *Store) MigrateFor(ctx context.Context, part string, files fs.FS) error {
	steps, err := readMigrations(files)
	if err != nil {
		return fmt.Errorf("read migrations of %s: %w", s.cfg.Owner, err)
	}
	err = s.alone(ctx, func(tx *Tx) error { return tx.migrate(ctx, part, steps) })
	if err != nil {
		return fmt.Errorf("migrate database of %s: %w", s.cfg.Owner, err)
	}
	return nil
}

func readMigrations(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		if names, err = fs.Glob(files, "*/*.sql"); err != nil { // embedded with their folder
			return nil, err
		}
	}
	var steps []migration
	for _, name := range names { // Glob sorts
		number, _, found := strings.Cut(path.Base(name), "_")
		version, err := strconv.Atoi(number)
		if !found || err != nil || version < 1 {
			return nil, fmt.Errorf("%s: want a name like 0001_orders.sql", name)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		if n := len(steps); n > 0 && steps[n-1].version >= version {
			return nil, fmt.Errorf("%s: number %d is not above %s", name, version, steps[n-1].name)
		}
		steps = append(steps, migration{version: version, name: path.Base(name), text: string(text)})
	}
	return steps, nil
}

func (tx *Tx) migrate(ctx context.Context, owner string, steps []migration) error {
	applied, err := tx.applied(ctx, owner)
	if err != nil {
		return err
	}
	for _, m := range steps {
		sum := sha256.Sum256([]byte(m.text))
		checksum := hex.EncodeToString(sum[:8])
		switch have, ok := applied[m.version]; {
		case !ok:
		case have != checksum:
			return fmt.Errorf("migration %s was changed after it was applied: add a new migration instead", m.name)
		default:
			continue
		}
		tx.s.db.patient()
		for _, statement := range splitSQL(tx.s.db.dialect().conditional(m.text)) {
			if err := tx.Exec(ctx, statement); err != nil {
				return fmt.Errorf("migration %s: %w", m.name, err)
			}
		}
		if err := tx.Exec(ctx, `INSERT INTO tutti_migration (owner, version, name, checksum, applied) VALUES ($1, $2, $3, $4, $5)`,
			owner, m.version, m.name, checksum, millis(tx.now)); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) applied(ctx context.Context, owner string) (map[int]string, error) {
	rows, err := tx.Query(ctx, `SELECT version, checksum FROM tutti_migration WHERE owner = $1`, owner)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[int]string{}
	for rows.Next() {
		var version int
		var checksum string
		if err := rows.Scan(&version, &checksum); err != nil {
			return nil, err
		}
		out[version] = checksum
	}
	return out, rows.Err()
}

var conditionalSQL = regexp.MustCompile(`(?s)/\*\s*(sqlite|postgres):(.*?)\*/`)

// conditional takes what is meant for this kind of database out of its comments, and
// leaves out what is meant for others.
func (d dialect) conditional(text string) string {
	return conditionalSQL.ReplaceAllStringFunc(text, func(comment string) string {
		if m := conditionalSQL.FindStringSubmatch(comment); m[1] == d.name {
			return m[2]
		}
		return ""
	})
}

// splitSQL splits a script at the semicolons that end statements: those outside
// quotes and comments.
func splitSQL(text string) []string {
	var out []string
	start := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\'' || c == '"':
			if end := strings.IndexByte(text[i+1:], c); end >= 0 {
				i += end + 1
			}
		case strings.HasPrefix(text[i:], "--"), strings.HasPrefix(text[i:], "/*"):
			i += len(comment.FindString(text[i:])) - 1
		case c == ';':
			out = append(out, text[start:i])
			start = i + 1
		}
	}
	out = append(out, text[start:])
	kept := out[:0]
	for _, s := range out {
		if !blankSQL(s) {
			kept = append(kept, strings.TrimSpace(s))
		}
	}
	return kept
}

var comment = regexp.MustCompile(`(?s)--[^\n]*|/\*.*?(?:\*/|$)`)

func blankSQL(s string) bool { return strings.TrimSpace(comment.ReplaceAllString(s, "")) == "" }
