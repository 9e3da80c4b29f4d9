package service_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

// The hazards of exactly-once effects, each in virtual time. Those that a guard at
// the reader holds off are shown to be real by switching the guard off.

// writer publishes on request.
func writer(s *service.Service) { event.Publishes[Made](s) }

// reader notes what it handles, in order.
func reader(s *service.Service) {
	s.Migrations(migrations(map[string]string{"0001_got.sql": `CREATE TABLE got (place INTEGER PRIMARY KEY, n INTEGER NOT NULL)`}))
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Made]) error {
		return tx.Exec(ctx, `INSERT INTO got (n) VALUES ($1)`, m.Body.N)
	})
}

func without(guard service.Guard, register func(*service.Service)) func(*service.Service) {
	return func(s *service.Service) {
		service.Without(guard, s)
		register(s)
	}
}

// write publishes the numbers from to to-1 with one key, each in a transaction.
func write(w *tuttitest.World, name string, from, to int) {
	for n := from; n < to; n++ {
		publish(w.T(), w.Service(name), Made{"k", n})
	}
}

func got(w *tuttitest.World) []string { return w.Query("reader", `SELECT n FROM got ORDER BY place`) }

func numbers(from, to int) []string {
	var out []string
	for n := from; n < to; n++ {
		out = append(out, fmt.Sprint(n))
	}
	return out
}

// TestHazardRefused lets the broker refuse records while those after them are under
// way (hazard a): nothing is lost, and the order stays.
func TestHazardRefused(t *testing.T) {
	for _, f := range []kafka.SendFault{kafka.Busy, kafka.Unanswered, kafka.Invalid, kafka.TooLarge, kafka.Forbidden} {
		t.Run(string(f), func(t *testing.T) {
			tuttitest.Run(t, func(w *tuttitest.World) {
				w.Start("writer", writer, service.Config{Batch: 1})
				w.Start("reader", reader)
				write(w, "writer", 0, 1)
				w.Quiet()
				w.Delay("writer", 100*time.Millisecond) // so that several are under way at once
				w.Broker().FailSends(madeTopic.Name, f, 2)
				write(w, "writer", 1, 10)
				w.Quiet()
				if got, want := got(w), numbers(0, 10); !slices.Equal(got, want) {
					t.Errorf("handled %v, want %v", got, want)
				}
			})
		})
	}
}

// landedInDisorder puts into the log what a sender leaves there whose second record
// failed while the third landed: it sends both again. It returns what the reader
// handles. (franz-go's idempotent producer does not let this happen within one
// producer id, so the records are written by hand.)
func landedInDisorder(t *testing.T, reader func(*service.Service)) (out []string) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("reader", reader)
		for _, seq := range []int64{1, 3, 2, 3, 4} {
			w.Produce(madeTopic, event.Encode(event.Envelope{
				ID: fmt.Sprint("x-", seq), Source: "/x", Type: "test.made", Version: 1, Key: "k", Lane: "x.0", Seq: seq,
			}, fmt.Appendf(nil, `{"id":"k","n":%d}`, seq)))
		}
		w.Quiet()
		out = got(w)
	})
	return out
}

func TestHazardGap(t *testing.T) {
	if got, want := landedInDisorder(t, reader), numbers(1, 5); !slices.Equal(got, want) {
		t.Errorf("handled %v, want %v", got, want)
	}
	if got, want := landedInDisorder(t, without(service.GuardGaps, reader)), []string{"1", "3", "2", "3", "4"}; !slices.Equal(got, want) {
		t.Errorf("without the guard %v are handled, want %v: the test does not show what the guard is for", got, want)
	}
}

// writtenTwice lets copies of records come again, and returns what the reader
// handles.
func writtenTwice(t *testing.T, reader func(*service.Service)) (out []string) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("writer", writer)
		w.Start("reader", reader)
		write(w, "writer", 0, 3)
		w.Expect(Made{"k", 0}, Made{"k", 1}, Made{"k", 2})
		w.Duplicate(madeTopic, 2)
		w.Quiet()
		out = got(w)
	})
	return out
}

func TestHazardDuplicate(t *testing.T) {
	if got, want := writtenTwice(t, reader), numbers(0, 3); !slices.Equal(got, want) {
		t.Errorf("handled %v, want %v", got, want)
	}
	if got, want := writtenTwice(t, without(service.GuardDuplicates, reader)), []string{"0", "1", "2", "1", "2"}; !slices.Equal(got, want) {
		t.Errorf("without the guard %v are handled, want %v: the test does not show what the guard is for", got, want)
	}
}

// TestHazardZombie freezes an instance right after a commit, until another has
// adopted its lane and sent what it left; then it goes on, and sends the same
// (hazard b). It is fenced before it can number anything.
func TestHazardZombie(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		var freeze atomic.Bool
		frozen, thaw := make(chan struct{}), make(chan struct{})
		w.Start("writer", writer, service.Config{Shared: true, Fault: func(p service.Point) error {
			if p == service.AfterCommit && freeze.CompareAndSwap(true, false) {
				close(frozen)
				<-thaw
			}
			return nil
		}})
		w.Start("reader", reader)
		zombie := w.Service("writer")
		w.Sleep(time.Second)
		freeze.Store(true)
		go func() { _ = zombie.Write(context.Background(), made10) }() // its answer comes too late
		<-frozen
		w.Sleep(store.LeaseTime / 2)
		w.Start("writer.early", writer, service.Config{Shared: true})
		write(w, "writer.early", 10, 11)
		w.Sleep(time.Second)
		if got, want := got(w), numbers(10, 11); !slices.Equal(got, want) {
			t.Errorf("while the lane is held %v are handled, want %v", got, want)
		}
		w.Stop("writer.early")
		w.Sleep(2 * store.LeaseTime)
		w.Start("writer.heir", writer, service.Config{Shared: true})
		w.Sleep(time.Second)
		if got, want := got(w), append(numbers(10, 11), numbers(0, 10)...); !slices.Equal(got, want) {
			t.Errorf("after the lane was adopted %v are handled, want %v", got, want)
		}
		close(thaw)
		_ = zombie.Write(context.Background(), func(ctx context.Context, tx *store.Tx) error {
			return event.Publish(ctx, tx, Made{"k", 99})
		})
		if err := w.AwaitEnd("writer"); !errors.Is(err, store.ErrFenced) {
			t.Errorf("Run() of the zombie = %v, want ErrFenced", err)
		}
		write(w, "writer.heir", 11, 13)
		w.Quiet()
		if got, want := got(w), append(append(numbers(10, 11), numbers(0, 10)...), numbers(11, 13)...); !slices.Equal(got, want) {
			t.Errorf("after the zombie woke up %v are handled, want %v", got, want)
		}
	})
}

// made10 publishes ten numbers in one transaction.
func made10(ctx context.Context, tx *store.Tx) error {
	for n := range 10 {
		if err := event.Publish(ctx, tx, Made{"k", n}); err != nil {
			return err
		}
	}
	return nil
}

// TestHazardCrash lets the writer and the reader die at each point of a batch: what
// is committed is sent and handled once, in order (hazard d).
func TestHazardCrash(t *testing.T) {
	for _, victim := range []string{"writer", "reader"} {
		for _, p := range []service.Point{service.BeforeCommit, service.AfterCommit, service.BetweenSends} {
			if victim == "reader" && p == service.BetweenSends {
				continue // it sends nothing
			}
			t.Run(victim+" "+string(p), func(t *testing.T) {
				tuttitest.Run(t, func(w *tuttitest.World) {
					w.Start("writer", writer)
					w.Start("reader", reader)
					write(w, "writer", 0, 1)
					w.Quiet()
					w.CrashAt(victim, p)
					_ = w.Service("writer").Write(w.T().Context(), func(ctx context.Context, tx *store.Tx) error {
						return errors.Join(event.Publish(ctx, tx, Made{"k", 1}), event.Publish(ctx, tx, Made{"k", 2}))
					}) // whether it succeeds depends on the point
					if err := w.AwaitEnd(victim); !errors.Is(err, service.ErrCrash) {
						t.Errorf("Run() = %v, want ErrCrash", err)
					}
					w.Restart(victim)
					write(w, "writer", 3, 4)
					w.Quiet()
					want := numbers(0, 4)
					if victim == "writer" && p == service.BeforeCommit {
						want = []string{"0", "3"} // and its client was told
					}
					if got := got(w); !slices.Equal(got, want) {
						t.Errorf("handled %v, want %v", got, want)
					}
				})
			})
		}
	}
}

// TestHazardTimeTravel lets log and database go back in time, and the log lose its
// head (hazards c and e): a service refuses to start, and says what to do.
func TestHazardTimeTravel(t *testing.T) {
	for _, c := range []struct {
		name, victim, says string
		harm               func(w *tuttitest.World) error
	}{
		{"reader's database restored", "reader", "the database is an old copy", func(w *tuttitest.World) error { return copyOf(w, "reader", "") }},
		{"writer's database restored", "writer", "the database is an old copy", func(w *tuttitest.World) error { return copyOf(w, "writer", "") }},
		{"log made anew", "reader", "the log was cut, or its topic made anew", func(w *tuttitest.World) error { return w.Broker().Recreate(madeTopic.Name) }},
		{"log made anew", "writer", "the log was cut, or its topic made anew", func(w *tuttitest.World) error { return w.Broker().Recreate(madeTopic.Name) }},
		{"log lost its head", "reader", "deleted by retention", func(w *tuttitest.World) error {
			for n := range 50 {
				w.Publish(Made{fmt.Sprint(n), n})
			}
			for p, end := range w.Broker().Ends([]string{madeTopic.Name}) {
				if err := w.Broker().Truncate(p, end); err != nil {
					return err
				}
			}
			return nil
		}},
	} {
		t.Run(c.victim+": "+c.name, func(t *testing.T) {
			tuttitest.Run(t, func(w *tuttitest.World) {
				w.Start("writer", writer)
				w.Start("reader", reader)
				write(w, "writer", 0, 3)
				w.Quiet()
				w.Stop(c.victim)
				if err := copyOf(w, c.victim, ".copy"); err != nil {
					t.Fatal(err)
				}
				w.Restart(c.victim)
				write(w, "writer", 3, 6)
				w.Quiet()
				w.Stop(c.victim)
				if err := c.harm(w); err != nil {
					t.Fatal(err)
				}
				register := map[string]func(*service.Service){"reader": reader, "writer": writer}[c.victim]
				err := w.TryStart(c.victim, register)
				if !errors.Is(err, service.ErrMismatch) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "start once with recovery") {
					t.Errorf("Run() = %v, want ErrMismatch that says %q and what to do", err, c.says)
				}
			})
		})
	}
}

// TestCrashAfterRecovery: a service that dies right after a recovery starts again.
func TestCrashAfterRecovery(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("writer", writer)
		w.Start("reader", reader)
		write(w, "writer", 0, 3)
		w.Quiet()
		w.Stop("reader")
		if err := copyOf(w, "reader", ".copy"); err != nil {
			t.Fatal(err)
		}
		w.Restart("reader")
		write(w, "writer", 3, 6)
		w.Quiet()
		w.Stop("reader")
		if err := copyOf(w, "reader", ""); err != nil {
			t.Fatal(err)
		}
		w.Start("reader", reader, service.Config{Recover: service.Rewind})
		w.Crash("reader")
		w.Start("reader", reader)
	})
}

// copyOf copies the database of a stopped service to NAME.db + suffix, or, without
// a suffix, back from the copy.
func copyOf(w *tuttitest.World, name, suffix string) error {
	from, to := w.Database(name), w.Database(name)+suffix
	if suffix == "" {
		from += ".copy"
		for _, rest := range []string{"-wal", "-shm"} {
			if err := os.Remove(to + rest); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// TestHazardTwoLanes lets the last event of a lane be refused, which a writer had not
// sent before its database got a new identity, and the first of the new lane beside it:
// both are sent again.
func TestHazardTwoLanes(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("reader", reader)
		w.Start("writer", writer)
		write(w, "writer", 0, 3)
		w.Quiet()
		incarnation := w.Query("writer", `SELECT value FROM tutti_meta WHERE name = 'incarnation'`)[0]
		w.Cut("writer")
		write(w, "writer", 3, 5)
		w.Crash("writer")
		ahead := map[event.Partition]kafka.Mark{} // something to recover from
		for p := range w.Broker().Ends([]string{madeTopic.Name}) {
			ahead[p] = kafka.Mark{Metadata: "writer." + incarnation + ".0 99"}
		}
		if err := w.Bus().Commit(w.T().Context(), "writer.sent", ahead); err != nil {
			t.Fatal(err)
		}
		w.Broker().FailSends(madeTopic.Name, kafka.Busy, 3) // until the others are there
		w.Broker().FailSends(madeTopic.Name, kafka.Forbidden, 1)
		w.Start("writer", writer, service.Config{Recover: service.Rewind})
		write(w, "writer", 5, 7)
		w.Quiet()
		got := got(w)
		slices.Sort(got)
		if want := numbers(0, 7); !slices.Equal(got, want) {
			t.Errorf("handled %v, want %v", got, want)
		}
	})
}
