package service_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to get in the way of services

	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// The database does not work for a while. Each time the service says why, is not
// ready, answers writes with 503, and loses nothing.

// ailing is a service whose database is harmed.
type ailing struct {
	*service.Service
	t    *testing.T
	bus  *kafka.Bus
	path string
	log  *logged
}

func newAiling(t *testing.T, cfg service.Config) *ailing {
	t.Helper()
	return newAilingWith(t, cfg, picky(func(Made) error { return nil }))
}

func newAilingWith(t *testing.T, cfg service.Config, register func(*service.Service)) *ailing {
	t.Helper()
	onFiles(t)
	a := &ailing{t: t, bus: cluster(t), path: filepath.Join(t.TempDir(), "data", "ailing.db"), log: &logged{}}
	cfg.Logger, cfg.WriteTimeout = a.log.logger(), 500*time.Millisecond
	a.Service, _ = start(t, a.bus, "ailing", filepath.Dir(a.path), cfg, register)
	produce(t, a.bus, madeTopic, made("before", 0))
	eventually(t, a.Service, "it works", func() bool { return len(rows(t, a.Service)) == 1 })
	return a
}

// ails expects the service to say what is wrong, in log and status.
func (a *ailing) ails(says string) {
	a.t.Helper()
	produce(a.t, a.bus, madeTopic, made("during", 1))
	eventually(a.t, a.Service, "it is not ready and says "+says, func() bool {
		st := a.Status()
		return !st.Ready && len(st.Problems) > 0 && strings.Contains(st.Problems[0], says) && a.log.has("the database does not take a transaction", says)
	})
	err := a.Write(a.t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.Exec(ctx, `INSERT INTO done VALUES ('never', 0)`)
	})
	if problem.KindOf(err) != problem.Down {
		a.t.Errorf("Write() = %v, want kind %v", err, problem.Down)
	}
}

// recovers expects everything to be done once, and no more than that.
func (a *ailing) recovers() {
	a.t.Helper()
	eventually(a.t, a.Service, "all is done and it is ready", func() bool { return rows(a.t, a.Service)["during1"] == 1 && a.Status().Ready })
	if got := rows(a.t, a.Service); len(got) != 2 || got["before0"] != 1 {
		a.t.Errorf("done: %v, want before0 and during1, once", got)
	}
	if all := parked(a.t, a.Service, store.Selection{}); len(all) != 0 {
		a.t.Errorf("parked: %+v, want nothing: the handler is not to blame", all)
	}
}

// beside is another program's connection to the database.
func (a *ailing) beside() *sql.Conn {
	a.t.Helper()
	db, err := sql.Open("sqlite", "file:"+a.path)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { _ = db.Close() })
	conn, err := db.Conn(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	return conn
}

// fill fills the disk, as far as this database can see it.
func (a *ailing) fill() (makeRoom func()) {
	a.t.Helper()
	other := a.beside()
	a.exec(other, "PRAGMA busy_timeout = 5000")
	a.exec(other, `CREATE TABLE filler (b BLOB)`)
	a.exec(other, `INSERT INTO filler VALUES (zeroblob(2000000))`)
	if err := a.Write(a.t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.QueryRow(ctx, `PRAGMA max_page_count = 1`).Scan(new(any)) // which takes it for the pages that there are
	}); err != nil {
		a.t.Fatal(err)
	}
	return func() { a.exec(other, `DELETE FROM filler`) }
}

func (a *ailing) exec(on *sql.Conn, query string) {
	a.t.Helper()
	if _, err := on.ExecContext(a.t.Context(), query); err != nil {
		a.t.Fatalf("%s: %v", query, err)
	}
}

func TestDatabaseLocked(t *testing.T) {
	t.Parallel()
	a := newAiling(t, quick)
	other := a.beside()
	a.exec(other, "PRAGMA busy_timeout = 5000")
	a.exec(other, "BEGIN IMMEDIATE")
	a.ails("another program holds its write lock")
	a.exec(other, "ROLLBACK")
	a.recovers()
}

func TestDatabaseFull(t *testing.T) {
	t.Parallel()
	a := newAiling(t, quick)
	makeRoom := a.fill()
	const large = 900_000
	produce(t, a.bus, madeTopic, foreign("large", "large", fmt.Sprintf(`{"id":%q,"n":1}`, strings.Repeat("x", large))))
	a.ails("make room")
	makeRoom()
	eventually(t, a.Service, "before0, the large one and during1 are done, once", func() bool {
		got := rows(t, a.Service)
		return len(got) == 3 && got["during1"] == 1 && got[strings.Repeat("x", large)+"1"] == 1
	})
	if all := parked(t, a.Service, store.Selection{}); len(all) != 0 {
		t.Errorf("%d are parked, want none: the handler is not to blame", len(all))
	}
}

// TestDatabaseReadOnly: as where the system has made a disk read-only because of its
// errors.
func TestDatabaseReadOnly(t *testing.T) {
	t.Parallel()
	var inside *store.Tx // on the connection that writes, which the loop alone may use
	var mend atomic.Bool
	cfg := quick
	cfg.Fault = func(p service.Point) error {
		if p == service.BeforeBegin && mend.CompareAndSwap(true, false) {
			return inside.Exec(context.Background(), `PRAGMA query_only = 0`)
		}
		return nil
	}
	a := newAiling(t, cfg)
	err := a.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		inside = tx
		return tx.Exec(ctx, `PRAGMA query_only = 1`)
	})
	if problem.KindOf(err) != problem.Down {
		t.Errorf("Write() = %v, want kind %v: it was not committed", err, problem.Down)
	}
	a.ails("file, directory or disk is read-only: give the service the right to write")
	mend.Store(true)
	a.recovers()
}

// TestDatabaseWithoutRights: a service that may not write its database does not start.
func TestDatabaseWithoutRights(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("this user may write whatever the rights are")
	}
	bus, dir := cluster(t), t.TempDir()
	_, stop := start(t, bus, "denied", dir, quick, picky(func(Made) error { return nil }))
	stop()
	path := filepath.Join(dir, "denied.db")
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	s := service.New("denied", bus, service.Config{Database: path})
	s.Migrations(migrations(doneTable))
	const want = "give the service the right to write"
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Run() = %v, want an error that says: %s", err, want)
	}
}

func TestDatabaseDirectoryVanished(t *testing.T) {
	t.Parallel()
	a := newAiling(t, quick)
	dir := filepath.Dir(a.path)
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Skip("this system does not let go of open files: ", err)
	}
	a.ails("was removed, moved or replaced")
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	a.recovers()
}

func TestDatabaseFileReplaced(t *testing.T) {
	t.Parallel()
	a := newAiling(t, quick)
	if err := os.Rename(a.path, a.path+".away"); err != nil {
		t.Skip("this system does not let go of open files: ", err)
	}
	if err := os.WriteFile(a.path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a.ails("another file is in its place")
	if err := os.Rename(a.path+".away", a.path); err != nil {
		t.Fatal(err)
	}
	a.recovers()
}
