package service_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// Listed is a message with what a copy of it shares with it.
type Listed struct {
	ID string
	Ns []int
}

func (Listed) Contract() event.Contract {
	return event.Contract{Type: "test.listed", Version: 1, Topic: madeTopic}
}

// TestHandlersChangeBodies: what a handler does to a message in an attempt that is undone
// is not in the message in the next one.
func TestHandlersChangeBodies(t *testing.T) {
	t.Parallel()
	bus := cluster(t)
	record := func(id string) event.Record {
		return event.Encode(event.Envelope{ID: id, Source: "/test", Type: "test.listed", Version: 1, Key: id}, []byte(`{"ID":"`+id+`","Ns":[1]}`))
	}
	produce(t, bus, madeTopic, record("good"), record("bad"))
	s, _ := start(t, bus, "changer", t.TempDir(), service.Config{Attempts: 1}, func(s *service.Service) {
		s.Migrations(migrations(doneTable))
		event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Listed]) error {
			m.Body.Ns[0] *= 2
			if m.Body.ID == "bad" {
				return errors.New("no")
			}
			return tx.Exec(ctx, `INSERT INTO done (id, n) VALUES ($1, $2)`, m.Body.ID, m.Body.Ns[0])
		})
	})
	eventually(t, s, "both are seen to", func() bool { return len(rows(t, s)) == 1 && len(parked(t, s, store.Selection{})) == 1 })
	var n int
	if err := s.Read().QueryRow(t.Context(), `SELECT n FROM done`).Scan(&n); err != nil || n != 2 {
		t.Errorf("what was 1 is doubled to %d, %v, want 2", n, err)
	}
}
