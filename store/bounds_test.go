package store_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/store"
)

// TestForeignCauseIsBounded: what a foreign producer says of itself does not make our
// messages too large for Kafka.
func TestForeignCauseIsBounded(t *testing.T) {
	s := open(t, databases["sqlite"](t), config())
	if _, _, err := s.TakeLane(t.Context()); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 300_000)
	done, err := commit(t, s, store.Books{}, func(tx *store.Tx) {
		tx.Handling(event.Cause{ID: "7", CorrelationID: long, TraceParent: long, TraceState: long})
		m := message(strings.Repeat("k", event.MaxKey))
		m.Data = make([]byte, event.MaxData)
		if err := tx.Append(m); err != nil {
			t.Fatal(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	r := done.Events[0].Record
	size := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		size += len(h.Key) + len(h.Value)
		if h.Key == "ce_correlationid" && string(h.Value) != "7" {
			t.Errorf("correlation id of %d bytes, want that of the message", len(h.Value))
		}
	}
	if size > 950_000 {
		t.Errorf("record is %d bytes long, want at most 950000", size)
	}
}

// TestLaneAfterTheClockWentBack: the lane of an instance that died is taken again
// although it was heard of in the future.
func TestLaneAfterTheClockWentBack(t *testing.T) {
	dsn, cfg := databases["sqlite"](t), config()
	cfg.Shared = false
	s := open(t, dsn, cfg)
	first, _, err := s.TakeLane(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := commit(t, s, store.Books{}, func(tx *store.Tx) {
		if err := tx.Append(message("a")); err != nil {
			t.Fatal(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dsn, cfg)
	update(t, s, func(tx *store.Tx) error {
		return tx.Exec(t.Context(), `UPDATE tutti_lane SET alive = $1`, tx.Now().UnixMilli()+3_600_000)
	})
	second, unsent, err := s.TakeLane(t.Context())
	if err != nil || second.Name != first.Name || len(unsent) != 1 {
		t.Errorf("TakeLane() = %v with %d batches, %v, want %s with 1", second.Name, len(unsent), err, first.Name)
	}
}

// TestForeignNamesAreBounded: what a foreign producer calls things is no longer than
// what fits an index, and what was seen under a name is known again.
func TestForeignNamesAreBounded(t *testing.T) {
	for name, dsn := range databases {
		t.Run(name, func(t *testing.T) {
			s := open(t, dsn(t), config())
			rng := rand.New(rand.NewPCG(1, 2)) // what can be compressed takes less
			long := func(n int) string {
				text := []rune{0}
				for range n / 2 {
					text = append(text, rune(0x80+rng.IntN(0x700)))
				}
				return string(text)
			}
			p := event.Partition{Topic: "test.thing"}
			source, id, lane := long(1000), long(1000), long(10_000)
			for n, want := range []bool{true, false} {
				if _, err := commit(t, s, store.Books{Seen: []store.Seen{{Partition: p, Lane: lane, Seq: int64(n)}},
					Opened: []store.Gap{{Partition: p, Lane: lane}}}, func(tx *store.Tx) {
					if first, err := tx.FirstForeign(t.Context(), source, id, p, 1); err != nil || first != want {
						t.Fatalf("FirstForeign() = %v, %v, want %v", first, err, want)
					}
				}); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
