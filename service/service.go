package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/store"
)

// Service is one service: what it handles, publishes and serves, and the loop that
// does so. It is set up by one goroutine, then [Service.Run] once.
type Service struct {
	name string
	cfg  Config
	log  *slog.Logger

	migrations fs.FS
	bindings   map[contractID]event.Binding[*store.Tx]
	publishes  map[event.Contract]event.Schema
	jobs       map[string]job.Binding
	mux        *http.ServeMux
	patterns   []string // of mux
	background []func(ctx context.Context) error
	parts      []Part
	operators  []operatorRoute

	byType  map[typeID][]*event.Binding[*store.Tx] // set by Run
	loop    *loop
	kill    context.CancelCauseFunc // set by Run
	ready   chan struct{}
	stopped chan struct{}
}

// contractID is what a message says of its contract on the wire.
type contractID struct {
	topic   string
	typ     string
	version int
}

// New returns a service of that name, which is also its consumer group. Bind its
// handlers, then call Run.
func New(name string, bus *kafka.Bus, cfg Config) *Service {
	s := &Service{
		name: name, cfg: cfg.withDefaults(), bindings: map[contractID]event.Binding[*store.Tx]{},
		publishes: map[event.Contract]event.Schema{}, jobs: map[string]job.Binding{}, mux: http.NewServeMux(), ready: make(chan struct{}), stopped: make(chan struct{}),
	}
	s.cfg.bus = bus
	s.cfg.Database = cmp.Or(s.cfg.Database, "sqlite:data/"+name+".db")
	s.log = slog.New(terse{s.cfg.Logger.Handler()}).With("service", name)
	s.loop = newLoop(s)
	s.routes()
	return s
}

// Name is the service's name and consumer group.
func (s *Service) Name() string { return s.name }

// Logger is the service's logger.
func (s *Service) Logger() *slog.Logger { return s.log }

// Migrations sets the service's own tables: files named NUMBER_NAME.sql, at the
// root of files or in its one folder.
func (s *Service) Migrations(files fs.FS) { s.migrations = files }

// Bind implements [event.Binder]. Services call [event.On]. It panics if the
// contract is invalid or bound already: a fault of the program's text.
func (s *Service) Bind(b event.Binding[*store.Tx]) {
	if err := b.Contract.Validate(); err != nil {
		panic(fmt.Sprintf("service %s: %v", s.name, err))
	}
	id := contractID{b.Contract.Topic.Name, b.Contract.Type, b.Contract.Version}
	if _, dup := s.bindings[id]; dup {
		panic(fmt.Sprintf("service %s: two handlers for %s", s.name, b.Contract))
	}
	s.bindings[id] = b
}

// Declare implements [event.Declarer]. Services call [event.Publishes].
func (s *Service) Declare(c event.Contract, schema event.Schema) {
	if err := c.Validate(); err != nil {
		panic(fmt.Sprintf("service %s: %v", s.name, err))
	}
	s.publishes[c] = schema
}

// BindJob implements [job.Binder]. Services call [job.Handle] and [job.OnDue]. It panics
// if the kind is bound already, or its settings are negative: a fault of the program's text.
func (s *Service) BindJob(b job.Binding) {
	if c := b.Config; c.Workers < 0 || c.Timeout < 0 || c.Attempts < 0 {
		panic(fmt.Sprintf("service %s: job %s has Workers %d, Timeout %v and Attempts %d, want none below 0", s.name, b.Kind, c.Workers, c.Timeout, c.Attempts))
	}
	if _, dup := s.jobs[b.Kind]; dup {
		panic(fmt.Sprintf("service %s: two handlers for job %s", s.name, b.Kind))
	}
	s.jobs[b.Kind] = b
}

// Part is what a package brings that keeps tables of its own in the services that use
// it.
type Part struct {
	// Name is the part's, in the record of migrations.
	Name string
	// Migrations are the part's tables: see [Service.Migrations].
	Migrations fs.FS
	// Check, if set, looks at what is stored before anything runs. Its error keeps the
	// service from starting.
	Check func(ctx context.Context, db *store.Store) error
}

// Uses adds a part to the service.
func (s *Service) Uses(p Part) { s.parts = append(s.parts, p) }

// Publishes lists the contracts that the service publishes.
func (s *Service) Publishes() []event.Contract { return slices.Collect(maps.Keys(s.publishes)) }

// Handles lists the contracts that the service has handlers for.
func (s *Service) Handles() []event.Contract {
	var out []event.Contract
	for _, b := range s.bindings {
		out = append(out, b.Contract)
	}
	return out
}

// Go runs fn beside the loop until the service stops. If it returns an error, the
// service stops with it.
func (s *Service) Go(fn func(ctx context.Context) error) {
	s.background = append(s.background, fn)
}

// Write runs fn in the loop's next transaction, in a savepoint of its own, and
// returns after the commit: fn's error if it failed, and nil only if what it wrote
// is durable. It may run fn more than once, so fn must have no effects beside the
// transaction. Any number of goroutines may call it, but no handler of the service's
// own: those have a transaction, for the end of which it would wait.
//
// Where the database or the queue does not answer in time, the error has kind
// Unavailable, and the outcome is unknown.
func (s *Service) Write(ctx context.Context, fn func(ctx context.Context, tx *store.Tx) error) error {
	return s.loop.write(ctx, fn)
}

// Read reads the last committed state, from any goroutine. Until Run has opened
// the database, queries return an error.
func (s *Service) Read() store.Querier { return s.loop }

// Ready is closed once the service handles messages and requests.
func (s *Service) Ready() <-chan struct{} { return s.ready }

// Config tunes a service. Its zero value is the documented default.
type Config struct {
	// Database is where the service keeps its data, as in "sqlite:data/order.db" or
	// "postgres://user@host/shop": see [store.Open]. Default: "sqlite:data/NAME.db".
	Database string
	// Batch is the most records of one transaction; default 1000, at most 10000.
	Batch int
	// Attempts is how often a record or a job is tried before it is dead or given
	// up; default 10.
	Attempts int
	// Backoff is the first delay before a retry; each next one doubles, up to
	// MaxBackoff, with full jitter. Defaults 200 ms and 1 minute.
	Backoff, MaxBackoff time.Duration
	// HandlerTimeout ends the context of handlers; default 15 s. All else waits for them
	// meanwhile: what may take long is for a job.
	HandlerTimeout time.Duration
	// WriteTimeout is how long Write waits for a transaction; default 20 s. Above
	// HandlerTimeout, it outlasts a handler that takes all its time.
	WriteTimeout time.Duration
	// Drain is how long a stop waits for what is under way; default 10 s.
	Drain time.Duration
	// Parked is how many parked records an instance takes before it stops reading
	// more; default 1000000. ParkedKeys is of how many keys; default 100000.
	// ParkedBytes is how large they may be together, in the database; default 1 GB.
	Parked, ParkedKeys, ParkedBytes int
	// Remember is for how many of the last records of a partition the ids of messages
	// of foreign producers are remembered; default 1000000. One that comes again later
	// than that is handled again.
	Remember int64
	// Unsent is how many events may wait for Kafka before the loop waits; default
	// 20000. UnsentBytes is how large they may be together, in memory; default 64 MB. A
	// transaction that has published more than that leaves what it was to handle to others.
	Unsent, UnsentBytes int
	// Recover says what to do where the database and the log do not fit together,
	// because one of them went back in time. Default: refuse to start.
	Recover Recovery
	// Logger defaults to slog.Default.
	Logger *slog.Logger
	// Unsynced and Shared are for tests in virtual time: see [store.Config].
	Unsynced, Shared bool
	// Fault, in tests, is called at the points where a crash could hurt. If it
	// returns an error, the service dies on the spot, without cleaning up.
	Fault func(Point) error

	// Calm, in tests in which months of virtual time pass, is the least time between
	// looks at what seldom changes; default: as often as each needs, from a second on.
	Calm time.Duration
	// Seed, in tests, makes the random part of delays the same each time.
	Seed uint64

	bus    *kafka.Bus
	guards guards
	hooks  hooks
}

// Recovery is what a service does where its database and the log do not fit.
type Recovery string

// Refuse stops with a message that says what is wrong. Rewind trusts the
// database: what it does not know is handled, perhaps once more. Skip trusts the
// log's end: what is between is left out.
const (
	Refuse Recovery = ""
	Rewind Recovery = "rewind"
	Skip   Recovery = "skip"
)

// Point is a moment at which a test can make a service die.
type Point string

// The moments within a batch.
const (
	BeforeBegin  Point = "before begin"
	BeforeCommit Point = "before commit"
	AfterCommit  Point = "after commit"
	BetweenSends Point = "between sends"
	BeforeJob    Point = "before job"
	AfterJob     Point = "after job"
)

func (c Config) withDefaults() Config {
	c.Batch = cmp.Or(c.Batch, 1000)
	c.Attempts = cmp.Or(c.Attempts, 10)
	c.Backoff = cmp.Or(c.Backoff, 200*time.Millisecond)
	c.MaxBackoff = cmp.Or(c.MaxBackoff, time.Minute)
	c.HandlerTimeout = cmp.Or(c.HandlerTimeout, 15*time.Second)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, 20*time.Second)
	c.Drain = cmp.Or(c.Drain, 10*time.Second)
	c.Parked = cmp.Or(c.Parked, 1_000_000)
	c.ParkedKeys = cmp.Or(c.ParkedKeys, 100_000)
	c.ParkedBytes = cmp.Or(c.ParkedBytes, 1<<30)
	c.Remember = cmp.Or(c.Remember, 1_000_000)
	c.Unsent = cmp.Or(c.Unsent, 20_000)
	c.UnsentBytes = cmp.Or(c.UnsentBytes, 64<<20)
	c.guards = allGuards
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Fault == nil {
		c.Fault = func(Point) error { return nil }
	}
	return c
}

// validate reports all faults at once.
func (c Config) validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Batch >= 1 && c.Batch <= 10_000, "Batch is %d, want 1 to 10000", c.Batch)
	check(c.Attempts >= 1, "Attempts is %d, want 1 or more", c.Attempts)
	check(c.Backoff > 0 && c.MaxBackoff >= c.Backoff, "Backoff is %v and MaxBackoff %v, want 0 < Backoff <= MaxBackoff", c.Backoff, c.MaxBackoff)
	check(c.HandlerTimeout > 0, "HandlerTimeout is %v, want more than 0", c.HandlerTimeout)
	check(c.WriteTimeout > 0, "WriteTimeout is %v, want more than 0", c.WriteTimeout)
	check(c.Drain > 0, "Drain is %v, want more than 0", c.Drain)
	check(c.Parked >= 1, "Parked is %d, want 1 or more", c.Parked)
	check(c.ParkedKeys >= 1, "ParkedKeys is %d, want 1 or more", c.ParkedKeys)
	check(c.ParkedBytes >= 1, "ParkedBytes is %d, want 1 or more", c.ParkedBytes)
	check(c.Remember >= 1, "Remember is %d, want 1 or more", c.Remember)
	check(c.Unsent >= 1, "Unsent is %d, want 1 or more", c.Unsent)
	check(c.UnsentBytes >= 1, "UnsentBytes is %d, want 1 or more", c.UnsentBytes)
	check(c.Recover == Refuse || c.Recover == Rewind || c.Recover == Skip, "Recover is %q, want rewind or skip", c.Recover)
	return errors.Join(errs...)
}
