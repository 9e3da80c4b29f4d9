package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tutti-go/tutti/internal/command"
)

// site is a shop made of processes.
type site struct {
	bin, dir  string
	processes []*process
	doors     map[string][]string // where a service answers, by its name
	brokers   []string            // of a Kafka that is not one of our processes
	admin     string              // where one process serves operators
	store     []string            // arguments that say where services keep their data
	verify    []string            // arguments that tell shop verify where all is
	cluster   *cluster            // our own Kafka, if any
	slow      []slow              // harm beside the kills
	whole     bool                // one process holds everything, so that verify can look whenever it is down
}

var services = []string{"storefront", "catalog", "customer", "order", "inventory", "payment", "shipping", "notification", "fulfilment"}

// layouts are the ways to spread the shop over processes.
var layouts = map[string]func(*site, *settings) error{
	"one":  (*site).one,
	"each": (*site).each,
	"pair": (*site).pair,
}

// newSite builds the commands and lays the processes out. Nothing runs yet.
func newSite(ctx context.Context, set *settings, dir string) (*site, error) {
	s := &site{bin: filepath.Join(dir, "bin"), dir: dir, doors: map[string][]string{}}
	for _, d := range []string{s.bin, s.logs(), s.data()} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("make directories: %w", err)
		}
	}
	if set.bin != "" {
		s.bin = set.bin
	} else if err := build(ctx, s.bin); err != nil {
		return nil, err
	}
	s.store = []string{"--data", s.data()}
	if set.database != "" {
		s.store = append(s.store, "--database", set.database)
	}
	s.brokers = set.kafka
	if set.cluster > 0 {
		var err error
		if s.cluster, err = newCluster(ctx, set.cluster, filepath.Join(dir, "kafka")); err != nil {
			return nil, err
		}
		s.brokers, s.slow = s.cluster.addresses(), []slow{breaking, stalling, cutting}
	}
	s.verify = s.store
	if len(s.brokers) > 0 {
		s.verify = slices.Concat(s.verify, []string{"--brokers", strings.Join(s.brokers, ",")})
	}
	if err := layouts[set.layout](s, set); err != nil {
		return nil, errors.Join(err, s.abandon())
	}
	return s, nil
}

// build builds the commands into a directory.
func build(ctx context.Context, dir string) error {
	return command.Build(ctx, dir, module+"/cmd/shop", module+"/cmd/tutti")
}

const module = "github.com/tutti-go/tutti"

func (s *site) data() string { return filepath.Join(s.dir, "data") }
func (s *site) logs() string { return filepath.Join(s.dir, "log") }

// one is the whole shop in one process.
func (s *site) one(set *settings) error {
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	admin := fmt.Sprintf("127.0.0.1:%d", ports[1])
	s.admin = "http://" + admin
	args := []string{"--admin", admin}
	if len(s.brokers) > 0 {
		args = append(args, "--brokers", strings.Join(s.brokers, ","))
	}
	s.whole = len(s.brokers) == 0 && set.database == ""
	s.shop("shop", ports[0], services, args...)
	return nil
}

// each is a process for each service, and one for the broker unless it is elsewhere.
func (s *site) each(set *settings) error {
	ports, err := freePorts(len(services) + 1)
	if err != nil {
		return err
	}
	brokers := s.broker(ports[len(services)], set)
	for i, name := range services {
		s.shop(name, ports[i], []string{name}, "--services", name, "--brokers", brokers)
	}
	return nil
}

// pair is two processes of the whole shop on one PostgreSQL, and one for the broker
// unless it is elsewhere.
func (s *site) pair(set *settings) error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	brokers := s.broker(ports[2], set)
	for i, name := range []string{"first", "second"} {
		s.shop(name, ports[i], services, "--brokers", brokers)
	}
	return nil
}

// broker adds a process for the broker, unless it is elsewhere, and returns its
// address. It comes first, because others rest on it.
func (s *site) broker(port int, set *settings) string {
	if set.freeze {
		s.slow = append(s.slow, freezing)
	}
	if len(s.brokers) > 0 {
		return strings.Join(s.brokers, ",")
	}
	if set.freeze {
		s.slow = append(s.slow, dozing)
	}
	s.add("broker", "tutti", "", "broker", "--data", s.data(), "--port", fmt.Sprint(port))
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// shop adds a process of the shop that runs some services.
func (s *site) shop(name string, port int, runs []string, args ...string) {
	address := fmt.Sprintf("127.0.0.1:%d", port)
	for _, service := range runs {
		s.doors[service] = append(s.doors[service], "http://"+address)
	}
	s.add(name, "shop", "http://"+address, slices.Concat([]string{"--http", address, "--traffic", "0"}, s.store, args)...)
}

func (s *site) add(name, program, url string, args ...string) {
	s.processes = append(s.processes, &process{
		name: name, path: filepath.Join(s.bin, program), args: args, url: url, log: filepath.Join(s.logs(), name+".log"),
	})
}

// start starts all processes, and does not wait until they are ready.
func (s *site) start() error {
	for _, p := range s.processes {
		if err := p.start(); err != nil {
			return err
		}
	}
	return nil
}

// stop stops all processes as Ctrl-C does, the first, on which the others rest,
// last.
func (s *site) stop(ctx context.Context) error {
	var errs []error
	for _, p := range slices.Backward(s.processes) {
		errs = append(errs, p.stop(ctx, time.Minute))
	}
	return errors.Join(errs...)
}

// abandon ends all processes at once, for good.
func (s *site) abandon() error {
	for _, p := range s.processes {
		p.abandon()
	}
	if s.cluster == nil {
		return nil
	}
	return s.cluster.close()
}

// faults are signs of broken programs in the logs.
func (s *site) faults() error {
	var errs []error
	for _, p := range s.processes {
		errs = append(errs, p.faults())
	}
	return errors.Join(errs...)
}
