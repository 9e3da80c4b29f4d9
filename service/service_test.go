package service_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

var topic = event.Topic{Name: "test.thing"}

type Made struct {
	ID string `json:"id"`
	N  int    `json:"n"`
}

func (Made) Contract() event.Contract { return event.Contract{Type: "test.made", Version: 1, Topic: topic} }
func (m Made) Key() string            { return m.ID }

type Checked struct {
	ID string `json:"id"`
}

func (Checked) Contract() event.Contract {
	return event.Contract{Type: "test.checked", Version: 1, Topic: event.Topic{Name: "test.check"}}
}
func (m Checked) Key() string { return m.ID }

type check struct{ ID string }

func (check) JobType() string { return "test.check" }

// maker publishes things on request, and hears when they are checked.
func maker(s *service.Service) {
	event.Publishes[Made](s)
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Checked]) error {
		return tx.Exec(ctx, `INSERT INTO done (id) VALUES ($1)`, m.Body.ID)
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

func start(t *testing.T, bus *kafka.Bus, name, dir string, register func(*service.Service), files map[string]string) (*service.Service, func()) {
	t.Helper()
	s := service.New(name, bus, service.Config{Database: "sqlite:" + filepath.Join(dir, name+".db")})
	s.Migrations(migrations(files))
	register(s)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	select {
	case <-s.Ready():
	case err := <-ended:
		t.Fatalf("Run() of %s = %v before it was ready", name, err)
	case <-time.After(20 * time.Second):
		t.Fatalf("%s is not ready", name)
	}
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		begin := time.Now()
		defer func() { t.Logf("stop %s: %v", name, time.Since(begin)) }()
		if err := <-ended; err != nil {
			t.Errorf("Run() of %s = %v, want nil", name, err)
		}
	}
	t.Cleanup(stop)
	return s, stop
}

func TestTwoServicesAndAJob(t *testing.T) {
	dir := t.TempDir()
	broker, err := kafka.Embed(kafka.BrokerConfig{Dir: filepath.Join(dir, "broker")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { broker.Close() })
	bus, err := kafka.Connect(t.Context(), kafka.Config{Brokers: broker.Addrs()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	tables := map[string]string{"0001_done.sql": "CREATE TABLE done (id TEXT PRIMARY KEY)"}
	m, stopMaker := start(t, bus, "maker", dir, maker, tables)
	_, stopChecker := start(t, bus, "checker", dir, checker, nil)
	begin := time.Now()
	make := func(from, to int) {
		for i := from; i < to; i++ {
			if err := m.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				return event.Publish(ctx, tx, Made{ID: fmt.Sprint("t", i), N: i})
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	make(0, 50)
	wait(t, m, 50)
	t.Logf("50 in %v", time.Since(begin))
	stopChecker()
	make(50, 100)
	stopMaker()
	m, _ = start(t, bus, "maker", dir, maker, tables)
	start(t, bus, "checker", dir, checker, nil)
	wait(t, m, 100)
}

func wait(t *testing.T, s *service.Service, want int) {
	t.Helper()
	var n int
	for range 1000 {
		if err := s.Read().QueryRow(t.Context(), `SELECT COUNT(*) FROM done`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n == want {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%d done, want %d; status %+v", n, want, s.Status())
}
