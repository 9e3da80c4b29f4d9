package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/lock"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

// databases is every kind of database that the conformance suite runs over; each
// returns a data source name for a fresh database.
var databases = map[string]func(t *testing.T) string{
	"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "it's a test%.db") },
	"postgres": func(t *testing.T) string { return tuttitest.Postgres(t) },
}

var made = event.Contract{Type: "test.made", Version: 1, Topic: event.Topic{Name: "test.thing"}}

func config() store.Config {
	return store.Config{
		Owner: "test", Publishes: map[event.Contract]bool{made: true}, Shared: true,
		Partition: func(_, key string) (int32, error) { return int32(len(key) % 2), nil },
		Claim:     func(string) bool { return true },
	}
}

func open(t *testing.T, dsn string, cfg store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), dsn, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func update(t *testing.T, s *store.Store, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func message(key string) event.Outgoing {
	return event.Outgoing{Contract: made, Key: key, Data: []byte("{}")}
}

// commit runs fn in a transaction with books, and returns what the commit leaves.
func commit(t *testing.T, s *store.Store, books store.Books, fn func(tx *store.Tx)) (store.Committed, error) {
	t.Helper()
	tx, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	fn(tx)
	return tx.Commit(t.Context(), books)
}

func nothing(*store.Tx) {}

func TestConformance(t *testing.T) {
	for kind, dsn := range databases {
		for name, test := range map[string]func(*testing.T, string){
			"positions fence": testFence, "outbox": testOutbox, "lanes": testLanes, "savepoints": testSavepoints, "jobs": testJobs, "jobs apart": testJobsApart,
			"parked": testParked, "migrations": testMigrations, "identity": testIdentity, "foreign": testForeign, "limits": testLimits,
			"failures swallowed": testSwallowed, "pages": testPages, "gaps": testGaps, "constraints deferred": testDeferred, "parts": testApart,
		} {
			t.Run(kind+"/"+name, func(t *testing.T) { test(t, dsn(t)) })
		}
	}
}

func testFence(t *testing.T, dsn string) {
	s := open(t, dsn, config())
	p := event.Partition{Topic: "x", Number: 1}
	advance := func(from, to int64, first bool) error {
		_, err := commit(t, s, store.Books{Advance: []store.Advance{{Partition: p, From: from, To: to, New: first}}}, nothing)
		return err
	}
	for _, c := range []struct {
		from, to int64
		first    bool
		fenced   bool
	}{{5, 9, true, false}, {5, 9, true, true}, {9, 12, false, false}, {9, 13, false, true}, {12, 20, false, false}} {
		if err := advance(c.from, c.to, c.first); errors.Is(err, store.ErrFenced) != c.fenced {
			t.Errorf("advance %d to %d: %v, want fenced: %v", c.from, c.to, err, c.fenced)
		}
	}
	got, err := s.Positions(t.Context())
	if err != nil || got[p] != (store.Position{Next: 20, Origin: 5}) {
		t.Errorf("Positions() = %v, %v, want next 20, origin 5", got, err)
	}
}

func testOutbox(t *testing.T, dsn string) {
	s := open(t, dsn, config())
	lane, unsent, err := s.TakeLane(t.Context())
	if err != nil || len(unsent) != 0 {
		t.Fatalf("TakeLane() = %v, %v", unsent, err)
	}
	var ids []string
	first, err := commit(t, s, store.Books{}, func(tx *store.Tx) {
		for _, key := range []string{"a", "bb", "a"} {
			ids = append(ids, tx.NextID())
			if err := tx.Append(message(key)); err != nil {
				t.Fatal(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var seqs []int64
	for i, e := range first.Events {
		if env, _, err := event.Decode(e.Record); err != nil || env.ID != ids[i] {
			t.Errorf("message %d has the id %s, %v, want %s as was said", i, env.ID, err, ids[i])
		}
		seqs = append(seqs, int64(e.Number)*100+e.Seq)
	}
	if len(seqs) != 3 || seqs[0] != 101 || seqs[1] != 1 || seqs[2] != 102 {
		t.Errorf("partition and seq are %v, want 101, 1, 102: dense in each partition", seqs)
	}
	tx, _ := s.Begin(t.Context())
	if err := tx.Append(message("a")); err != nil {
		t.Fatal(err)
	}
	tx.Rollback() // must not use up a number
	second, err := commit(t, s, store.Books{Sent: first.Batch}, func(tx *store.Tx) { _ = tx.Append(message("a")) })
	if err != nil || second.Events[0].Seq != 3 {
		t.Fatalf("after a rollback: seq %v, %v, want 3", second.Events, err)
	}
	e, _, err := event.Decode(second.Events[0].Record)
	if err != nil || e.Lane != lane.Name || e.ID != lane.Name+"-4" || e.CorrelationID != e.ID {
		t.Errorf("envelope is %+v, %v", e, err)
	}
	s.Close()
	cfg := config()
	cfg.Shared = false
	s = open(t, dsn, cfg)
	again, unsent, err := s.TakeLane(t.Context())
	if err != nil || again.Name != lane.Name || len(unsent) != 1 || unsent[0].Number != second.Batch || unsent[0].Events[0].Seq != 3 {
		t.Fatalf("TakeLane() after a crash = %v, %+v, %v, want the batch that was not sent", again, unsent, err)
	}
	third, err := commit(t, s, store.Books{}, func(tx *store.Tx) { _ = tx.Append(message("a")) })
	if err != nil || third.Events[0].Seq != 4 {
		t.Errorf("numbering goes on at %v, %v, want 4", third.Events, err)
	}
}

// testPages: what was left unsent is read as far as there is room for it.
func testPages(t *testing.T, dsn string) {
	s := open(t, dsn, config())
	if _, _, err := s.TakeLane(t.Context()); err != nil {
		t.Fatal(err)
	}
	const batches = 25
	for range batches {
		if _, err := commit(t, s, store.Books{}, func(tx *store.Tx) {
			if err := tx.Append(event.Outgoing{Contract: made, Key: "k", Data: make([]byte, event.MaxData)}); err != nil {
				t.Fatal(err)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	cfg := config()
	cfg.Shared = false
	s = open(t, dsn, cfg)
	lane, page, err := s.TakeLane(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := commit(t, s, store.Books{}, func(tx *store.Tx) { _ = tx.Append(message("k")) }); err != nil {
		t.Fatal(err)
	}
	last, pages := int64(0), 0
	for ; len(page) > 0; pages++ {
		size := 0
		for _, b := range page {
			if b.Number != last+1 || len(b.Events) != 1 {
				t.Fatalf("batch %d with %d events follows batch %d", b.Number, len(b.Events), last)
			}
			last = b.Number
			size += len(b.Events[0].Record.Value)
		}
		if size > 9<<20 {
			t.Errorf("a page has %d bytes", size)
		}
		if more := lane.Left(last); more != (last < batches) {
			t.Errorf("Left(%d) = %v", last, more)
		}
		if page, err = s.Unsent(t.Context(), lane, last); err != nil {
			t.Fatal(err)
		}
	}
	if last != batches || pages < 2 {
		t.Errorf("%d pages up to batch %d, want several, up to %d: what is committed since is sent from memory", pages, last, batches)
	}
}

func testLanes(t *testing.T, dsn string) {
	one, two := open(t, dsn, config()), open(t, dsn, config())
	a, _, err := one.TakeLane(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := two.TakeLane(t.Context())
	if err != nil || b.Name == a.Name {
		t.Fatalf("two instances hold lanes %s and %s, %v: want two lanes", a.Name, b.Name, err)
	}
	if err := one.ReleaseLane(t.Context()); err != nil {
		t.Fatal(err)
	}
	three := open(t, dsn, config())
	c, _, err := three.TakeLane(t.Context())
	if err != nil || c.Name != a.Name {
		t.Fatalf("TakeLane() = %s, %v, want the lane given up, %s", c.Name, err, a.Name)
	}
	silence(t, two, a.Number)
	dead, unsent, err := two.AdoptLane(t.Context())
	if err != nil || dead == nil || dead.Name != a.Name || len(unsent) != 0 {
		t.Fatalf("AdoptLane() = %v, %v, %v, want %s, whose holder was not heard of", dead, unsent, err, a.Name)
	}
	if _, err := commit(t, three, store.Books{}, nothing); !errors.Is(err, store.ErrFenced) {
		t.Errorf("a commit of the old holder = %v, want ErrFenced", err)
	}
	if held, err := three.HoldsLane(t.Context()); held || err != nil {
		t.Errorf("HoldsLane() = %v, %v, want false", held, err)
	}
	if _, err := commit(t, two, store.Books{}, nothing); err != nil {
		t.Errorf("a commit of another lane's holder = %v", err)
	}
	four := open(t, dsn, config())
	d, _, err := four.TakeLane(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	unsend := func(tx *store.Tx) { _ = tx.Append(message("k")) }
	done, err := commit(t, four, store.Books{}, unsend)
	if err != nil {
		t.Fatal(err)
	}
	if err := two.Disown(t.Context(), d.Number, done.Batch-1); err != nil {
		t.Fatal(err)
	}
	if _, err := commit(t, four, store.Books{}, unsend); err != nil {
		t.Errorf("a commit after all was sent that others wait for = %v", err)
	}
	if err := two.Disown(t.Context(), d.Number, done.Batch); err != nil {
		t.Fatal(err)
	}
	if _, err := commit(t, four, store.Books{}, unsend); !errors.Is(err, store.ErrFenced) {
		t.Errorf("a commit of who was disowned = %v, want ErrFenced", err)
	}
	if lane, unsent, err := two.AdoptLane(t.Context()); err != nil || lane == nil || lane.Name != d.Name || len(unsent) != 2 {
		t.Errorf("AdoptLane() = %v, %d batches, %v, want %s, whose holder was disowned, with 2", lane, len(unsent), err, d.Name)
	}
}

// silence makes a lane look as if its holder had not been heard of for long.
func silence(t *testing.T, s *store.Store, lane int64) {
	t.Helper()
	update(t, s, func(tx *store.Tx) error {
		return tx.Exec(t.Context(), `UPDATE tutti_lane SET alive = 1 WHERE lane = $1`, lane)
	})
}

func testSavepoints(t *testing.T, dsn string) {
	s := open(t, dsn, config())
	if _, _, err := s.TakeLane(t.Context()); err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx *store.Tx) error { return tx.Exec(t.Context(), `CREATE TABLE n (v INTEGER PRIMARY KEY)`) })
	insert := func(tx *store.Tx, v int) error { return tx.Exec(t.Context(), `INSERT INTO n (v) VALUES ($1)`, v) }
	done, err := commit(t, s, store.Books{}, func(tx *store.Tx) {
		for _, c := range []struct {
			v    int
			fail error
		}{{1, nil}, {2, errors.New("no")}, {3, nil}, {3, nil}} {
			failure, broken := tx.Savepoint(t.Context(), func() error {
				if err := tx.Append(message("k")); err != nil {
					return err
				}
				if err := insert(tx, c.v); err != nil {
					return err
				}
				return c.fail
			})
			if broken != nil {
				t.Fatal(broken)
			}
			if wantFail := c.fail != nil || c.v == 3 && failure != nil; (failure != nil) != wantFail {
				t.Errorf("savepoint of %d failed with %v", c.v, failure)
			}
		}
	})
	if err != nil || len(done.Events) != 2 {
		t.Fatalf("%d events, %v, want those of the two that succeeded", len(done.Events), err)
	}
	var n, sum int
	if err := s.Reader().QueryRow(t.Context(), `SELECT COUNT(*), SUM(v) FROM n`).Scan(&n, &sum); err != nil || n != 2 || sum != 4 {
		t.Errorf("%d rows with sum %d, %v, want 1 and 3", n, sum, err)
	}
	update(t, s, func(tx *store.Tx) error { // what is no statement at all is undone like one that fails
		failure, broken := tx.Savepoint(t.Context(), func() error { return tx.Exec(t.Context(), `INSERT INTO nowhere (v) VALUES (1)`) })
		if failure == nil || broken != nil {
			t.Errorf("savepoint of what is no statement = %v, %v, want its failure alone", failure, broken)
		}
		return broken
	})
}

// testSwallowed: whatever a handler makes of a statement's failure, either the
// transaction goes on without that statement, or nothing of it is committed.
func testSwallowed(t *testing.T, dsn string) {
	s := open(t, dsn, config())
	if _, _, err := s.TakeLane(t.Context()); err != nil {
		t.Fatal(err)
	}
	sqlite := strings.HasPrefix(dsn, "sqlite:")
	failing := []string{`INSERT INTO n (v) VALUES (1)`, `INSERT INTO n (v) VALUES (1) RETURNING v`}
	update(t, s, func(tx *store.Tx) error {
		if err := tx.Exec(t.Context(), `CREATE TABLE n (v INTEGER PRIMARY KEY, b TEXT)`); err != nil {
			return err
		}
		return tx.Exec(t.Context(), `INSERT INTO n (v) VALUES (1)`)
	})
	if sqlite {
		failing = append(failing, `INSERT OR ROLLBACK INTO n (v) VALUES (1)`, `INSERT OR ROLLBACK INTO n (v) VALUES (1) RETURNING v`,
			`INSERT INTO n (v, b) VALUES (9, hex(zeroblob(1000000)))`)
	}
	p := event.Partition{Topic: "x"}
	for i, query := range failing {
		full := strings.Contains(query, "zeroblob")
		if full {
			update(t, s, func(tx *store.Tx) error { return tx.QueryRow(t.Context(), `PRAGMA max_page_count = 1`).Scan(new(any)) })
		}
		first, second := 10*(i+1), 10*(i+1)+1
		var after error
		var again error
		_, err := commit(t, s, store.Books{Advance: []store.Advance{{Partition: p, From: 0, To: 1, New: true}}}, func(tx *store.Tx) {
			insert := func(v int) error { return tx.Exec(t.Context(), `INSERT INTO n (v) VALUES ($1)`, v) }
			_ = insert(first)
			_ = tx.Append(message("k"))
			if strings.Contains(query, "RETURNING") {
				if tx.QueryRow(t.Context(), query).Scan(new(int)) == nil {
					t.Errorf("%s succeeds", query)
				}
			} else if _, err := tx.Affected(t.Context(), query); err == nil {
				t.Errorf("%s succeeds", query)
			}
			after, again = insert(second), tx.Again()
		})
		var n int
		if e := s.Reader().QueryRow(t.Context(), `SELECT COUNT(*) FROM n WHERE v IN ($1, $2)`, first, second).Scan(&n); e != nil {
			t.Fatal(e)
		}
		positions, e := s.Positions(t.Context())
		if e != nil {
			t.Fatal(e)
		}
		unsent, e := s.CountUnsent(t.Context())
		if e != nil {
			t.Fatal(e)
		}
		if all := n == 2 && len(positions) == 1 && len(unsent) == 1; err == nil && (!all || after != nil) || err != nil && n+len(positions)+len(unsent) > 0 {
			t.Errorf("after %s: the commit says %v, the next statement %v, and %d of 2 rows, %d positions and %v of the outbox are there", query, err, after, n, len(positions), unsent)
		}
		if strings.Contains(query, "ROLLBACK") && (!store.Ended(err) || !store.Ended(again) || !store.Ended(after)) {
			t.Errorf("after %s: the commit says %v, Again() %v, the next statement %v: want that the transaction has ended", query, err, again, after)
		}
		if full && (!errors.Is(err, store.ErrUnavailable) || !errors.Is(again, store.ErrUnavailable)) {
			t.Errorf("on a full disk the commit says %v, Again() %v, want ErrUnavailable", err, again)
		}
		if err == nil { // for the next
			update(t, s, func(tx *store.Tx) error { return tx.Exec(t.Context(), `DELETE FROM tutti_position`) })
			update(t, s, func(tx *store.Tx) error { return tx.Exec(t.Context(), `DELETE FROM tutti_outbox`) })
		}
	}
}

// testDeferred: a constraint that is deferred fails the commit, and after that the
// savepoint of the one who does not meet it.
func testDeferred(t *testing.T, dsn string) {
	s := open(t, dsn, config())
	if _, _, err := s.TakeLane(t.Context()); err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx *store.Tx) error { return tx.Exec(t.Context(), `CREATE TABLE parent (id TEXT PRIMARY KEY)`) })
	update(t, s, func(tx *store.Tx) error {
		return tx.Exec(t.Context(), `CREATE TABLE child (id TEXT NOT NULL REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)`)
	})
	insert := func(tx *store.Tx, table, id string) error {
		return tx.Exec(t.Context(), `INSERT INTO `+table+` (id) VALUES ($1)`, id)
	}
	var failed []string
	attempt := func() error {
		_, err := commit(t, s, store.Books{}, func(tx *store.Tx) {
			for _, c := range []struct{ child, parent string }{{"a", "a"}, {"bad", ""}, {"b", "b"}} { // children first
				failure, broken := tx.Savepoint(t.Context(), func() error {
					err := insert(tx, "child", c.child)
					if c.parent != "" {
						err = errors.Join(err, insert(tx, "parent", c.parent))
					}
					return err
				})
				if broken != nil {
					t.Fatal(broken)
				}
				if failure != nil {
					failed = append(failed, c.child)
				}
			}
		})
		return err
	}
	if err := attempt(); !store.Late(err) {
		t.Fatalf("Commit() = %v, want the failure of a constraint, as one that comes late", err)
	}
	if err := attempt(); err != nil || len(failed) != 1 || failed[0] != "bad" {
		t.Fatalf("Commit() = %v, and the savepoints of %v failed: want only that of bad", err, failed)
	}
	var n int
	if err := s.Reader().QueryRow(t.Context(), `SELECT COUNT(*) FROM child`).Scan(&n); err != nil || n != 2 {
		t.Errorf("%d children, %v, want a and b", n, err)
	}
}

func testJobs(t *testing.T, dsn string) {
	s := open(t, dsn, config())
	if _, _, err := s.TakeLane(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	done, err := commit(t, s, store.Books{}, func(tx *store.Tx) {
		for _, j := range []store.Job{{Kind: "k", ID: "1"}, {Kind: "k", ID: "1"}, {Kind: "k", ID: "2", Due: now.Add(time.Hour)}} {
			if err := tx.AddJob(t.Context(), j); err != nil {
				t.Fatal(err)
			}
		}
	})
	if err != nil || len(done.Jobs) != 2 || !done.Jobs[0].Running || done.Jobs[1].Running {
		t.Fatalf("jobs after the commit are %+v, %v, want 1 running and 2 waiting", done.Jobs, err)
	}
	due, next, err := s.DueJobs(t.Context(), now.Add(time.Minute), 10)
	if err != nil || len(due) != 0 || next.UnixMilli() != now.Add(time.Hour).UnixMilli() {
		t.Errorf("DueJobs() = %v, %v, %v, want none until in an hour: a running one is in memory", due, next, err)
	}
	s.Close()
	s = open(t, dsn, store.Config{Owner: "test"})
	if _, _, err := s.TakeLane(t.Context()); err != nil {
		t.Fatal(err)
	}
	if due, _, err = s.DueJobs(t.Context(), now.Add(time.Minute), 10); err != nil || len(due) != 1 || due[0].ID != "1" {
		t.Fatalf("DueJobs() after a crash = %v, %v, want 1, which was running", due, err)
	}
	update(t, s, func(tx *store.Tx) error {
		due[0].Attempts = 3
		return tx.RetryJob(t.Context(), due[0], time.Time{}, errors.New("broken"))
	})
	if due, _, err = s.DueJobs(t.Context(), now.Add(2*time.Hour), 10); err != nil || len(due) != 1 || due[0].ID != "2" {
		t.Errorf("DueJobs() = %v, %v, want only 2: 1 is dead", due, err)
	}
	update(t, s, func(tx *store.Tx) error {
		if ok, err := tx.ReviveJob(t.Context(), "k", "1"); err != nil || !ok {
			t.Errorf("ReviveJob() = %v, %v", ok, err)
		}
		if ok, err := tx.RemoveJob(t.Context(), "k", "2"); err != nil || !ok {
			t.Errorf("RemoveJob() = %v, %v", ok, err)
		}
		ok, err := tx.RemoveJob(t.Context(), "k", "2")
		if ok {
			t.Error("a job is removed twice")
		}
		return err
	})
}

// testJobsApart has jobs stored in a savepoint that is undone, also those that were added
// before it.
func testJobsApart(t *testing.T, dsn string) {
	s := open(t, dsn, config())
	if _, _, err := s.TakeLane(t.Context()); err != nil {
		t.Fatal(err)
	}
	add := func(tx *store.Tx, id string) {
		t.Helper()
		if err := tx.AddJob(t.Context(), store.Job{Kind: "k", ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := commit(t, s, store.Books{}, func(tx *store.Tx) { add(tx, "old") }); err != nil {
		t.Fatal(err)
	}
	failed := errors.New("failed")
	done, err := commit(t, s, store.Books{}, func(tx *store.Tx) {
		add(tx, "before")
		err, broken := tx.Savepoint(t.Context(), func() error {
			add(tx, "undone")
			if there, err := tx.RemoveJob(t.Context(), "k", "before"); !there || err != nil {
				t.Errorf("RemoveJob() = %v, %v, want it there", there, err)
			}
			return failed
		})
		if !errors.Is(err, failed) || broken != nil {
			t.Errorf("Savepoint() = %v, %v, want it failed", err, broken)
		}
		add(tx, "old")
		add(tx, "after")
		if j, err := tx.JobAt(t.Context(), "k", "after"); err != nil || j.ID != "after" {
			t.Errorf("JobAt() = %+v, %v, want the job that this transaction has added", j, err)
		}
	})
	if err != nil || len(done.Jobs) != 2 || done.Jobs[0].ID != "before" || done.Jobs[1].ID != "after" {
		t.Errorf("jobs after the commit are %+v, %v, want before and after: nobody has old twice", done.Jobs, err)
	}
	all, err := s.Jobs(t.Context(), 10)
	if err != nil || len(all) != 3 {
		t.Errorf("Jobs() = %+v, %v, want old, before and after", all, err)
	}
}

func testParked(t *testing.T, dsn string) {
	s := open(t, dsn, config())
	p := event.Partition{Topic: "x", Number: 0}
	park := func(offset int64, key string, state store.State) {
		update(t, s, func(tx *store.Tx) error {
			return tx.Park(t.Context(), store.Parked{Partition: p, Offset: offset, State: state, Error: "50% _broken_", Due: time.UnixMilli(5),
				Record: event.Record{Key: []byte(key), Value: []byte("v"), Headers: []event.Header{{Key: "h", Value: []byte{0xff}}}}})
		})
	}
	park(3, "a", store.StateDead)
	park(5, "a", store.StateWaiting)
	park(7, "a", store.StateWaiting)
	park(4, "b", store.StateRetry)
	keys, size, err := s.ParkedKeys(t.Context(), p)
	if err != nil || keys["a"] != 3 || keys["b"] != 1 || size != 4*8 {
		t.Errorf("ParkedKeys() = %v, %d bytes, %v", keys, size, err)
	}
	for _, c := range []struct {
		sel  store.Selection
		want int
	}{{store.Selection{}, 4}, {store.Selection{State: store.StateDead}, 1}, {store.Selection{Key: "a"}, 3}, {store.Selection{Error: "50% _"}, 4},
		{store.Selection{Error: "50%_"}, 0}, {store.Selection{Topic: "y"}, 0}, {store.Selection{Limit: 2}, 2}} {
		if got, err := s.ListParked(t.Context(), c.sel); err != nil || len(got) != c.want {
			t.Errorf("ListParked(%+v) has %d, %v, want %d", c.sel, len(got), err, c.want)
		}
	}
	fails := func(fn func(tx *store.Tx) error) {
		t.Helper()
		if err := s.Update(t.Context(), fn); !errors.Is(err, store.ErrNoRows) {
			t.Errorf("a change of a record that is not dead = %v, want ErrNoRows", err)
		}
	}
	fails(func(tx *store.Tx) error { return tx.Redrive(t.Context(), p, 5) })
	fails(func(tx *store.Tx) error { return tx.Discard(t.Context(), p, 4, []byte("b")) })
	update(t, s, func(tx *store.Tx) error { return tx.Edit(t.Context(), p, 3, []byte("new")) })
	if _, size, err := s.ParkedKeys(t.Context(), p); err != nil || size != 4*8+2 {
		t.Errorf("ParkedKeys() has %d bytes, %v, after a body became 2 longer", size, err)
	}
	update(t, s, func(tx *store.Tx) error { return tx.Discard(t.Context(), p, 3, []byte("a")) })
	if _, size, err := s.ParkedKeys(t.Context(), p); err != nil || size != 3*8 {
		t.Errorf("ParkedKeys() has %d bytes, %v, after one of 10 was discarded", size, err)
	}
	due, _, err := s.DueParked(t.Context(), time.Now(), 10, nil)
	if err != nil || len(due) != 2 || due[1].Offset != 5 {
		t.Errorf("DueParked() = %+v, %v, want 4, and 5 that waited behind the discarded 3", due, err)
	}
	for _, c := range []struct {
		owned store.Owned
		want  int
	}{{store.Owned{Read: []string{"x"}}, 0}, {store.Owned{Partitions: []event.Partition{p}, Read: []string{"x"}}, 1},
		{store.Owned{Partitions: []event.Partition{{Topic: "x", Number: 1}}, Read: []string{"y", "x"}}, 0}, {store.Owned{Read: []string{"y"}}, 1}} {
		if due, _, err := s.DueParked(t.Context(), time.Now(), 1, &c.owned); err != nil || len(due) != c.want {
			t.Errorf("DueParked() of %+v has %d, %v, want %d", c.owned, len(due), err, c.want)
		}
	}
	update(t, s, func(tx *store.Tx) error {
		r, err := tx.ToRetry(t.Context(), p, 4)
		if err == nil && (r.Record.Headers[0].Value[0] != 0xff || r.Key() != "b") {
			t.Errorf("the record is %+v, want it as it was", r.Record)
		}
		return err
	})
}

func testMigrations(t *testing.T, dsn string) {
	s := open(t, dsn, config())
	files := fstest.MapFS{"0001_a.sql": {Data: []byte("CREATE TABLE a (v TEXT); -- one; two\nINSERT INTO a (v) VALUES ('x;y');")}}
	for range 2 {
		if err := s.Migrate(t.Context(), files); err != nil {
			t.Fatal(err)
		}
	}
	var v string
	if err := s.Reader().QueryRow(t.Context(), `SELECT v FROM a`).Scan(&v); err != nil || v != "x;y" {
		t.Errorf("a holds %q, %v, want x;y once", v, err)
	}
	files["0002_b.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE b (v TEXT); CREATE TABEL c (v TEXT)")}
	if err := s.Migrate(t.Context(), files); err == nil || !strings.Contains(err.Error(), "0002_b.sql") {
		t.Errorf("Migrate() of nonsense = %v, want an error that names the file", err)
	}
	files["0002_b.sql"].Data = []byte("CREATE TABLE b (v TEXT)")
	if err := s.Migrate(t.Context(), files); err != nil {
		t.Errorf("Migrate() after the mend = %v: nothing of a failed migration may stay", err)
	}
	files["0001_a.sql"].Data = []byte("CREATE TABLE a (w TEXT)")
	if err := s.Migrate(t.Context(), files); err == nil || !strings.Contains(err.Error(), "changed after") {
		t.Errorf("Migrate() of a changed file = %v, want an error", err)
	}
	if err := s.Migrate(t.Context(), fstest.MapFS{"a.sql": {}}); err == nil || !strings.Contains(err.Error(), "0001_orders.sql") {
		t.Errorf("Migrate() of a file without a number = %v, want an error that shows a name", err)
	}
}

func testIdentity(t *testing.T, dsn string) {
	s := open(t, dsn, config())
	name := s.Name()
	s.Close()
	cfg := config()
	cfg.Owner = "other"
	if _, err := store.Open(t.Context(), dsn, cfg); err == nil || !strings.Contains(err.Error(), `belongs to service "test"`) {
		t.Errorf("Open() by another service = %v, want an error that names the owner", err)
	}
	s = open(t, dsn, config())
	if s.Name() != name {
		t.Errorf("Name() = %s, want %s as before", s.Name(), name)
	}
	if err := s.Reincarnate(t.Context()); err != nil || s.Name() == name {
		t.Errorf("Reincarnate() leaves the name %s, %v", s.Name(), err)
	}
}

func testGaps(t *testing.T, dsn string) {
	s := open(t, dsn, config())
	if _, _, err := s.TakeLane(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := event.Partition{Topic: "x", Number: 1}
	gap := func(lane string, last, seq, offset int64) store.Gap {
		return store.Gap{Partition: p, Lane: lane, Last: last, Seq: seq, Offset: offset, Since: time.UnixMilli(5).UTC()}
	}
	a, b, c, d := gap("a", 3, 5, 10), gap("b", 0, 2, 11), gap("c", 7, 9, 2), gap("d", 1, 3, 13)
	if _, err := commit(t, s, store.Books{
		Advance: []store.Advance{{Partition: p, From: 0, To: 20, New: true}}, Opened: []store.Gap{a, b, c, d},
		Seen: []store.Seen{{Partition: p, Lane: "a", Seq: 3}, {Partition: p, Lane: "c", Seq: 7}, {Partition: p, Lane: "d", Seq: 1}, {Partition: p, Lane: "other", Seq: 6}},
	}, nothing); err != nil {
		t.Fatal(err)
	}
	if _, err := commit(t, s, store.Books{Closed: []store.Gap{d, c}, Opened: []store.Gap{c}}, nothing); err != nil { // found, and missing again
		t.Fatal(err)
	}
	if got, err := s.GapsIn(t.Context(), p); err != nil || len(got) != 3 || got["a"] != a || got["c"] != c {
		t.Errorf("GapsIn() = %v, %v, want those of a, b and c", got, err)
	}
	update(t, s, func(tx *store.Tx) error {
		for _, g := range []store.Gap{a, b} {
			if next, err := tx.GoBack(t.Context(), g, 5); err != nil || next != g.Offset {
				t.Errorf("GoBack() of lane %s = %d, %v", g.Lane, next, err)
			}
		}
		return nil
	})
	positions, err := s.Positions(t.Context())
	seen, e := s.SeenIn(t.Context(), p)
	if err != nil || e != nil || positions[p] != (store.Position{Next: 10}) || seen["a"] != 4 || seen["b"] != 1 || seen["other"] != 6 || seen["c"] != 7 {
		t.Errorf("after going back: %v and %v, %v, want offset 10, and a and b at the number before the one there", positions, seen, errors.Join(err, e))
	}
	update(t, s, func(tx *store.Tx) error {
		next, err := tx.GoBack(t.Context(), c, 5)
		if next != 5 {
			t.Errorf("GoBack() = %d, want where the log begins, 5", next)
		}
		return err
	})
	positions, err = s.Positions(t.Context())
	seen, e = s.SeenIn(t.Context(), p)
	if _, known := seen["c"]; err != nil || e != nil || known || positions[p] != (store.Position{Next: 5, Origin: -1}) {
		t.Errorf("after going back behind what the log holds: %v and %v, %v, want offset 5, and nothing known of c", positions, seen, errors.Join(err, e))
	}
	if open, err := s.Gaps(t.Context()); err != nil || len(open) != 0 {
		t.Errorf("Gaps() = %v, %v, want none", open, err)
	}
}

func testForeign(t *testing.T, dsn string) {
	s := open(t, dsn, config())
	p := event.Partition{Topic: "x"}
	first := func(id string, offset int64) (ok bool) {
		update(t, s, func(tx *store.Tx) (err error) {
			ok, err = tx.FirstForeign(t.Context(), "/erp", id, p, offset)
			return err
		})
		return ok
	}
	if !first("1", 10) || first("1", 11) || !first("2", 12) {
		t.Error("a message counts as new twice, or never")
	}
	update(t, s, func(tx *store.Tx) error {
		if more, err := tx.ForgetForeign(t.Context(), p, 11, 100); more || err != nil {
			t.Errorf("ForgetForeign() = %v, %v, want that this was all", more, err)
		}
		return nil
	})
	if !first("1", 20) || first("2", 21) {
		t.Error("what the log no longer holds is remembered, or what it holds is not")
	}
	for steps := 1; ; steps++ { // 2 at 12, 1 at 20
		var more bool
		update(t, s, func(tx *store.Tx) (err error) {
			more, err = tx.ForgetForeign(t.Context(), p, 100, 5)
			return err
		})
		if !more {
			if steps != 3 || !first("1", 200) || !first("2", 201) {
				t.Errorf("all is forgotten after %d steps, want 3", steps)
			}
			break
		}
	}
}

// TestAppendedAtOnce: a transaction takes as much as a database stores in a row.
func TestAppendedAtOnce(t *testing.T) {
	s := open(t, "sqlite:"+filepath.Join(t.TempDir(), "full.db"), config())
	tx, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	m := message("k")
	m.Data = make([]byte, event.MaxData)
	for err == nil {
		err = tx.Append(m)
	}
	if full := tx.Appended(); full < 200<<20 || full > 300<<20 || event.Rejected(err) {
		t.Errorf("a transaction takes %d bytes, and then fails with %v, want about 256 MB, and an error that is no verdict on the last", full, err)
	}
	before := tx.Appended()
	m.Data = m.Data[:1000]
	if failure, broken := tx.Savepoint(t.Context(), func() error { return errors.Join(tx.Append(m), errors.New("no")) }); failure == nil || broken != nil {
		t.Errorf("Savepoint() = %v, %v, want its failure", failure, broken)
	}
	if tx.Appended() != before {
		t.Errorf("%d bytes are appended after a savepoint was undone, want %d", tx.Appended(), before)
	}
}

func testLimits(t *testing.T, dsn string) {
	s := open(t, dsn, config())
	if _, _, err := s.TakeLane(t.Context()); err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx *store.Tx) error {
		other := message("k")
		other.Contract.Version = 2
		if err := tx.Append(other); !errors.Is(err, store.ErrUndeclared) {
			t.Errorf("Append() of what is not declared = %v", err)
		}
		for _, m := range []event.Outgoing{message(""), message(strings.Repeat("k", 2000)), {Contract: made, Key: "k", Data: make([]byte, 1<<20)}} {
			if err := tx.Append(m); !event.Rejected(err) {
				t.Errorf("Append() of a key of %d and a body of %d bytes = %v, want it rejected", len(m.Key), len(m.Data), err)
			}
		}
		return nil
	})
}

func TestOneProcessOnly(t *testing.T) {
	dsn := databases["sqlite"](t)
	open(t, dsn, store.Config{Owner: "test"})
	if _, err := store.Open(t.Context(), dsn, store.Config{Owner: "test"}); !errors.Is(err, lock.ErrHeld) {
		t.Errorf("a second Open() = %v, want ErrHeld", err)
	}
}

func TestOpenErrors(t *testing.T) {
	for dsn, want := range map[string]string{
		"mysql://x": "mysql", "sqlite:": "path is empty", "sqlite:/dev/null/x.db": "/dev/null",
		"postgres:/x": "want sqlite:PATH or postgres://", "postgresql:": "want sqlite:PATH or postgres://", "Postgres://me@127.0.0.1/x": "want sqlite:PATH or postgres://",
	} {
		if _, err := store.Open(context.Background(), dsn, store.Config{Owner: "test"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%q) = %v, want an error that names %q", dsn, err, want)
		}
	}
}

// Schema names the schema, and leaves the rest of a URL as it is.
func TestSchema(t *testing.T) {
	for dsn, want := range map[string]string{
		"postgres://me:a%2Fb@h:5/shop":                                      "postgres://me:a%2Fb@h:5/shop?search_path=my_service",
		"postgresql://h/shop?sslmode=require#x":                             "postgresql://h/shop?search_path=my_service&sslmode=require",
		"postgres://h/shop?search_path=blue":                                "postgres://h/shop?search_path=blue_my_service",
		"postgres:///shop?host=/run/postgresql":                             "postgres:///shop?host=%2Frun%2Fpostgresql&search_path=my_service",
		"postgres://?host=/run/postgresql&user=shop":                        "postgres://?host=%2Frun%2Fpostgresql&search_path=my_service&user=shop",
		"postgres://h/shop?options=-c%20geqo%3Doff&search_path=two%20words": "postgres://h/shop?options=-c%20geqo%3Doff&search_path=two%20words_my_service",
		"sqlite:a.db": "sqlite:a.db",
		"a.db":        "a.db",
	} {
		if got := store.Schema(dsn, "my-service"); got != want {
			t.Errorf("Schema(%q) = %q, want %q", dsn, got, want)
		}
	}
}

// TestCommentsInMigrations: what stands in comments separates no statements, and begins
// no text.
func TestCommentsInMigrations(t *testing.T) {
	for name, dsn := range databases {
		t.Run(name, func(t *testing.T) {
			s := open(t, dsn(t), config())
			if err := s.Migrate(t.Context(), fstest.MapFS{"0001_a.sql": {Data: []byte(`
				/* It's the first; others follow. */
				CREATE TABLE a (s TEXT NOT NULL DEFAULT '/*'); -- it's short
				CREATE TABLE b (s TEXT NOT NULL DEFAULT '*/');
				-- That is
				/* all; */
			`)}}); err != nil {
				t.Fatal(err)
			}
			for _, table := range []string{"a", "b"} {
				if there, err := s.HasTable(t.Context(), table); err != nil || !there {
					t.Errorf("HasTable(%s) = %v, %v, want true", table, there, err)
				}
			}
			update(t, s, func(tx *store.Tx) error { return tx.Exec(t.Context(), `INSERT INTO a DEFAULT VALUES`) })
		})
	}
}
