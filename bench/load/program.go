package load

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"
)

// Settings is what every program of a comparison is told.
type Settings struct {
	Plan
	// Dir is an empty directory for what the system keeps.
	Dir string
	// Database is the address of an empty PostgreSQL database; empty where the system
	// has a file.
	Database string
	// Brokers are the addresses of a Kafka; empty where the system embeds one.
	Brokers []string
}

// System is what is measured.
type System struct {
	Order Order
	// Count, if set, returns what the system has counted since its start; a result
	// has the differences over the measured time.
	Count func() map[string]float64
	// Notes are figures that the start of the system gave.
	Notes map[string]float64
	// Process is the id of the process whose memory is measured, if not this one.
	Process string
	// Close stops the system.
	Close func() error
}

// Main is the main function of a program that measures one system. It takes the
// settings from flags, starts the system by open, and prints a [Result] as a line
// of JSON. Flags of the program's own are to be defined before.
//
// Garbage is collected as programs of the framework do it, in all that is measured: at
// five times what is in use, unless GOGC says otherwise.
func Main(open func(ctx context.Context, s Settings) (System, error)) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := program(ctx, open); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(os.Args[0]), err)
		os.Exit(1)
	}
}

func program(ctx context.Context, open func(context.Context, Settings) (System, error)) (err error) {
	var s Settings
	var brokers, profile string
	flag.IntVar(&s.InFlight, "in-flight", 0, "keep `N` orders under way")
	flag.Float64Var(&s.Rate, "rate", 0, "begin `N` orders a second")
	flag.DurationVar(&s.Warm, "warm", 3*time.Second, "run for this `TIME` before")
	flag.DurationVar(&s.For, "for", 10*time.Second, "measure for this `TIME`")
	flag.BoolVar(&s.RandomIDs, "random-ids", false, "give the orders random ids")
	flag.StringVar(&s.Dir, "dir", "", "keep files in this empty `DIR`; by default in a temporary one")
	flag.StringVar(&s.Database, "database", "", "use the PostgreSQL database at this `URL`")
	flag.StringVar(&brokers, "brokers", "", "use the Kafka at these `ADDRESSES` (host:port,…)")
	flag.StringVar(&profile, "cpuprofile", "", "write a CPU profile of the measured time to this `FILE`")
	flag.Parse()
	if brokers != "" {
		s.Brokers = strings.Split(brokers, ",")
	}
	if s.Dir == "" {
		if s.Dir, err = os.MkdirTemp("", "bench-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(s.Dir)) }()
	}
	result, err := measureSystem(ctx, s, profile, open)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

func measureSystem(ctx context.Context, s Settings, profile string, open func(context.Context, Settings) (System, error)) (result Result, err error) {
	begin := time.Now()
	system, err := open(ctx, s)
	if err != nil {
		return result, err
	}
	start := time.Since(begin)
	defer func() { err = errors.Join(err, system.Close()) }()
	o, err := newObserver(profile, system)
	if err != nil {
		return result, err
	}
	result, err = s.run(ctx, system.Order, o.begin, o.end)
	result.Start, result.Memory, result.Notes = Milliseconds(start), o.memory, o.notes
	return result, err
}

// observer takes a profile of the measured time, the memory at its end, and the
// difference of the counters over it.
type observer struct {
	system  System
	profile *os.File
	before  map[string]float64
	notes   map[string]float64
	memory  float64
}

func newObserver(profile string, system System) (*observer, error) {
	o := &observer{system: system, notes: map[string]float64{}}
	maps.Copy(o.notes, system.Notes)
	if system.Count == nil {
		o.system.Count = func() map[string]float64 { return nil }
	}
	var err error
	if profile != "" {
		o.profile, err = os.Create(profile)
	}
	return o, err
}

func (o *observer) begin() error {
	o.before = o.system.Count()
	if o.profile == nil {
		return nil
	}
	return pprof.StartCPUProfile(o.profile)
}

func (o *observer) end() error {
	o.memory = Resident(cmp.Or(o.system.Process, "self"))
	for name, n := range o.system.Count() {
		o.notes[name] = n - o.before[name]
	}
	if o.profile == nil {
		return nil
	}
	pprof.StopCPUProfile()
	return o.profile.Close()
}
