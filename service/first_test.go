package service_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// TestFirstOfALane makes the broker refuse the first event of a lane, in a log that
// has lost its head: nothing of the lane may land before it.
func TestFirstOfALane(t *testing.T) {
	broker, bus := embedded(t)
	produce(t, bus, madeTopic, made("old", 0))
	if err := broker.Truncate(event.Partition{Topic: madeTopic.Name}, 1); err != nil {
		t.Fatal(err)
	}
	s, _ := start(t, bus, "picky", t.TempDir(), quick, func(s *service.Service) {
		event.Publishes[Made](s)
		picky(func(Made) error { return nil })(s)
	})
	broker.FailSends(madeTopic.Name, kafka.Invalid, 7) // often enough for a new producer
	const n = 200
	if err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for i := range n {
			if err := event.Publish(ctx, tx, Made{fmt.Sprint("k", i%5, "-"), i}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, s, "all are handled", func() bool { return len(rows(t, s)) == n && s.Status().Unsent == 0 })
	if st := s.Status(); st.Resent != 7 || st.Gaps != 0 || st.Duplicates != 0 {
		t.Errorf("%d sent again, %d gaps, %d duplicates, want the first event 7 times and nothing else", st.Resent, st.Gaps, st.Duplicates)
	}
}
