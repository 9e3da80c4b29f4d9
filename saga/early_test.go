package saga_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

// An event that one instance of the service keeps, while another one starts the saga that
// waits for it, gets there.
func TestEarlyBesideStart(t *testing.T) {
	database, bus := tuttitest.Postgres(t), cluster(t)
	paper, stopPaper := run(t, bus, "paper", "sqlite:"+filepath.Join(t.TempDir(), "paper.db"), func(s *service.Service) { event.Publishes[news](s) })
	defer stopPaper(nil)
	var engine *saga.Engine
	register := func(s *service.Service) {
		engine = saga.Register(s, saga.Config{}, saga.Define("reader", 1, starts(), newsNode("wait")))
	}
	other, stopOther := run(t, bus, "director", database, register)
	defer stopOther(nil)
	s, stop := run(t, bus, "director", database, register)
	defer stop(nil)
	count := func(query string) (n int) {
		t.Helper()
		if err := other.Read().QueryRow(t.Context(), query).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for i := range 8 {
			id := fmt.Sprint("r", i)
			if _, err := engine.Start(ctx, tx, "reader", id, story{ID: id}); err != nil {
				return err
			}
		}
		for begun := time.Now(); count(`SELECT COUNT(*) FROM saga_early`) == 0 && time.Since(begun) < 10*time.Second; {
			err := paper.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
				for i := range 8 {
					if err := event.Publish(ctx, tx, news{ID: fmt.Sprint("r", i)}); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			time.Sleep(500 * time.Millisecond)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); count(`SELECT COUNT(*) FROM saga_done`) < 8; time.Sleep(50 * time.Millisecond) {
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("%d of 8 sagas have ended after half a minute, and %d events wait for what has begun", count(`SELECT COUNT(*) FROM saga_done`),
				count(`SELECT COUNT(*) FROM saga_early`))
		}
	}
}
