package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

// cutter is a network to PostgreSQL that breaks at a COMMIT.
type cutter struct {
	to      string
	before  atomic.Bool // the next COMMIT does not arrive
	answer  atomic.Bool // the next COMMIT arrives, and its answer does not
	delay   atomic.Bool // the next COMMIT arrives, once late is closed, after its sender has lost the connection
	late    chan struct{}
	arrived chan struct{} // closed once it is answered
	address string
}

func newCutter(t *testing.T, dsn string) (*cutter, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c := &cutter{to: u.Host, address: l.Addr().String()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.pass(conn)
		}
	}()
	u.Host = c.address
	return c, u.String()
}

func (c *cutter) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer server.Close()
	var silent atomic.Bool
	go func() {
		defer client.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil || silent.Load() {
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte("COMMIT")) {
			if c.before.CompareAndSwap(true, false) {
				return
			}
			silent.Store(c.answer.CompareAndSwap(true, false))
			if c.delay.CompareAndSwap(true, false) {
				client.Close()
				<-c.late
				defer close(c.arrived)
				_, _ = server.Write(buf[:n])
				time.Sleep(300 * time.Millisecond) // its answer has nobody to go to
				return
			}
		}
		if _, err := io.Copy(server, bytes.NewReader(buf[:n])); err != nil {
			return
		}
	}
}

// TestCommitInDoubt loses a COMMIT, and the answer to one: Commit knows which.
func TestCommitInDoubt(t *testing.T) {
	c, dsn := newCutter(t, tuttitest.Postgres(t))
	s := open(t, dsn, config())
	if _, _, err := s.TakeLane(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := event.Partition{Topic: "x"}
	send := func(from int64, first bool) (store.Committed, error) {
		return commit(t, s, store.Books{Advance: []store.Advance{{Partition: p, From: from, To: from + 1, New: first}}}, func(tx *store.Tx) {
			if err := tx.Append(message("a")); err != nil {
				t.Fatal(err)
			}
		})
	}
	if _, err := send(0, true); err != nil {
		t.Fatal(err)
	}
	c.before.Store(true)
	if _, err := send(1, false); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Commit() that did not arrive = %v, want ErrUnavailable", err)
	}
	c.answer.Store(true)
	done, err := send(1, false)
	if err != nil || len(done.Events) != 1 || done.Events[0].Seq != 2 {
		t.Errorf("Commit() without an answer = %+v, %v, want the event that was committed, with number 2", done, err)
	}
	if done, err = send(2, false); err != nil || done.Events[0].Seq != 3 {
		t.Errorf("the next Commit() = %+v, %v, want number 3", done, err)
	}
	if pos, err := s.Positions(t.Context()); err != nil || pos[p].Next != 3 {
		t.Errorf("Positions() = %v, %v, want 3: nothing was done twice", pos, err)
	}
}

// TestConflict lets two instances write one row: the second transaction can only be
// run again, whatever became of the error on its way.
func TestConflict(t *testing.T) {
	dsn := tuttitest.Postgres(t)
	one, two := open(t, dsn, config()), open(t, dsn, config())
	update(t, one, func(tx *store.Tx) error { return tx.Exec(t.Context(), `CREATE TABLE n (v BIGINT NOT NULL)`) })
	update(t, one, func(tx *store.Tx) error { return tx.Exec(t.Context(), `INSERT INTO n (v) VALUES (0)`) })
	add := func(tx *store.Tx) error { return tx.Exec(t.Context(), `UPDATE n SET v = v + 1`) }
	runs := 0
	update(t, two, func(tx *store.Tx) error {
		runs++
		var v int64
		if err := tx.QueryRow(t.Context(), `SELECT v FROM n`).Scan(&v); err != nil {
			return err
		}
		if runs == 1 {
			update(t, one, add)
		}
		failure, broken := tx.Savepoint(t.Context(), func() error {
			if err := add(tx); err != nil {
				return errors.New("told otherwise")
			}
			return tx.QueryRow(t.Context(), `SELECT v FROM n`).Scan(&v)
		})
		if runs == 1 && !errors.Is(broken, store.ErrConflict) {
			t.Errorf("Savepoint() = %v, %v, want it broken by ErrConflict", failure, broken)
		}
		return errors.Join(failure, broken)
	})
	var v int64
	if err := one.Reader().QueryRow(t.Context(), `SELECT v FROM n`).Scan(&v); err != nil || v != 2 || runs != 2 {
		t.Errorf("n is %d after %d runs, %v, want 2 after 2", v, runs, err)
	}
}

// TestPipelined lets statements without a result fail: the error meets the savepoint
// they belong to, or is known for what it is.
func TestPipelined(t *testing.T) {
	s := open(t, tuttitest.Postgres(t), config())
	update(t, s, func(tx *store.Tx) error {
		return tx.Exec(t.Context(), `CREATE TABLE n (v BIGINT PRIMARY KEY, s TEXT, b BYTEA, ok INTEGER)`)
	})
	insert := func(tx *store.Tx, v int) error {
		return tx.Exec(t.Context(), `INSERT INTO n (v, ok) VALUES ($1, $2)`, v, v%2 == 0)
	}
	_, err := commit(t, s, store.Books{}, func(tx *store.Tx) {
		if err := errors.Join(insert(tx, 1), insert(tx, 1)); err != nil {
			t.Errorf("Exec() = %v: it was not pipelined", err)
		}
	})
	if !store.Late(err) || !strings.Contains(err.Error(), "INSERT INTO n") {
		t.Errorf("Commit() = %v, want the late error of the statement", err)
	}
	if _, err := commit(t, s, store.Books{}, func(tx *store.Tx) {
		for v, want := range map[int]bool{2: true, 3: true, 4: false} {
			failure, broken := tx.Savepoint(t.Context(), func() error {
				if !want {
					_ = insert(tx, v)
				}
				return insert(tx, v)
			})
			if broken != nil || (failure == nil) != want {
				t.Errorf("Savepoint() of %d = %v, %v", v, failure, broken)
			}
		}
	}); err != nil {
		t.Error(err)
	}
	big := bytes.Repeat([]byte{0, 0xff}, 5<<20)
	update(t, s, func(tx *store.Tx) error {
		for _, text := range []string{"nul \x00 inside", "not \xff UTF-8"} {
			if err := tx.Exec(t.Context(), `INSERT INTO n (v, s) VALUES (9, $1)`, text); !event.Rejected(err) {
				t.Errorf("Exec() with %q = %v, want it rejected", text, err)
			}
		}
		return tx.Exec(t.Context(), `INSERT INTO n (v, b) VALUES (9, $1)`, big)
	})
	var got []byte
	var n int
	var ok bool
	if err := errors.Join(s.Reader().QueryRow(t.Context(), `SELECT b FROM n WHERE v = 9`).Scan(&got),
		s.Reader().QueryRow(t.Context(), `SELECT COUNT(*) FROM n`).Scan(&n),
		s.Reader().QueryRow(t.Context(), `SELECT ok FROM n WHERE v = 2`).Scan(&ok)); err != nil || !bytes.Equal(got, big) || n != 3 || !ok {
		t.Errorf("%d rows, %d bytes, %v, %v, want 3 rows, the bytes, and true", n, len(got), ok, err)
	}
}

// TestPlansAreMadeAnew waits until they are, in a transaction that is as isolated as any.
// That they are better then, only time and a growing table show: see bench/.
func TestPlansAreMadeAnew(t *testing.T) {
	s := open(t, databases["postgres"](t), config())
	for range 2 {
		update(t, s, func(tx *store.Tx) error {
			var level string
			err := tx.QueryRow(t.Context(), `SHOW transaction_isolation`).Scan(&level)
			if level != "repeatable read" {
				t.Errorf("the transaction is %q, want it repeatable read", level)
			}
			return err
		})
		time.Sleep(1100 * time.Millisecond)
	}
}

// TestJobInDoubt loses the answer to the COMMIT of a job: it is stored as running, so
// somebody has to run it.
func TestJobInDoubt(t *testing.T) {
	c, dsn := newCutter(t, tuttitest.Postgres(t))
	s := open(t, dsn, config())
	if _, _, err := s.TakeLane(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b"} {
		c.answer.Store(id == "b")
		done, err := commit(t, s, store.Books{}, func(tx *store.Tx) {
			if err := errors.Join(tx.AddJob(t.Context(), store.Job{Kind: "k", ID: id}), tx.Append(message("a"))); err != nil {
				t.Fatal(err)
			}
		})
		if err != nil || len(done.Jobs) != 1 {
			t.Errorf("Commit() of job %s = %+v, %v, want it", id, done.Jobs, err)
		}
	}
}

// TestLateBesideJobs has a statement fail that is sent because a job is to be stored.
func TestLateBesideJobs(t *testing.T) {
	for name, size := range map[string]int{"first job of the connection": 0, "large job": 2 << 20} {
		t.Run(name, func(t *testing.T) {
			s := open(t, tuttitest.Postgres(t), config())
			if _, _, err := s.TakeLane(t.Context()); err != nil {
				t.Fatal(err)
			}
			const insert = `INSERT INTO n (v) VALUES ($1)`
			update(t, s, func(tx *store.Tx) error { return tx.Exec(t.Context(), `CREATE TABLE n (v INTEGER PRIMARY KEY)`) })
			update(t, s, func(tx *store.Tx) error { return tx.Exec(t.Context(), insert, 1) })
			if size > 0 {
				update(t, s, func(tx *store.Tx) error { return tx.AddJob(t.Context(), store.Job{Kind: "k", ID: "0"}) })
			}
			_, err := commit(t, s, store.Books{}, func(tx *store.Tx) {
				err, broken := tx.Apart(t.Context(), func() error {
					return errors.Join(tx.Exec(t.Context(), insert, 1), tx.AddJob(t.Context(), store.Job{Kind: "k", ID: "1", Args: make([]byte, size)}))
				})
				if err != nil || broken != nil {
					t.Fatal(err, broken)
				}
			})
			if !store.Late(err) {
				t.Errorf("Commit() = %v, want it late", err)
			}
		})
	}
}

// TestFastCompression has large values compressed by what costs least, unless somebody
// has chosen otherwise.
func TestFastCompression(t *testing.T) {
	dsn := tuttitest.Postgres(t)
	for _, c := range []struct{ dsn, want string }{{dsn, "lz4"}, {dsn + "&default_toast_compression=pglz", "pglz"}} {
		s := open(t, c.dsn, config())
		var can bool
		if err := s.Reader().QueryRow(t.Context(), `SELECT COUNT(*) > 0 FROM pg_settings WHERE 'lz4' = ANY (enumvals)`).Scan(&can); err != nil {
			t.Fatal(err)
		}
		if !can {
			t.Skip("this server was built without lz4")
		}
		update(t, s, func(tx *store.Tx) error {
			var got string
			err := tx.QueryRow(t.Context(), `SHOW default_toast_compression`).Scan(&got)
			if got != c.want {
				t.Errorf("values are compressed by %s, want %s", got, c.want)
			}
			return err
		})
	}
}

// TestJobsAreFoundByID has the plan that deletes jobs not go through the index for all
// jobs of their kind, also while nobody has analyzed the table.
func TestJobsAreFoundByID(t *testing.T) {
	s := open(t, tuttitest.Postgres(t), config())
	update(t, s, func(tx *store.Tx) error {
		err := tx.Exec(t.Context(), `INSERT INTO tutti_job (kind, id, lane, due, state, attempts, args, cause, error)
			SELECT 'wake', 'j' || n, 1, n, 'waiting', 0, '', '', '' FROM generate_series(1, 1000) n`)
		if err != nil {
			return err
		}
		plan, err := store.Collect(t.Context(), tx, func(r store.Rows) (line string, err error) { return line, r.Scan(&line) },
			`EXPLAIN DELETE FROM tutti_job WHERE kind = 'wake' AND id IN ('j`+strings.Join(strings.Fields("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"), "', 'j")+`')`)
		if text := strings.Join(plan, "\n"); strings.Contains(text, "Index Cond: (kind = 'wake'::text)") {
			t.Errorf("the plan is\n%s\nwant it to look the ids up", text)
		}
		return err
	})
}

// TestParkedBesideAnother: an instance that does not read a partition changes what is
// parked there, or did so before it lost it, while the one that reads it parks more. No
// record may be left to wait behind none.
func TestParkedBesideAnother(t *testing.T) {
	p := event.Partition{Topic: "test.thing"}
	key := []byte("k")
	park := func(tx *store.Tx, offset int64, state store.State) error {
		return tx.Park(t.Context(), store.Parked{Partition: p, Offset: offset, State: state, Due: tx.Now(), Record: event.Record{Key: key}})
	}
	type change struct {
		fn    func(tx *store.Tx) error
		books store.Books
	}
	handle := func(tx *store.Tx) error { // the first
		if err := tx.Unpark(t.Context(), p, 10); err != nil {
			return err
		}
		next, err := tx.Behind(t.Context(), p, key, 10)
		if err == nil && next.State == store.StateWaiting {
			next.State = store.StateRetry
			return tx.Repark(t.Context(), next)
		}
		if errors.Is(err, store.ErrNoRows) {
			return nil
		}
		return err
	}
	reads := change{func(tx *store.Tx) error { // a record of the key
		waits, err := tx.ParkedBefore(t.Context(), p, key, 20)
		if err != nil || !waits {
			return err
		}
		return park(tx, 20, store.StateWaiting)
	}, store.Books{Advance: []store.Advance{{Partition: p, From: 20, To: 21}}}}
	for name, c := range map[string]struct {
		first, second store.State // at 10 and at 15; "": none
		other, reader change
	}{
		"discarded": {store.StateDead, "", change{fn: func(tx *store.Tx) error { return tx.Discard(t.Context(), p, 10, key) }}, reads},
		"handled":   {store.StateRetry, "", change{fn: handle}, reads},
		"redriven":  {store.StateRetry, store.StateDead, change{fn: func(tx *store.Tx) error { return tx.Redrive(t.Context(), p, 15) }}, change{fn: handle}},
	} {
		for order, otherFirst := range map[string]bool{"before": true, "after": false} {
			t.Run(name+" "+order, func(t *testing.T) {
				dsn := databases["postgres"](t)
				other, reader := open(t, dsn, config()), open(t, dsn, config())
				for _, s := range []*store.Store{other, reader} {
					if _, _, err := s.TakeLane(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := commit(t, reader, store.Books{Advance: []store.Advance{{Partition: p, To: 20, New: true}}}, func(tx *store.Tx) {
					err := park(tx, 10, c.first)
					if err == nil && c.second != "" {
						err = park(tx, 15, c.second)
					}
					if err != nil {
						t.Fatal(err)
					}
				}); err != nil {
					t.Fatal(err)
				}
				begin := func(s *store.Store) *store.Tx { // what is committed from now on, it does not see
					tx, err := s.Begin(t.Context())
					if err == nil {
						err = tx.QueryRow(t.Context(), `SELECT 1`).Scan(new(int))
					}
					if err != nil {
						t.Fatal(err)
					}
					return tx
				}
				run := func(s *store.Store, tx *store.Tx, do change) {
					for ; ; tx = begin(s) {
						err := do.fn(tx)
						if err == nil {
							_, err = tx.Commit(t.Context(), do.books)
						}
						tx.Rollback()
						if err == nil {
							return
						}
						if !errors.Is(err, store.ErrConflict) {
							t.Fatal(err)
						}
					}
				}
				if otherFirst {
					late := begin(reader)
					run(other, begin(other), c.other)
					run(reader, late, c.reader)
				} else {
					late := begin(other)
					run(reader, begin(reader), c.reader)
					run(other, late, c.other)
				}
				all, err := reader.ListParked(t.Context(), store.Selection{})
				if err != nil {
					t.Fatal(err)
				}
				if len(all) > 0 && all[0].State == store.StateWaiting {
					t.Errorf("the first of %d parked records waits behind none", len(all))
				}
			})
		}
	}
}

// TestAbandonedReadsNoJobs: whether a lane that was given up has left jobs is known without
// reading those of all others. Each instance asks every few seconds.
func TestAbandonedReadsNoJobs(t *testing.T) {
	dsn := databases["postgres"](t)
	gone, s := open(t, dsn, config()), open(t, dsn, config())
	for _, each := range []*store.Store{gone, s} {
		if _, _, err := each.TakeLane(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	update(t, s, func(tx *store.Tx) error {
		for n := range 5000 {
			if err := tx.AddJob(t.Context(), store.Job{Kind: "timer", ID: fmt.Sprint(n), Due: time.Now().Add(time.Hour)}); err != nil {
				return err
			}
		}
		return nil
	})
	update(t, gone, func(tx *store.Tx) error { return tx.AddJob(t.Context(), store.Job{Kind: "call", ID: "running"}) })
	update(t, s, func(tx *store.Tx) error { return tx.Exec(t.Context(), `ANALYZE tutti_job`) })
	if err := gone.ReleaseLane(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, err := s.Abandoned(t.Context()); err != nil || !left {
		t.Fatalf("Abandoned() = %v, %v, want true: a job was running", left, err)
	}
	if _, _, err := s.AdoptLane(t.Context()); err != nil {
		t.Fatal(err)
	}
	reads := func() (n int) {
		time.Sleep(1100 * time.Millisecond) // the server counts once a second
		if err := s.Reader().QueryRow(t.Context(), `SELECT seq_scan FROM pg_stat_user_tables WHERE schemaname = current_schema() AND relname = 'tutti_job'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	look := func() {
		if left, err := s.Abandoned(t.Context()); err != nil || left {
			t.Fatalf("Abandoned() = %v, %v, want false", left, err)
		}
	}
	look()
	before := reads()
	const looks = 20
	for range looks {
		look()
	}
	reads()
	look() // each connection counts when it is used again
	if n := reads() - before; n > looks/2 {
		t.Errorf("all jobs were read %d times", n)
	}
}

// TestUnusedLeavesLanes: who has looked whether anybody holds a lane does not keep those
// that start again from theirs.
func TestUnusedLeavesLanes(t *testing.T) {
	dsn := tuttitest.Postgres(t)
	lanes := func() (names []string, close func()) {
		first, second := open(t, dsn, config()), open(t, dsn, config())
		for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) { // the server takes its time to notice who is gone
			err := first.Unused(t.Context())
			if err == nil {
				break
			}
			if time.Since(begun) > 10*time.Second {
				t.Fatal(err)
			}
		}
		for _, s := range []*store.Store{first, second} {
			lane, _, err := s.TakeLane(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, lane.Name)
		}
		return names, func() { first.Close(); second.Close() }
	}
	before, crash := lanes()
	crash()
	after, _ := lanes()
	if !slices.Equal(before, after) {
		t.Errorf("instances that start again after a crash hold %v, want %v as before", after, before)
	}
}

// takeLane opens a store that holds a lane, and says which.
func takeLane(t *testing.T, dsn string) (s *store.Store, lane string) {
	t.Helper()
	s = open(t, dsn, config())
	l, _, err := s.TakeLane(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s, l.Name
}

// awaitGrip commits until the store's connection is tied to lane 0: the server takes its
// time to notice that one before is gone.
func awaitGrip(t *testing.T, s *store.Store) {
	t.Helper()
	for range 1000 {
		n := 0
		update(t, s, func(tx *store.Tx) error {
			return tx.QueryRow(t.Context(), `SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()
				AND (classid::bigint << 32 | objid::bigint) = hashtextextended('tutti ' || current_schema() || ' 0', 8)`).Scan(&n)
		})
		if n > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the connection is not tied to its lane")
}

// TestLaneOfFrozenHolder: who took a lane while the connection of its frozen holder was
// there holds it like any other once that is gone.
func TestLaneOfFrozenHolder(t *testing.T) {
	dsn := tuttitest.Postgres(t)
	frozen, first := takeLane(t, dsn)
	other := open(t, dsn, config())
	update(t, other, func(tx *store.Tx) error { // as who has sent what it left
		return tx.Exec(t.Context(), `UPDATE tutti_lane SET epoch = epoch + 1, alive = 0`)
	})
	holder, again := takeLane(t, dsn)
	frozen.Close()
	awaitGrip(t, holder)
	if _, next := takeLane(t, dsn); again != first || next == first {
		t.Errorf("lanes are %s, %s and %s, want the first one twice, and then another", first, again, next)
	}
	update(t, holder, func(*store.Tx) error { return nil })
}

// TestLaneOfCutHolder: who lives and has lost its connection, which the server notices
// late, keeps its lane once it has.
func TestLaneOfCutHolder(t *testing.T) {
	dsn := tuttitest.Postgres(t)
	holder, first := takeLane(t, dsn)
	server, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close(context.Background())
	if _, err := server.Exec(t.Context(), `SELECT pg_terminate_backend(l.pid) FROM pg_locks l, LATERAL (SELECT hashtextextended('tutti ' || current_schema() || ' 0', 8) AS h) k
		WHERE l.locktype = 'advisory' AND (l.classid::bigint << 32 | l.objid::bigint) = h`); err != nil {
		t.Fatal(err)
	}
	grip := func() (free bool) { // as the old connection's, for a while
		if err := server.QueryRow(t.Context(), `SELECT pg_try_advisory_lock(hashtextextended('tutti ' || current_schema() || ' 0', 8))`).Scan(&free); err != nil {
			t.Fatal(err)
		}
		return free
	}
	for !grip() {
		time.Sleep(10 * time.Millisecond)
	}
	beat := func() error { return holder.Update(t.Context(), func(*store.Tx) error { return nil }) }
	if err := beat(); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("Update() over a connection that is gone = %v, want ErrUnavailable", err)
	}
	if err := beat(); err != nil {
		t.Fatal(err)
	}
	server.Close(t.Context())
	awaitGrip(t, holder)
	if _, next := takeLane(t, dsn); next == first {
		t.Errorf("another instance took lane %s, whose holder lives", next)
	}
	if err := beat(); err != nil {
		t.Error(err)
	}
}

// TestCommitThatComesLate loses a connection in a COMMIT that arrives only after it was
// looked for: nothing is done twice.
func TestCommitThatComesLate(t *testing.T) {
	c, dsn := newCutter(t, tuttitest.Postgres(t))
	s := open(t, dsn, config())
	update(t, s, func(tx *store.Tx) error { return tx.Exec(t.Context(), `CREATE TABLE n (v BIGINT NOT NULL)`) })
	if _, _, err := s.TakeLane(t.Context()); err != nil {
		t.Fatal(err)
	}
	add := func() error {
		return s.Update(t.Context(), func(tx *store.Tx) error { return tx.Exec(t.Context(), `INSERT INTO n (v) VALUES (1)`) })
	}
	if err := add(); err != nil {
		t.Fatal(err)
	}
	c.late = make(chan struct{})
	c.arrived = make(chan struct{})
	c.delay.Store(true)
	if err := add(); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("Update() whose COMMIT has not arrived yet = %v, want ErrUnavailable", err)
	}
	close(c.late)
	<-c.arrived
	if err := add(); err != nil {
		t.Errorf("Update() after that = %v", err)
	}
	var n int
	if err := s.Reader().QueryRow(t.Context(), `SELECT COUNT(*) FROM n`).Scan(&n); err != nil || n != 2 {
		t.Errorf("%d rows, %v, want 2: what was told to have failed was not done", n, err)
	}
}

// TestReaderLosesItsConnection: the database does not work then; nothing is wrong with the query.
func TestReaderLosesItsConnection(t *testing.T) {
	s := open(t, tuttitest.Postgres(t), config())
	err := s.Reader().QueryRow(t.Context(), `SELECT pg_terminate_backend(pg_backend_pid())`).Scan(new(bool))
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a read whose connection is ended fails with %v, want %v", err, store.ErrUnavailable)
	}
}
