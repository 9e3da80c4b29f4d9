package tuttitest

import (
	"bytes"
	"cmp"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
)

// World is a broker, services and a clock in one bubble. Its methods are called
// from the test's goroutine; they fail the test where they cannot do what they say.
type World struct {
	t    *testing.T
	cfg  Config
	seed uint64
	rng  *rand.Rand
	dir  string
	log  *slog.Logger

	net    *kafka.Network
	broker *kafka.Broker
	bus    *kafka.Bus
	out    *publisher
	seen   *journal
	chaos  sync.WaitGroup
	port   int // of the last HTTP listener

	mu        sync.Mutex
	instances map[string]*instance
	topics    map[string]event.Topic
}

// Config tunes a world. Its zero value is the documented default.
type Config struct {
	// Seed is where all chance comes from; default 1.
	Seed uint64
	// Partitions of topics whose contract names no number; default 2, so that
	// what relies on an order between keys fails.
	Partitions int
	// Patience is how long, in virtual time, Expect, ExpectRows and Quiet wait;
	// default 1 hour.
	Patience time.Duration
	// Calm is for tests in which months pass: services look around every hour instead
	// of every second, which costs real time. A second instance then takes over from
	// one that crashed after hours.
	Calm bool
}

// Run calls fn with a world, in a bubble of virtual time. A world is new: no
// topics, no data. When fn returns, everything stops. Unless the variable GOGC is set,
// garbage is collected less often from then on, in the whole process.
func Run(t *testing.T, fn func(w *World)) {
	t.Helper()
	RunConfig(t, Config{}, fn)
}

// RunConfig is [Run] with settings.
func RunConfig(t *testing.T, cfg Config, fn func(w *World)) {
	t.Helper()
	cfg.Seed = cmp.Or(cfg.Seed, 1)
	cfg.Partitions = cmp.Or(cfg.Partitions, 2)
	cfg.Patience = cmp.Or(cfg.Patience, time.Hour)
	dir := tempDir(t)
	tuneGC()
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		w := &World{
			t: t, cfg: cfg, seed: cfg.Seed, rng: rand.New(rand.NewPCG(cfg.Seed, 0)), dir: dir, log: slog.New(slog.NewTextHandler(&log, nil)),
			net: &kafka.Network{}, port: 10_000, instances: map[string]*instance{}, topics: map[string]event.Topic{},
		}
		defer log.print(t)
		defer w.close()
		w.open()
		fn(w)
	})
}

const calm = time.Hour

// tuneGC collects garbage less often, unless GOGC says how often: a world makes much of
// it and is soon gone, and a hundred megabytes more are cheaper.
var tuneGC = sync.OnceFunc(func() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
})

func (w *World) open() {
	var err error
	if w.broker, err = kafka.Embed(kafka.BrokerConfig{Network: w.net, Port: 9092, Logger: w.log}); err != nil {
		w.t.Fatal(err)
	}
	cfg := kafka.Config{
		Brokers: w.broker.Addrs(), Partitions: w.cfg.Partitions, Dial: w.net.DialContext, Logger: w.log,
		FetchWait: 30 * time.Second, // idle consumers cost real time
	}
	if w.cfg.Calm {
		cfg.FetchWait, cfg.Heartbeat = calm, calm
	}
	w.bus, err = kafka.Connect(w.t.Context(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.out, err = newPublisher(w.bus); err != nil {
		w.t.Fatal(err)
	}
	w.seen = newJournal(w)
}

// close ends all that runs in the bubble, also after a part of open.
func (w *World) close() {
	w.chaos.Wait()
	w.surprise()
	for _, i := range w.all() {
		w.kill(i)
	}
	if w.out != nil {
		w.out.producer.Close()
	}
	if w.bus != nil {
		w.bus.Close()
	}
	if w.broker != nil {
		if err := w.broker.Close(); err != nil {
			w.t.Error(err)
		}
	}
}

// T is the test inside the bubble.
func (w *World) T() *testing.T { return w.t }

// Seed is where the world's chance comes from.
func (w *World) Seed() uint64 { return w.seed }

// Rand is the world's chance, from its seed.
func (w *World) Rand() *rand.Rand { return w.rng }

// Dir is where the services keep their databases, as NAME.db.
func (w *World) Dir() string { return w.dir }

// Database is the file of a service's database.
func (w *World) Database(name string) string { return filepath.Join(w.dir, serviceOf(name)+".db") }

// Broker is the embedded broker, with its faults.
func (w *World) Broker() *kafka.Broker { return w.broker }

// Bus is a connection to the broker that is never cut.
func (w *World) Bus() *kafka.Bus { return w.bus }

// Sleep lets virtual time pass.
func (w *World) Sleep(d time.Duration) { time.Sleep(d) }

// logBuffer keeps the log until it is known whether the test failed.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const maxLog = 1 << 20 // bytes that are kept

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buf.Len() > maxLog {
		return len(p), nil
	}
	return l.buf.Write(p)
}

func (l *logBuffer) print(t *testing.T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.Failed() {
		t.Logf("what the services logged:\n%s", l.buf.String())
	}
}

// note remembers topics that exist.
func (w *World) note(topics []event.Topic) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range topics {
		w.topics[t.Name] = t
	}
}

func (w *World) topicNames() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]string, 0, len(w.topics))
	for name := range w.topics {
		out = append(out, name)
	}
	return out
}
