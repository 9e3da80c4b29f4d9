package store_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/store"
)

// TestJobsAndTheirSuccessors takes jobs back and starts others of the same name.
func TestJobsAndTheirSuccessors(t *testing.T) {
	s := open(t, databases["sqlite"](t), config())
	if _, _, err := s.TakeLane(t.Context()); err != nil {
		t.Fatal(err)
	}
	due := func(minutes int) store.Job {
		return store.Job{Kind: "k", ID: "1", Due: time.Now().Add(time.Duration(minutes) * time.Minute)}
	}
	old := due(1)
	add := func(tx *store.Tx, j store.Job) {
		if err := tx.AddJob(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(tx *store.Tx) {
		if there, err := tx.RemoveJob(t.Context(), "k", "1"); err != nil || !there {
			t.Fatalf("RemoveJob() = %v, %v, want it there", there, err)
		}
	}
	done, err := commit(t, s, store.Books{}, func(tx *store.Tx) {
		add(tx, due(0))
		remove(tx)
		add(tx, old)
	})
	if err != nil || len(done.Jobs) != 1 || done.Jobs[0].Running {
		t.Fatalf("jobs after the commit are %+v, %v, want only the second, waiting", done.Jobs, err)
	}
	if done, err = commit(t, s, store.Books{}, remove); err != nil || len(done.Jobs) != 0 {
		t.Fatalf("jobs after a removal are %+v, %v, want none", done.Jobs, err)
	}
	next := due(2)
	update(t, s, func(tx *store.Tx) error {
		add(tx, next)
		if claimed, err := tx.ClaimJob(t.Context(), old); claimed || err != nil {
			t.Errorf("ClaimJob() of a job that was taken back = %v, %v: its successor was taken for it", claimed, err)
		}
		if there, err := tx.FinishJob(t.Context(), old); there || err != nil {
			t.Errorf("FinishJob() of a job that was taken back = %v, %v: its successor was taken for it", there, err)
		}
		if there, err := tx.FinishJob(t.Context(), next); !there || err != nil {
			t.Errorf("FinishJob() = %v, %v, want it there", there, err)
		}
		return nil
	})
}

// TestNamesOfJobs: the id of a job is text, whatever the database.
func TestNamesOfJobs(t *testing.T) {
	for name, dsn := range databases {
		t.Run(name, func(t *testing.T) {
			s := open(t, dsn(t), config())
			if _, _, err := s.TakeLane(t.Context()); err != nil {
				t.Fatal(err)
			}
			update(t, s, func(tx *store.Tx) error {
				for _, id := range []string{"", "a\xffb", "a\x00b", strings.Repeat("x", event.MaxKey+1)} {
					if err := tx.AddJob(t.Context(), store.Job{Kind: "k", ID: id}); !event.Rejected(err) {
						t.Errorf("AddJob() with the id %q = %v, want it rejected", id, err)
					}
				}
				return tx.AddJob(t.Context(), store.Job{Kind: "k", ID: "ä/b c"})
			})
		})
	}
}

// TestExpectJobs finishes several jobs at once, or none of them if one is not as it was
// read.
func TestExpectJobs(t *testing.T) {
	for name, dsn := range databases {
		t.Run(name, func(t *testing.T) {
			s := open(t, dsn(t), config())
			if _, _, err := s.TakeLane(t.Context()); err != nil {
				t.Fatal(err)
			}
			due := time.Now().Truncate(time.Millisecond).Add(time.Hour)
			of := func(kind, id string, due time.Time) store.Job { return store.Job{Kind: kind, ID: id, Due: due} }
			update(t, s, func(tx *store.Tx) (err error) {
				for _, j := range []store.Job{of("k", "1", due), of("k", "2", due), of("k", "3", due), of("k", "4", due.Add(time.Minute)), of("other", "1", due)} {
					err = errors.Join(err, tx.AddJob(t.Context(), j))
				}
				return err
			})
			for what, last := range map[string]store.Job{"that is gone": of("k", "5", due), "that was put off": of("k", "4", due)} {
				err := s.Update(t.Context(), func(tx *store.Tx) error {
					return tx.ExpectJobs(t.Context(), []store.Job{of("k", "3", due), last})
				})
				if !store.Late(err) {
					t.Errorf("ExpectJobs() with one %s = %v, want it late", what, err)
				}
			}
			update(t, s, func(tx *store.Tx) error {
				return tx.ExpectJobs(t.Context(), []store.Job{of("k", "1", due), of("k", "2", due)})
			})
			left, err := s.Jobs(t.Context(), 10)
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, j := range left {
				ids = append(ids, j.Kind+j.ID)
			}
			slices.Sort(ids)
			if want := []string{"k3", "k4", "other1"}; !slices.Equal(ids, want) {
				t.Errorf("jobs afterwards are %v, want %v", ids, want)
			}
		})
	}
}

// TestReviveKinds makes only those jobs wait again that died for want of a handler which
// there is now.
func TestReviveKinds(t *testing.T) {
	for name, dsn := range databases {
		t.Run(name, func(t *testing.T) {
			s := open(t, dsn(t), config())
			if _, _, err := s.TakeLane(t.Context()); err != nil {
				t.Fatal(err)
			}
			due := time.Now().Add(time.Hour)
			for _, j := range []struct {
				kind, id string
				err      error
			}{{"a", "1", store.NoHandler("a")}, {"a", "2", errors.New("no")}, {"b", "3", store.NoHandler("b")}, {"c", "4", store.NoHandler("c")}} {
				update(t, s, func(tx *store.Tx) error {
					return tx.AddJob(t.Context(), store.Job{Kind: j.kind, ID: j.id, Due: due})
				})
				all, err := s.Jobs(t.Context(), 100)
				if err != nil {
					t.Fatal(err)
				}
				update(t, s, func(tx *store.Tx) error {
					return tx.RetryJob(t.Context(), all[slices.IndexFunc(all, func(have store.Job) bool { return have.ID == j.id })], time.Time{}, j.err)
				})
			}
			update(t, s, func(tx *store.Tx) error {
				n, err := tx.ReviveKinds(t.Context(), []string{"a", "b", "other"})
				if n != 2 {
					t.Errorf("%d jobs wait again, want 2", n)
				}
				return err
			})
			waiting, _, err := s.DueJobs(t.Context(), time.Now().Add(time.Minute), 10)
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, j := range waiting {
				ids = append(ids, j.ID)
			}
			slices.Sort(ids)
			if !slices.Equal(ids, []string{"1", "3"}) {
				t.Errorf("jobs %v are due, want 1 and 3", ids)
			}
		})
	}
}

// TestJobNotStored has the database refuse a job, and whoever is told go on: nothing is
// committed without it.
func TestJobNotStored(t *testing.T) {
	s := open(t, databases["sqlite"](t), config())
	if _, _, err := s.TakeLane(t.Context()); err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx *store.Tx) error {
		return tx.Exec(t.Context(), `CREATE TRIGGER no BEFORE INSERT ON tutti_job BEGIN SELECT RAISE(ABORT, 'no'); END`)
	})
	done, err := commit(t, s, store.Books{}, func(tx *store.Tx) {
		if err := tx.AddJob(t.Context(), store.Job{Kind: "k", ID: "a"}); err != nil {
			t.Fatal(err)
		}
		if err := tx.DropJobs(t.Context(), "other", []string{"x"}); err == nil {
			t.Error("DropJobs() = nil, want the error of the job before")
		}
	})
	if err == nil {
		t.Errorf("Commit() = %+v, nil, want an error", done)
	}
}
