package service_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

type Made struct {
	ID string `json:"id"`
	N  int    `json:"n"`
}

var (
	madeTopic    = event.Topic{Name: "test.made"}
	checkedTopic = event.Topic{Name: "test.checked"}
)

func (Made) Contract() event.Contract {
	return event.Contract{Type: "test.made", Version: 1, Topic: madeTopic}
}
func (m Made) Key() string { return m.ID }

type Checked struct {
	ID string `json:"id"`
}

func (Checked) Contract() event.Contract {
	return event.Contract{Type: "test.checked", Version: 1, Topic: checkedTopic}
}
func (m Checked) Key() string { return m.ID }

type check struct{ ID string }

func (check) JobType() string { return "test.check" }

// maker publishes things on request, and hears when they are checked.
func maker(s *service.Service) {
	event.Publishes[Made](s)
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Checked]) error {
		return tx.Exec(ctx, `INSERT INTO done (id, n) VALUES ($1, 1)`, m.Body.ID)
	})
}

// checker checks things by a job.
func checker(s *service.Service) {
	event.Publishes[Checked](s)
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Made]) error {
		return job.Start(ctx, tx, "check-"+m.Body.ID, check{m.Body.ID})
	})
	job.Handle(s, job.Config{}, func(ctx context.Context, c job.Call[check]) (string, error) { return "ok", nil },
		func(ctx context.Context, tx *store.Tx, r job.Result[check, string]) error {
			return event.Publish(ctx, tx, Checked{r.Args.ID})
		})
}

func publish(t *testing.T, s *service.Service, body event.Body) {
	t.Helper()
	if err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return event.Publish(ctx, tx, body) }); err != nil {
		t.Fatal(err)
	}
}

func TestTwoServicesAndAJobOverKafka(t *testing.T) { overKafka(t, twoServicesAndAJob) }

func twoServicesAndAJob(t *testing.T, bus *kafka.Bus) {
	dir := t.TempDir()
	m, stopMaker := start(t, bus, "maker", dir, service.Config{}, maker)
	_, stopChecker := start(t, bus, "checker", dir, service.Config{}, checker)
	send := func(from, to int) {
		for i := from; i < to; i++ {
			publish(t, m, Made{ID: fmt.Sprint("t", i), N: i})
		}
	}
	send(0, 50)
	eventually(t, m, "50 are checked", func() bool { return len(rows(t, m)) == 50 })
	stopChecker()
	send(50, 100)
	stopMaker()
	m, _ = start(t, bus, "maker", dir, service.Config{}, maker)
	start(t, bus, "checker", dir, service.Config{}, checker)
	eventually(t, m, "100 are checked", func() bool { return len(rows(t, m)) == 100 })
	for id, n := range rows(t, m) {
		if n != 1 {
			t.Errorf("%s is done %d times, want once", id, n)
		}
	}
}

func TestWriteFailsAlone(t *testing.T) {
	m, _ := start(t, cluster(t), "maker", t.TempDir(), service.Config{}, maker)
	errs := make(chan error, 100)
	for i := range 100 {
		go func() {
			errs <- m.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				if err := tx.Exec(ctx, `INSERT INTO done (id, n) VALUES ($1, $2)`, fmt.Sprint(i), i); err != nil {
					return err
				}
				switch i % 10 {
				case 3:
					return problem.Conflict("three")
				case 7:
					panic("seven")
				}
				return nil
			})
		}()
	}
	failed := 0
	for range 100 {
		if err := <-errs; err != nil {
			failed++
			if kind := problem.KindOf(err); kind != problem.Clash && !strings.Contains(err.Error(), "panic: seven") {
				t.Errorf("Write() = %v", err)
			}
		}
	}
	if got := len(rows(t, m)); failed != 20 || got != 80 {
		t.Errorf("%d failed and %d are stored, want 20 and 80", failed, got)
	}
}

// TestSlowWriteFailsAlone: a write that takes all the time of its transaction fails, and
// those behind it do not.
func TestSlowWriteFailsAlone(t *testing.T) {
	t.Parallel()
	const others = 5
	m, _ := start(t, cluster(t), "maker", t.TempDir(), service.Config{HandlerTimeout: 200 * time.Millisecond}, maker)
	release := hold(t, m)
	slow, errs := make(chan error, 1), make(chan error, others)
	go func() {
		slow <- m.Write(t.Context(), func(ctx context.Context, _ *store.Tx) error {
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	time.Sleep(50 * time.Millisecond) // it is the first in the queue
	for i := range others {
		go func() {
			errs <- m.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				return tx.Exec(ctx, `INSERT INTO done (id, n) VALUES ($1, $2)`, fmt.Sprint(i), i)
			})
		}()
	}
	time.Sleep(50 * time.Millisecond)
	release()
	if err := <-slow; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Write() of what takes too long = %v, want that its time is up", err)
	}
	for range others {
		if err := <-errs; err != nil {
			t.Errorf("Write() behind one that takes too long = %v, want nil", err)
		}
	}
	if got := len(rows(t, m)); got != others {
		t.Errorf("%d are stored, want %d", got, others)
	}
}

func TestUndeclaredIsRefused(t *testing.T) {
	m, _ := start(t, cluster(t), "maker", t.TempDir(), service.Config{}, maker)
	err := m.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return event.Publish(ctx, tx, Checked{"1"}) })
	if err == nil || !strings.Contains(err.Error(), "event.Publishes") {
		t.Errorf("Write() = %v, want an error that says what to call", err)
	}
}

func TestTimer(t *testing.T) {
	m, _ := start(t, cluster(t), "maker", t.TempDir(), service.Config{}, func(s *service.Service) {
		job.OnDue(s, func(ctx context.Context, tx *store.Tx, d job.Due[check]) error {
			return tx.Exec(ctx, `INSERT INTO done (id, n) VALUES ($1, 1)`, d.Args.ID)
		})
	})
	err := m.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for i, delay := range []time.Duration{50 * time.Millisecond, 20 * time.Millisecond, 80 * time.Millisecond} {
			if err := job.At(ctx, tx, tx.Now().Add(delay), fmt.Sprint(i), check{fmt.Sprint(i)}); err != nil {
				return err
			}
		}
		there, err := job.Cancel[check](ctx, tx, "1")
		if !there {
			t.Error("Cancel() finds no timer")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, m, "two timers", func() bool { return len(rows(t, m)) == 2 })
	if got := rows(t, m); got["1"] != 0 {
		t.Error("a cancelled timer fired")
	}
}

// other has the type of Made in another topic, and another type for a field.
type other struct {
	N string `json:"n"`
}

func (other) Contract() event.Contract {
	return event.Contract{Type: "test.made", Version: 1, Topic: event.Topic{Name: "test.elsewhere"}}
}

func TestContractsThatDiffer(t *testing.T) {
	bus := cluster(t)
	a, b := service.New("a", bus, service.Config{}), service.New("b", bus, service.Config{})
	event.Publishes[Made](a)
	event.On(b, func(context.Context, *store.Tx, event.Message[other]) error { return nil })
	err := service.CheckContracts(a, b)
	for _, want := range []string{"test.elsewhere", "n is number and string"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("CheckContracts() = %v, want it to name %q", err, want)
		}
	}
}

// kept is in the topic of Made, of which it says how long records are kept.
type kept struct{ Made }

func (kept) Contract() event.Contract {
	return event.Contract{Type: "test.kept", Version: 1, Topic: event.Topic{Name: madeTopic.Name, Retention: time.Hour}}
}

// A topic is made once, so the contracts in it are to say the same of it.
func TestTopicsThatDiffer(t *testing.T) {
	s := service.New("a", cluster(t), service.Config{Database: database(t, t.TempDir(), "a")})
	event.Publishes[Made](s)
	event.Publishes[kept](s)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	err := s.Run(ctx)
	if want := "topic test.made: a says test.made (0 partitions, retention 1h0m0s) for test.kept/1, a says test.made for test.made/1"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Run() = %v, want %q", err, want)
	}
}

// made2 is version 2 of Made.
type made2 struct{ Made }

func (made2) Contract() event.Contract {
	return event.Contract{Type: Made{}.Contract().Type, Version: 2, Topic: madeTopic}
}

// A version that nobody handles is told beside all those that somebody does.
func TestUnknownVersion(t *testing.T) {
	bus := cluster(t)
	s, _ := start(t, bus, "a", t.TempDir(), service.Config{}, func(s *service.Service) {
		event.On(s, func(context.Context, *store.Tx, event.Message[Made]) error { return nil })
		event.On(s, func(context.Context, *store.Tx, event.Message[made2]) error { return nil })
	})
	for version, want := range map[int]string{0: "test.made says no version, and service a handles [1 2]", 3: "test.made has version 3, and service a handles [1 2]"} {
		key := fmt.Sprint(version)
		produce(t, bus, madeTopic, event.Encode(event.Envelope{ID: key, Source: "/foreign", Type: "test.made", Version: version, Key: key}, []byte(`{}`)))
		eventually(t, s, want, func() bool {
			all := parked(t, s, store.Selection{State: store.StateDead, Key: key})
			return len(all) == 1 && strings.HasSuffix(all[0].Error, want)
		})
	}
}

// What comes in a version that nobody here handles yet, as while services are deployed one
// by one, is handled once somebody does, and what waits behind it.
func TestNewerVersionIsHandledLater(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("reader", reader)
		w.Publish(made2{Made{"k", 1}}, Made{"k", 2}, Made{"other", 3})
		handled(w, "3")
		w.Crash("reader")
		w.Restart("reader")
		handled(w, "3")
		w.Stop("reader")
		w.Start("reader", func(s *service.Service) {
			reader(s)
			event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[made2]) error {
				return tx.Exec(ctx, `INSERT INTO got (n) VALUES ($1)`, 10*m.Body.N)
			})
		})
		handled(w, "3", "10", "2")
		w.ExpectRows("reader", `SELECT pos FROM tutti_parked`)
	})
}

// TestForeignIDsAreForgotten: ids of foreign messages are remembered for as many records
// as is asked for, and not for ever.
func TestForeignIDsAreForgotten(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("reader", reader, service.Config{Remember: 10})
		for n := range 30 {
			w.Produce(madeTopic, made("k", n))
		}
		w.Produce(madeTopic, made("k", 29))
		w.Sleep(11 * time.Minute)
		if ids := w.Query("reader", `SELECT id FROM tutti_foreign ORDER BY pos`); len(ids) != 9 || ids[0] != "k-21" {
			t.Errorf("remembered are %v, want those of the last 10 records", ids)
		}
		w.Produce(madeTopic, made("k", 29))
		w.Sleep(time.Minute)
		if got := got(w); len(got) != 30 {
			t.Errorf("%d are handled, want 30", len(got))
		}
	})
}
