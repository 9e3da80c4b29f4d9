package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/store"
)

// places lists where records are.
func places(bs []store.Brief) (out []string) {
	for _, b := range bs {
		out = append(out, store.Place{Partition: b.Partition, Offset: b.Offset}.String())
	}
	return out
}

func TestBrowseParked(t *testing.T) {
	for name, dsn := range databases {
		t.Run(name, func(t *testing.T) { testBrowseParked(t, dsn(t)) })
	}
}

func testBrowseParked(t *testing.T, dsn string) {
	s := open(t, dsn, config())
	update(t, s, func(tx *store.Tx) error {
		for part := range int32(2) {
			for pos := range int64(5) {
				p := store.Parked{
					Partition: event.Partition{Topic: "t", Number: part}, Offset: pos, State: store.StateWaiting,
					Record: event.Record{Key: fmt.Append(nil, "k", part), Value: []byte("12345"), Headers: []event.Header{{Key: "h", Value: []byte("v")}}},
				}
				if pos == 0 {
					p.State, p.Error, p.Attempts = store.StateDead, "No 100% luck", 3
				}
				if err := tx.Park(t.Context(), p); err != nil {
					return err
				}
			}
		}
		return nil
	})
	var all []string
	for after := (*store.Place)(nil); ; {
		page, err := s.BrowseParked(t.Context(), store.Selection{Limit: 3}, after)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		all = append(all, places(page)...)
		last := page[len(page)-1]
		after = &store.Place{Partition: last.Partition, Offset: last.Offset}
	}
	if fmt.Sprint(all) != "[t/0@0 t/0@1 t/0@2 t/0@3 t/0@4 t/1@0 t/1@1 t/1@2 t/1@3 t/1@4]" {
		t.Errorf("the pages hold %v, want each record once, in order", all)
	}
	part := int32(1)
	for _, tc := range []struct {
		sel  store.Selection
		want string
	}{
		{store.Selection{State: store.StateDead}, "[t/0@0 t/1@0]"},
		{store.Selection{Key: "k1", State: store.StateDead}, "[t/1@0]"},
		{store.Selection{Error: "no 100%"}, "[t/0@0 t/1@0]"},
		{store.Selection{Error: "no _00%"}, "[]"},
		{store.Selection{Topic: "t", Partition: &part, Limit: 2}, "[t/1@0 t/1@1]"},
		{store.Selection{Topic: "other"}, "[]"},
	} {
		if got, err := s.BrowseParked(t.Context(), tc.sel, nil); err != nil || fmt.Sprint(places(got)) != tc.want {
			t.Errorf("BrowseParked(%+v) = %v, %v, want %s", tc.sel, places(got), err, tc.want)
		}
	}
	dead, err := s.BrowseParked(t.Context(), store.Selection{State: store.StateDead}, nil)
	if err != nil || dead[0].Behind != 4 || dead[0].Size != 5 || len(dead[0].Record.Value) != 0 || len(dead[0].Record.Headers) != 1 || time.Since(dead[0].Due) > time.Hour {
		t.Errorf("a dead letter is %+v, %v, want 4 behind it, its size and headers, no body, and when it died", dead[0], err)
	}
	if counts, err := s.CountParked(t.Context()); err != nil || counts[store.StateDead] != 2 || counts[store.StateWaiting] != 8 {
		t.Errorf("CountParked() = %v, %v, want 2 dead and 8 waiting", counts, err)
	}
}

// Two dead letters of one key, as a recovery can leave them, are redriven in order.
func TestRedriveKeepsOrder(t *testing.T) {
	for name, dsn := range databases {
		t.Run(name, func(t *testing.T) {
			s := open(t, dsn(t), config())
			p := event.Partition{Topic: "t"}
			update(t, s, func(tx *store.Tx) error {
				for pos := range int64(2) {
					if err := tx.Park(t.Context(), store.Parked{Partition: p, Offset: pos, State: store.StateDead, Record: event.Record{Key: []byte("k")}}); err != nil {
						return err
					}
				}
				for pos := range int64(2) {
					if err := tx.Redrive(t.Context(), p, pos); err != nil {
						return err
					}
				}
				first, err := tx.ParkedAt(t.Context(), store.Place{Partition: p})
				if err != nil || first.State != store.StateRetry {
					t.Errorf("the first is %s, %v, want it due", first.State, err)
				}
				second, err := tx.ParkedAt(t.Context(), store.Place{Partition: p, Offset: 1})
				if err != nil || second.State != store.StateWaiting {
					t.Errorf("the second is %s, %v, want it to wait behind the first", second.State, err)
				}
				return nil
			})
		})
	}
}

// TestRedriveAll redrives what died of errors that begin so, and nothing else.
func TestRedriveAll(t *testing.T) {
	for name, dsn := range databases {
		t.Run(name, func(t *testing.T) {
			s := open(t, dsn(t), config())
			update(t, s, func(tx *store.Tx) error {
				for pos, p := range []store.Parked{
					{State: store.StateDead, Error: "one"}, {State: store.StateDead, Error: "two: ½ of it"}, {State: store.StateDead, Error: "no two"}, {State: store.StateRetry, Error: "one"},
				} {
					p.Topic, p.Offset = "t", int64(pos)
					if err := tx.Park(t.Context(), p); err != nil {
						return err
					}
				}
				return nil
			})
			for _, want := range []int{2, 0} {
				if n, err := s.RedriveAll(t.Context(), []string{"one", "two: ½", "tw_", "three"}); err != nil || n != want {
					t.Errorf("RedriveAll() = %d, %v, want %d", n, err, want)
				}
			}
			if dead, err := s.ListParked(t.Context(), store.Selection{State: store.StateDead}); err != nil || len(dead) != 1 || dead[0].Offset != 2 {
				t.Errorf("dead letters are %+v, %v, want the one at 2", dead, err)
			}
		})
	}
}

func TestPlaces(t *testing.T) {
	for _, text := range []string{"shop.order/0@42", "t/2147483647@9223372036854775807", "t/0@-1"} {
		if p, err := store.ParsePlace(text); err != nil || p.String() != text {
			t.Errorf("ParsePlace(%q) = %v, %v", text, p, err)
		}
	}
	for _, text := range []string{"", "t", "t/0", "t@0", "/0@1", "t/x@1", "t/0@x", "t/-1@1", "t/2147483648@1"} {
		if p, err := store.ParsePlace(text); err == nil {
			t.Errorf("ParsePlace(%q) = %v, want an error", text, p)
		}
	}
}

func TestBrowseJobs(t *testing.T) {
	for name, dsn := range databases {
		t.Run(name, func(t *testing.T) { testBrowseJobs(t, dsn(t)) })
	}
}

func testBrowseJobs(t *testing.T, dsn string) {
	s := open(t, dsn, config())
	if _, _, err := s.TakeLane(t.Context()); err != nil {
		t.Fatal(err)
	}
	due := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	update(t, s, func(tx *store.Tx) error {
		for _, id := range []string{"a", "b", "c"} {
			if err := tx.AddJob(t.Context(), store.Job{Kind: "k", ID: id, Due: due, Args: []byte(`{"n":1}`)}); err != nil {
				return err
			}
		}
		return tx.RetryJob(t.Context(), store.Job{Kind: "k", ID: "c", Due: due, Attempts: 7}, time.Time{}, fmt.Errorf("gone"))
	})
	var got []string
	var last *store.StoredJob
	for {
		page, err := s.BrowseJobs(t.Context(), store.JobSelection{Limit: 1}, last)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		last = &page[0]
		got = append(got, last.State+" "+last.ID)
	}
	if fmt.Sprint(got) != "[dead c waiting a waiting b]" {
		t.Errorf("the pages hold %v, want the dead job first, then by id", got)
	}
	dead, err := s.BrowseJobs(t.Context(), store.JobSelection{State: "dead", Kind: "k", ID: "c"}, nil)
	if err != nil || len(dead) != 1 || dead[0].Error != "gone" || string(dead[0].Args) != `{"n":1}` {
		t.Fatalf("the dead job is %+v, %v, want its error and arguments", dead, err)
	}
	update(t, s, func(tx *store.Tx) error {
		if there, err := tx.ReviveJob(t.Context(), "k", "c"); err != nil || !there {
			t.Errorf("ReviveJob() = %v, %v, want it there", there, err)
		}
		now, err := tx.JobAt(t.Context(), "k", "c")
		if err != nil || now.Version() == dead[0].Version() || now.State != "waiting" || now.Attempts != 0 {
			t.Errorf("the revived job is %+v, %v, want it waiting, as another version", now, err)
		}
		return nil
	})
	counts, err := s.CountJobs(t.Context())
	if err != nil || len(counts) != 1 || counts[0].Jobs != 3 || counts[0].State != "waiting" {
		t.Errorf("CountJobs() = %+v, %v, want 3 waiting", counts, err)
	}
}
