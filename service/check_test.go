package service_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// echo publishes Checked for each Made, and notes it.
func echo(s *service.Service) {
	event.Publishes[Made](s)
	event.Publishes[Checked](s)
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Made]) error {
		if err := tx.Exec(ctx, `INSERT INTO done (id, n) VALUES ($1, $2)`, fmt.Sprint(m.Body.ID, m.Body.N), m.Body.N); err != nil {
			return err
		}
		return event.Publish(ctx, tx, Checked{m.Body.ID})
	})
}

// TestMismatch lets the log or the database go back in time while the service is
// stopped (hazards c and e): it refuses to start, says why, and recovers as told.
func TestMismatch(t *testing.T) {
	onFiles(t)
	made := event.Partition{Topic: madeTopic.Name}
	for _, c := range []struct {
		name    string
		harm    func(b *kafka.Broker, dir string) error
		says    string
		recover service.Recovery
		want    []string // done in the end, after "a5" is published
	}{
		{"old copy rewound", restore, "the database is an old copy", service.Rewind, []string{"a0", "a1", "a2", "a3", "a5"}},
		{"old copy skipped", restore, "the database is an old copy", service.Skip, []string{"a0", "a1", "a5"}},
		{"new database", func(_ *kafka.Broker, dir string) error { return remove(dir) }, "a new or an old database", service.Rewind, []string{"a0", "a1", "a2", "a3", "a5"}},
		{"retention", func(b *kafka.Broker, _ string) error {
			return errors.Join(b.Truncate(made, 4), appendForeign(b, 2), b.Truncate(made, 5))
		}, "1 records were deleted by retention", service.Skip, []string{"a0", "a1", "a2", "a3", "f1", "a5"}},
		{"topic made anew", func(b *kafka.Broker, _ string) error { return b.Recreate(madeTopic.Name) }, "the log ends at 0", service.Rewind, []string{"a0", "a1", "a2", "a3", "a5"}},
		{"topic made anew, and longer by now", grownAnew, "its topic was made anew", service.Rewind, []string{"a0", "a1", "a2", "a3", "f0", "f1", "f2", "f3", "f4", "f5", "a5"}},
		{"topic made anew as it was", grownAnew, "its topic was made anew", service.Skip, []string{"a0", "a1", "a2", "a3", "f4", "f5", "a5"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			broker, bus := embedded(t)
			run := func(from, to int) {
				s, stop := start(t, bus, "echo", dir, service.Config{}, echo)
				for i := from; i < to; i++ {
					publish(t, s, Made{"a", i})
				}
				eventually(t, s, "all is done", func() bool { return len(rows(t, s)) == to && s.Status().Unsent == 0 })
				stop()
			}
			run(0, 2)
			if err := copyFile(filepath.Join(dir, "echo.db"), filepath.Join(dir, "copy.db")); err != nil {
				t.Fatal(err)
			}
			run(2, 4)
			if err := c.harm(broker, dir); err != nil {
				t.Fatal(err)
			}
			refused := service.New("echo", bus, service.Config{Database: database(t, dir, "echo")})
			refused.Migrations(migrations(doneTable))
			echo(refused)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := refused.Run(ctx); !errors.Is(err, service.ErrMismatch) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), `"rewind"`) {
				t.Fatalf("Run() = %v, want a refusal that says %q and what to do", err, c.says)
			}
			s, stop := start(t, bus, "echo", dir, service.Config{Recover: c.recover}, echo)
			publish(t, s, Made{"a", 5})
			eventually(t, s, "a5 is done", func() bool { return rows(t, s)["a5"] == 1 })
			got := rows(t, s)
			stop()
			if len(got) != len(c.want) {
				t.Errorf("done: %v, want %v", got, c.want)
			}
			for _, id := range c.want {
				if got[id] != 1 {
					t.Errorf("%s is done %d times, want once", id, got[id])
				}
			}
			s, _ = start(t, bus, "echo", dir, service.Config{}, echo) // the mismatch is gone
			publish(t, s, Made{"a", 6})
			eventually(t, s, "a6 is done", func() bool { return rows(t, s)["a6"] == 1 })
		})
	}
}

func restore(_ *kafka.Broker, dir string) error {
	return errors.Join(remove(dir), copyFile(filepath.Join(dir, "copy.db"), filepath.Join(dir, "echo.db")))
}

func remove(dir string) error {
	old, err := filepath.Glob(filepath.Join(dir, "echo.db*"))
	for _, f := range old {
		err = errors.Join(err, os.Remove(f))
	}
	return err
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

// grownAnew makes the topic anew, and longer than it was.
func grownAnew(b *kafka.Broker, _ string) error {
	return errors.Join(b.Recreate(madeTopic.Name), appendForeign(b, 6))
}

// appendForeign writes n records f0, f1, … to the log.
func appendForeign(b *kafka.Broker, n int) error {
	bus, err := kafka.Connect(context.Background(), kafka.Config{Brokers: b.Addrs()})
	if err != nil {
		return err
	}
	defer bus.Close()
	p, err := bus.Producer("foreign")
	if err != nil {
		return err
	}
	defer p.Close()
	for i := range n {
		p.Send(context.Background(), event.Partition{Topic: madeTopic.Name}, foreign(fmt.Sprint("f", i), "f", fmt.Sprintf(`{"id":"f","n":%d}`, i)), func(int64, error) {})
	}
	return p.Flush(context.Background())
}

// TestFailedSend makes the broker refuse records for good while those after them
// are under way (hazard a): nothing is lost, and the order stays.
func TestFailedSend(t *testing.T) {
	t.Parallel()
	broker, bus := embedded(t)
	order := map[string][]int{}
	s, stop := start(t, bus, "both", t.TempDir(), quick, func(s *service.Service) {
		event.Publishes[Made](s)
		event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Made]) error {
			order[m.Body.ID] = append(order[m.Body.ID], m.Body.N)
			return nil
		})
	})
	const writers, writes, each = 8, 50, 25 // so that several batches are under way at once
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range writes {
				if w == 0 && i%5 == 2 {
					f := []kafka.SendFault{kafka.Invalid, kafka.TooLarge, kafka.Unanswered, kafka.Forbidden}[i/5%4]
					broker.FailSends(madeTopic.Name, f, 1+i%3)
				}
				err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
					for n := range each {
						if err := event.Publish(ctx, tx, Made{fmt.Sprint("k", w), i*each + n}); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	eventually(t, s, "all are handled", func() bool { return s.Status().Handled == writers*writes*each && s.Status().Unsent == 0 })
	st := s.Status()
	stop()
	for key, ns := range order {
		for i, n := range ns {
			if n != i {
				t.Fatalf("number %d of %s is handled in place %d", n, key, i)
			}
		}
	}
	t.Logf("%d sent again, %d dropped after a gap, %d duplicates dropped", st.Resent, st.Gaps, st.Duplicates)
	if st.Resent == 0 {
		t.Error("no send failed: this test tests nothing")
	}
}

// TestParkedOfALogThatIsGone: after a topic was made anew, records come to the offsets of
// those that were parked of the old one. Both are kept, and the older of a key are before
// the others.
func TestParkedOfALogThatIsGone(t *testing.T) {
	broker, bus := embedded(t)
	fussy := picky(func(m Made) error {
		if m.N < 0 {
			return event.Reject(errors.New("negative"))
		}
		return nil
	})
	dir, cfg := t.TempDir(), quick
	for n, want := range []string{"a-1 b-2 a3", "a-1 b-2 a3 c-1 a2", "a-1 b-2 a3 c-1 a2 b-1 a4"} {
		s, stop := start(t, bus, "picky", dir, cfg, fussy)
		switch n {
		case 0:
			produce(t, bus, madeTopic, made("a", -1), made("b", -2), made("a", 3))
		case 1:
			produce(t, bus, madeTopic, made("c", -1), made("a", 2), made("d", 0), made("d", 1), made("d", 2))
		case 2:
			produce(t, bus, madeTopic, made("b", -1), made("a", 4))
		}
		var got string
		eventually(t, s, want+" are parked", func() bool {
			var all []string
			for _, p := range parked(t, s, store.Selection{}) {
				all = append(all, p.Key()+strings.Split(strings.Trim(string(p.Record.Value), "}"), ":")[2])
			}
			got = strings.Join(all, " ")
			return len(all) == strings.Count(want, " ")+1
		})
		if got != want {
			t.Errorf("parked: %s, want %s", got, want)
		}
		stop()
		if err := broker.Recreate(madeTopic.Name); err != nil {
			t.Fatal(err)
		}
		cfg.Recover = service.Rewind
	}
	s, _ := start(t, bus, "picky", dir, cfg, fussy)
	if err := s.Discard(t.Context(), parked(t, s, store.Selection{Key: "a"})[0]); err != nil {
		t.Fatal(err)
	}
	eventually(t, s, "what was parked behind it is done", func() bool {
		got := rows(t, s)
		return got["a2"]+got["a3"]+got["a4"] == 3
	})
}
