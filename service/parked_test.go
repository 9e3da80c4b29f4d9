package service_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// quick makes failing records dead after a few attempts.
var quick = service.Config{Attempts: 3, Backoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond}

// foreign is a record of a producer without a lane.
func foreign(id, key, body string) event.Record {
	return event.Encode(event.Envelope{ID: id, Source: "/foreign", Type: "test.made", Version: 1, Key: key}, []byte(body))
}

// picky notes what it is given, and fails as told.
func picky(fail func(Made) error) func(*service.Service) {
	return func(s *service.Service) {
		event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Made]) error {
			if err := tx.Exec(ctx, `INSERT INTO done (id, n) VALUES ($1, $2)`, fmt.Sprint(m.Body.ID, m.Body.N), m.Body.N); err != nil {
				return err
			}
			return fail(m.Body)
		})
	}
}

func made(id string, n int) event.Record {
	return foreign(fmt.Sprint(id, "-", n), id, fmt.Sprintf(`{"id":%q,"n":%d}`, id, n))
}

func parked(t *testing.T, s *service.Service, sel store.Selection) []store.Parked {
	t.Helper()
	out, err := s.Parked(t.Context(), sel)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestFailingKeyWaitsAndOthersGoOn(t *testing.T) {
	for name, failure := range map[string]func() error{
		"error": func() error { return errors.New("no") },
		"panic": func() error { panic("no") },
	} {
		t.Run(name, func(t *testing.T) {
			bus := cluster(t)
			var mended atomic.Bool
			s, _ := start(t, bus, "picky", t.TempDir(), quick, picky(func(m Made) error {
				if m.ID == "bad" && m.N == 1 && !mended.Load() {
					return failure()
				}
				return nil
			}))
			produce(t, bus, madeTopic, made("good", 0), made("bad", 0), made("bad", 1), made("good", 1), made("bad", 2), made("good", 2))
			eventually(t, s, "one dead letter", func() bool { return len(parked(t, s, store.Selection{State: store.StateDead})) == 1 })
			got := rows(t, s)
			if len(got) != 4 || got["good2"] != 1 || got["bad0"] != 1 {
				t.Errorf("done: %v, want good0 to good2 and bad0", got)
			}
			all := parked(t, s, store.Selection{Key: "bad"})
			if len(all) != 2 || all[1].State != store.StateWaiting || all[0].Attempts != 3 || !strings.Contains(all[0].Error, "no") {
				t.Fatalf("parked: %+v, want bad1 dead after 3 attempts and bad2 waiting", all)
			}
			produce(t, bus, madeTopic, made("bad", 3))
			eventually(t, s, "bad3 waits too", func() bool { return len(parked(t, s, store.Selection{Key: "bad"})) == 3 })
			mended.Store(true)
			if err := s.Redrive(t.Context(), all[0]); err != nil {
				t.Fatal(err)
			}
			eventually(t, s, "nothing is parked", func() bool { return len(parked(t, s, store.Selection{})) == 0 })
			for _, id := range []string{"bad1", "bad2", "bad3"} {
				if n := rows(t, s)[id]; n != 1 {
					t.Errorf("%s is done %d times, want once", id, n)
				}
			}
			produce(t, bus, madeTopic, made("bad", 4))
			eventually(t, s, "the key is free again", func() bool { return rows(t, s)["bad4"] == 1 })
			if err := s.Redrive(t.Context(), all[0]); !errors.Is(err, store.ErrNoRows) {
				t.Errorf("Redrive() of what is not dead = %v", err)
			}
		})
	}
}

func TestDiscardAndEditOverKafka(t *testing.T) { overKafka(t, discardAndEdit) }

func discardAndEdit(t *testing.T, bus *kafka.Bus) {
	s, _ := start(t, bus, "picky", t.TempDir(), quick, picky(func(m Made) error {
		if m.N < 0 {
			return event.Reject(errors.New("negative"))
		}
		return nil
	}))
	produce(t, bus, madeTopic, made("a", -1), made("a", 2), made("b", -1), made("b", 3))
	eventually(t, s, "two dead letters", func() bool { return len(parked(t, s, store.Selection{State: store.StateDead})) == 2 })
	dead := parked(t, s, store.Selection{State: store.StateDead})
	if err := s.Discard(t.Context(), dead[0]); err != nil {
		t.Fatal(err)
	}
	if err := s.Edit(t.Context(), dead[1], []byte(`{"id":"b","n":1}`)); err != nil {
		t.Fatal(err)
	}
	eventually(t, s, "nothing is parked", func() bool { return len(parked(t, s, store.Selection{})) == 0 })
	got := rows(t, s)
	if len(got) != 3 || got["a2"] != 1 || got["b1"] != 1 || got["b3"] != 1 {
		t.Errorf("done: %v, want a2, the edited b1, b3", got)
	}
	produce(t, bus, madeTopic, made("a", 5), made("b", 5))
	eventually(t, s, "both keys are free", func() bool { return rows(t, s)["a5"] == 1 && rows(t, s)["b5"] == 1 })
}

func TestWhatCannotBeDecodedIsParkedRawOverKafka(t *testing.T) { overKafka(t, whatCannotBeDecoded) }

func whatCannotBeDecoded(t *testing.T, bus *kafka.Bus) {
	s, _ := start(t, bus, "picky", t.TempDir(), quick, picky(func(Made) error { return nil }))
	newer := event.Encode(event.Envelope{ID: "v9", Source: "/foreign", Type: "test.made", Version: 9, Key: "v"}, []byte("{}"))
	unknown := event.Encode(event.Envelope{ID: "u", Source: "/foreign", Type: "test.unknown", Version: 1, Key: "u"}, []byte("{}"))
	raw := event.Record{Key: []byte("raw"), Value: []byte{0, 1, 2}}
	produce(t, bus, madeTopic, raw, foreign("j", "json", "{"), newer, unknown, made("ok", 1), made("raw", 2))
	eventually(t, s, "ok is done", func() bool { return rows(t, s)["ok1"] == 1 })
	eventually(t, s, "4 are parked", func() bool { return len(parked(t, s, store.Selection{})) == 4 })
	dead := parked(t, s, store.Selection{State: store.StateDead})
	if len(dead) != 3 || string(dead[0].Record.Value) != "\x00\x01\x02" || !strings.Contains(dead[2].Error, "version 9") {
		t.Errorf("dead letters: %+v, want raw bytes, broken JSON and version 9", dead)
	}
	if got := s.Status().Unknown; got != 1 {
		t.Errorf("%d records of unknown types, want 1", got)
	}
}

func TestForeignDuplicatesOverKafka(t *testing.T) { overKafka(t, foreignDuplicates) }

func foreignDuplicates(t *testing.T, bus *kafka.Bus) {
	s, _ := start(t, bus, "picky", t.TempDir(), quick, picky(func(Made) error { return nil }))
	produce(t, bus, madeTopic, made("a", 1), made("a", 1), made("a", 2), made("a", 1))
	eventually(t, s, "a2 is done", func() bool { return rows(t, s)["a2"] == 1 && s.Status().Duplicates == 2 })
	if got := rows(t, s); got["a1"] != 1 {
		t.Errorf("a1 is done %d times, want once", got["a1"])
	}
}

// numbered is a record of a lane.
func numbered(seq int64) event.Record {
	e := event.Envelope{ID: fmt.Sprint("l-", seq), Source: "/lane", Type: "test.made", Version: 1, Key: "k", Lane: "lane.x.0", Seq: seq}
	return event.Encode(e, fmt.Appendf(nil, `{"id":"k","n":%d}`, seq))
}

func TestLanesDropDuplicatesAndWhatFollowsAGapOverKafka(t *testing.T) { overKafka(t, lanesDrop) }

func lanesDrop(t *testing.T, bus *kafka.Bus) {
	var order []int
	s, stop := start(t, bus, "picky", t.TempDir(), quick, picky(func(m Made) error {
		order = append(order, m.N)
		return nil
	}))
	// 2 could not be written at first, and is written again with all after it.
	produce(t, bus, madeTopic, numbered(1), numbered(3), numbered(4), numbered(2), numbered(3), numbered(4), numbered(4), numbered(1), numbered(5))
	eventually(t, s, "5 is done", func() bool { return rows(t, s)["k5"] == 1 })
	st := s.Status()
	stop()
	if fmt.Sprint(order) != "[1 2 3 4 5]" || st.Gaps != 2 || st.Duplicates != 2 {
		t.Errorf("handled %v with %d gaps and %d duplicates, want [1 2 3 4 5], 2 and 2", order, st.Gaps, st.Duplicates)
	}
}

func TestLater(t *testing.T) {
	bus := cluster(t)
	var calls atomic.Int32
	s, _ := start(t, bus, "picky", t.TempDir(), quick, picky(func(Made) error {
		if calls.Add(1) < 10 { // more than quick has attempts, and twice for the first
			return event.Later(errors.New("not yet"), time.Millisecond)
		}
		return nil
	}))
	produce(t, bus, madeTopic, made("a", 1))
	eventually(t, s, "a1 is done", func() bool { return rows(t, s)["a1"] == 1 })
}
