package saga_test

import (
	"context"
	"crypto/sha256"
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

// Events of foreign producers with odd or long names wait for their saga like others.
func TestEarlyWithOddNames(t *testing.T) {
	database, bus := tuttitest.Postgres(t), cluster(t)
	s, stop := run(t, bus, "director", database, func(s *service.Service) {
		saga.Register(s, saga.Config{}, saga.Define("reader", 1, starts(), newsNode("wait")))
		event.Publishes[begin](s)
	})
	defer stop(nil)
	producer, err := bus.Producer("foreign")
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	hex := func(n int) (text string) { // is not compressed
		for i := 0; len(text) < n; i++ {
			text += fmt.Sprintf("%x", sha256.Sum256([]byte(fmt.Sprint(n, i))))
		}
		return text[:n]
	}
	c := news{}.Contract()
	long := hex(1024)
	for key, name := range map[string][2]string{"odd": {"a\x00b", "/erp"}, long: {hex(1023), "/" + hex(1022)}} {
		record := event.Encode(event.Envelope{ID: name[0], Source: name[1], Type: c.Type, Version: c.Version, Key: key, Time: time.Now()}, []byte(`{"ID":"x","What":"w"}`))
		producer.Send(t.Context(), event.Partition{Topic: c.Topic.Name}, record, func(_ int64, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	n := 0
	for begun := time.Now(); n < 2 && time.Since(begun) < 10*time.Second; time.Sleep(50 * time.Millisecond) {
		if err := s.Read().QueryRow(t.Context(), `SELECT COUNT(*) FROM saga_early`).Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
	if n != 2 {
		t.Errorf("%d events are kept, want 2", n)
	}
}
