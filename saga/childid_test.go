package saga_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

// TestChildIDOverPostgres: a part whose saga would have an id that PostgreSQL does not store
// fails, as one that is too long does.
func TestChildIDOverPostgres(t *testing.T) {
	database, bus := tuttitest.Postgres(t), cluster(t)
	inner := saga.Define("inner", 1, once[b]())
	def := saga.Define("above", 1, starts(),
		saga.Sub("within", inner, func(s *story) (string, story) { return "x\x00" + s.ID, story{ID: s.ID} }, func(*story, story) {}))
	s, stop := run(t, bus, "director", database, func(s *service.Service) {
		saga.Register(s, saga.Config{}, def)
		event.Publishes[begin](s)
	})
	defer stop(nil)
	h := newHands()
	_, stopHands := run(t, bus, "hands", "sqlite:"+filepath.Join(t.TempDir(), "hands.db"), h.register)
	defer stopHands(nil)
	if err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return event.Publish(ctx, tx, begin{ID: "o"}) }); err != nil {
		t.Fatal(err)
	}
	var status, reason string
	for begun := time.Now(); time.Since(begun) < 10*time.Second && status == ""; time.Sleep(50 * time.Millisecond) {
		_ = s.Read().QueryRow(t.Context(), `SELECT status, reason FROM saga_done WHERE id = 'o'`).Scan(&status, &reason)
	}
	if status != string(saga.Compensated) {
		t.Errorf("saga is %q (%s), want it compensated", status, reason)
	}
}
