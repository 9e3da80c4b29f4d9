package service_test

import (
	"context"
	"testing"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// Handlers that harm the transaction which they share with others.

// poison is a service whose handler does harm for the record "bad".
func poison(tables string, harm func(ctx context.Context, tx *store.Tx) error) func(*service.Service) {
	return func(s *service.Service) {
		s.Migrations(migrations(map[string]string{"0001_done.sql": doneTable["0001_done.sql"] + ";" + tables}))
		event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Made]) error {
			if err := tx.Exec(ctx, `INSERT INTO done (id, n) VALUES ($1, $2)`, m.Body.ID, m.Body.N); err != nil {
				return err
			}
			if m.Body.ID != "bad" {
				return nil
			}
			return harm(ctx, tx)
		})
	}
}

// only expects that all but the bad one are done, once, and that it alone is parked.
func only(t *testing.T, s *service.Service) {
	t.Helper()
	eventually(t, s, "the others are done, and the bad one is parked", func() bool {
		got := rows(t, s)
		return len(got) == 3 && got["good"] == 1 && got["other"] == 1 && got["late"] == 1 && len(parked(t, s, store.Selection{})) == 1
	})
	if st := s.Status(); !st.Ready {
		t.Errorf("status is %+v, want ready", st)
	}
}

// TestFailureSwallowedAtFullDisk: a handler goes on although the disk was full for it.
// SQLite has ended the transaction by then: nothing of it may stay.
func TestFailureSwallowedAtFullDisk(t *testing.T) {
	t.Parallel()
	a := newAilingWith(t, quick, poison(`CREATE TABLE blobs (b BLOB)`, func(ctx context.Context, tx *store.Tx) error {
		_ = tx.Exec(ctx, `INSERT INTO blobs VALUES (zeroblob(900000))`) // "best effort"
		return nil
	}))
	makeRoom := a.fill()
	produce(t, a.bus, madeTopic, made("good", 1), made("bad", 1), made("other", 1))
	eventually(t, a.Service, "it says that the disk is full", func() bool { return !a.Status().Ready })
	if got := rows(t, a.Service); got["bad"]+got["other"] > 0 {
		t.Errorf("done on a full disk: %v", got)
	}
	makeRoom()
	eventually(t, a.Service, "all are done", func() bool { return len(rows(t, a.Service)) == 4 })
	for id, n := range rows(t, a.Service) {
		if n != 1 {
			t.Errorf("%s is done %d times", id, n)
		}
	}
	if all := parked(t, a.Service, store.Selection{}); len(all) != 0 {
		t.Errorf("parked: %+v, want nothing: the handler is not to blame", all)
	}
}

// TestTransactionEnded: a handler ends the transaction, and goes on. It is parked, and
// those that share the transaction are done.
func TestTransactionEnded(t *testing.T) {
	t.Parallel()
	onFiles(t)
	bus := cluster(t)
	s, _ := start(t, bus, "picky", t.TempDir(), service.Config{Attempts: 2, Backoff: quick.Backoff, MaxBackoff: quick.MaxBackoff},
		poison(`CREATE TABLE once (id TEXT PRIMARY KEY); INSERT INTO once VALUES ('x')`, func(ctx context.Context, tx *store.Tx) error {
			_ = tx.Exec(ctx, `INSERT OR ROLLBACK INTO once VALUES ('x')`)
			return nil
		}))
	produce(t, bus, madeTopic, made("good", 1), made("bad", 1), made("other", 1))
	err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_ = tx.Exec(ctx, `INSERT OR ROLLBACK INTO once VALUES ('x')`)
		return nil
	})
	if !store.Ended(err) {
		t.Errorf("a request that ends the transaction = %v, want an error that says so", err)
	}
	produce(t, bus, madeTopic, made("late", 1))
	only(t, s)
}

// TestFailureSurfacesLater: what a record writes fails, and its handler is not told of it
// where statements are pipelined. It is parked, and the others are done.
func TestFailureSurfacesLater(t *testing.T) {
	for name, last := range map[string]bool{"in a query for the next": false, "as its job is added": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bus := cluster(t)
			var c calls
			s, _ := start(t, bus, "picky", t.TempDir(), service.Config{Attempts: 2, Backoff: quick.Backoff, MaxBackoff: quick.MaxBackoff}, func(s *service.Service) {
				c.register(s)
				poison(`CREATE TABLE once (id TEXT PRIMARY KEY); INSERT INTO once VALUES ('x')`, func(ctx context.Context, tx *store.Tx) error {
					if err := tx.Exec(ctx, `INSERT INTO once VALUES ('x')`); err != nil || !last {
						return err
					}
					return job.Start(ctx, tx, "1", check{"1"})
				})(s)
			})
			records := []event.Record{made("good", 1), made("bad", 1), made("other", 1), made("late", 1)}
			if last {
				produce(t, bus, madeTopic, records[:2]...)
				eventually(t, s, "the bad one is parked", func() bool { return len(parked(t, s, store.Selection{})) == 1 })
				records = records[2:]
			}
			produce(t, bus, madeTopic, records...)
			only(t, s)
		})
	}
}

// TestDeferredConstraint: what a record writes does not meet a constraint that is
// checked at the commit. It is parked, and the others are done.
func TestDeferredConstraint(t *testing.T) {
	t.Parallel()
	bus := cluster(t)
	s, _ := start(t, bus, "picky", t.TempDir(), quick, poison(`CREATE TABLE parent (id TEXT PRIMARY KEY);
		CREATE TABLE child (id TEXT NOT NULL REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)`, func(ctx context.Context, tx *store.Tx) error {
		return tx.Exec(ctx, `INSERT INTO child (id) VALUES ('nobody')`)
	}))
	produce(t, bus, madeTopic, made("good", 1), made("bad", 1), made("other", 1))
	err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.Exec(ctx, `INSERT INTO child (id) VALUES ('nobody')`)
	})
	if err == nil {
		t.Error("a request whose constraint is not met has succeeded")
	}
	produce(t, bus, madeTopic, made("late", 1))
	only(t, s)
}
