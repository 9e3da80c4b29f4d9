package service_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// TestHandlerInCircles: a handler that hears of its own event for ever shows in what
// is handled and published, and keeps neither other keys nor requests from their turn.
func TestHandlerInCircles(t *testing.T) {
	bus := cluster(t)
	s, _ := start(t, bus, "circles", t.TempDir(), service.Config{Unsynced: true}, func(s *service.Service) {
		event.Publishes[Made](s)
		event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Made]) error {
			if m.Body.ID == "circle" {
				return event.Publish(ctx, tx, Made{"circle", m.Body.N + 1})
			}
			return tx.Exec(ctx, `INSERT INTO done VALUES ($1, $2)`, m.Body.ID, m.Body.N)
		})
	})
	publish(t, s, Made{"circle", 0})
	eventually(t, s, "it goes round", func() bool { return s.Status().Published > 100 })
	for n := range 20 {
		publish(t, s, Made{fmt.Sprint("other", n), n}) // fails if it is not answered in time
	}
	eventually(t, s, "other keys are done", func() bool { return len(rows(t, s)) == 20 })
	before := s.Status()
	eventually(t, s, "it is seen to go round", func() bool {
		st := s.Status()
		return st.Handled > before.Handled+100 && st.Published > before.Published+100
	})
	if st := s.Status(); !st.Ready || st.Unsent > 100 {
		t.Errorf("status is %+v, want ready, and nearly all sent", st)
	}
}
