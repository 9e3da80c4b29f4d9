package service_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/paralleltest"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

func TestMain(m *testing.M) {
	paralleltest.AtLeast(8)
	os.Exit(m.Run())
}

func migrations(files map[string]string) fs.FS {
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

// doneTable is what the services of these tests write to.
var doneTable = map[string]string{"0001_done.sql": "CREATE TABLE done (id TEXT NOT NULL, n INTEGER NOT NULL)"}

// cluster starts a broker in memory, and returns a bus to it.
func cluster(t *testing.T) *kafka.Bus {
	t.Helper()
	_, bus := embedded(t)
	return bus
}

// embedded starts a broker in memory, to be harmed, and a bus to it.
func embedded(t *testing.T) (*kafka.Broker, *kafka.Bus) {
	t.Helper()
	broker, err := kafka.Embed(kafka.BrokerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { broker.Close() })
	bus, err := kafka.Connect(t.Context(), kafka.Config{Brokers: broker.Addrs()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	return broker, bus
}

// database is where a service of a test keeps its data: a file in dir, or, with the
// variable TUTTI_POSTGRES, a schema there that belongs to dir.
func database(t *testing.T, dir, name string) string {
	t.Helper()
	if os.Getenv("TUTTI_POSTGRES") == "" {
		return "sqlite:" + filepath.Join(dir, name+".db")
	}
	schema, known := schemas.Load(dir)
	if !known {
		schema = tuttitest.Postgres(t)
		schemas.Store(dir, schema)
		t.Cleanup(func() { schemas.Delete(dir) })
	}
	return schema.(string) + "_" + name
}

// onFiles skips a test of what can happen to files where databases are none.
func onFiles(t *testing.T) {
	t.Helper()
	if os.Getenv("TUTTI_POSTGRES") != "" {
		t.Skip("this is about databases in files, and TUTTI_POSTGRES names another")
	}
}

var schemas sync.Map // URLs, by directory

// start runs a service until the test, or stop, ends it.
func start(t *testing.T, bus *kafka.Bus, name, dir string, cfg service.Config, register func(*service.Service)) (s *service.Service, stop func()) {
	t.Helper()
	cfg.Database = database(t, dir, name)
	s = service.New(name+suffix, bus, cfg)
	s.Migrations(migrations(doneTable))
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
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run() of %s = %v, want nil", name, err)
		}
	}
	t.Cleanup(stop)
	return s, stop
}

// produce writes records as a foreign producer would.
func produce(t *testing.T, bus *kafka.Bus, topic event.Topic, records ...event.Record) {
	t.Helper()
	if err := bus.EnsureTopics(t.Context(), []event.Topic{topic}); err != nil {
		t.Fatal(err)
	}
	p, err := bus.Producer("foreign")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, r := range records {
		p.Send(t.Context(), event.Partition{Topic: topic.Name}, r, func(_ int64, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// rows lists what a service has done.
func rows(t *testing.T, s *service.Service) map[string]int {
	t.Helper()
	out := map[string]int{}
	r, err := s.Read().Query(t.Context(), `SELECT id, COUNT(*) FROM done GROUP BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for r.Next() {
		var id string
		var n int
		if err := r.Scan(&id, &n); err != nil {
			t.Fatal(err)
		}
		out[id] = n
	}
	return out
}

// eventually waits until a condition holds.
func eventually(t *testing.T, s *service.Service, what string, ok func() bool) {
	t.Helper()
	for range 6000 { // a minute: machines may be slow
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	parked, _ := s.Parked(t.Context(), store.Selection{})
	t.Fatalf("not in a minute: %s; status %+v; parked %+v", what, s.Status(), parked)
}
