package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"github.com/tutti-go/tutti/kafka"
)

// Config says what is checked. Dir is required; the zero value of the rest is the
// documented default.
type Config struct {
	// Dir is the data directory of a shop that is not running.
	Dir string
	// Database is the PostgreSQL that has the services' schemas, if they have no files
	// in Dir.
	Database string
	// Kafka says where the log is, if not in Dir: then its Brokers are empty.
	Kafka kafka.Config
	// Bus is a connection to read the log by, in place of Kafka. Databases are then
	// read where they are, not copied: for tests.
	Bus *kafka.Bus
	// Settled says that everything must have ended: it is a violation if anything
	// is under way.
	Settled bool
	// Acknowledged is the ids of orders that must be there.
	Acknowledged []string
	// Examples is how many violations of each invariant are named; default 20.
	Examples int
	// Logger is for what the broker has to say; default slog.Default.
	Logger *slog.Logger
}

// Run checks the invariants. An error says that they could not be checked, for
// example because the shop is running; violations are no error.
func Run(ctx context.Context, cfg Config) (Report, error) {
	cfg.Examples = cmp.Or(cfg.Examples, 20)
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	if cfg.Bus != nil {
		return run(ctx, cfg, cfg.Dir)
	}
	dir, err := copyShop(ctx, cfg)
	if err != nil {
		return Report{}, fmt.Errorf("verify %s: %w", cfg.Dir, err)
	}
	report, err := run(ctx, cfg, dir)
	if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
		return Report{}, fmt.Errorf("verify %s: %w", cfg.Dir, err)
	}
	return report, nil
}

// run checks a copy.
func run(ctx context.Context, cfg Config, dir string) (r Report, failed error) {
	s, err := load(ctx, source{dir: dir, database: cfg.Database, running: cfg.Bus != nil})
	if err != nil {
		return Report{}, err
	}
	bus := cfg.Bus
	if bus == nil {
		opened, done, err := openLog(ctx, dir, cfg.Kafka, cfg.Logger)
		if err != nil {
			return Report{}, err
		}
		defer func() { failed = errors.Join(failed, done()) }()
		bus = opened
	}
	found := newFindings(cfg)
	t := newTrail(s, found)
	if err := readLog(ctx, bus, t.visit); err != nil {
		return Report{}, err
	}
	return judge(cfg, s, t, found), nil
}

// judge applies the invariants to what was read.
func judge(cfg Config, s *shop, t *trail, found findings) Report {
	t.add(s)
	t.missing()
	j := &judgement{findings: found, shop: s, trail: t, settled: cfg.Settled, taken: map[string]charge{}, booked: map[string]bool{}}
	j.money()
	j.amounts()
	j.stock()
	j.ends()
	j.once()
	j.spending()
	j.agreement()
	j.read()
	j.direction()
	j.lost(cfg.Acknowledged)
	r := Report{Orders: len(s.orders), Returns: len(s.returns), Unsettled: s.unsettled()}
	for _, o := range s.orders {
		switch o.status {
		case "confirmed":
			r.Confirmed++
		case "cancelled":
			r.Cancelled++
		}
	}
	for _, b := range s.services {
		for _, n := range b.numbered {
			r.Events += n
		}
	}
	if cfg.Settled {
		j.check(!r.Unsettled.Any(), Settled, "shop", "%v", r.Unsettled)
	}
	if r.Missing = j.missing(); len(r.Missing) > 0 {
		r.Unsettled = Unsettled{} // it is not known
		found.leaveOut(r.Missing)
	}
	for _, b := range slices.Concat(s.services, s.gateways) {
		for _, d := range b.damaged {
			found.add(Agree, d.id, "%s", d.what)
		}
	}
	r.Invariants = found.invariants(cfg.Examples)
	return r
}

// judgement is the state of the checks.
type judgement struct {
	findings
	*shop
	trail   *trail
	settled bool
	taken   map[string]charge // by order: made, and not taken back as a whole
	booked  map[string]bool   // orders that the carrier delivers
}
