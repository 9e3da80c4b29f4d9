package service

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tutti-go/tutti/internal/cli"
	"github.com/tutti-go/tutti/internal/listen"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/store"
)

// Program is a program of one service or several. They share a connection to Kafka and
// an address for HTTP, and each has its database; so they run in one process to begin
// with, and in several later, by the same program:
//
//	travel --data data                                     all of them
//	travel --data data --brokers host:9092 --services cars  one of them
//
// Settings are those of [Main], and --services.
type Program struct {
	Name     string
	Services []Member
	// Flags are settings of the program's own. Nil: it has none.
	Flags *flag.FlagSet
	// Demo makes the program one that shows something and ends: it runs once the
	// services are ready, and the program ends when it returns. Unless settings say
	// otherwise, such a program keeps its data in a directory that is removed at the end,
	// serves HTTP at a free port, and logs warnings only. With --services, Demo is left
	// out, and the services run until they are stopped.
	Demo func(ctx context.Context, r *Running) error
}

// Member is a service of a program. Its name is also its consumer group, and that of
// its database: see [New].
type Member struct {
	Name     string
	Register func(*Service)
}

// Running is a program that runs.
type Running struct {
	// Out is where it writes what it has to say.
	Out io.Writer
	// URL is where it serves the routes of all services.
	URL string
	// Bus is its connection to Kafka.
	Bus *kafka.Bus

	services []*Service
}

// Service returns a service of the program. It panics if there is none of that name: a
// fault of the program's text.
func (r *Running) Service(name string) *Service {
	for _, s := range r.services {
		if s.name == name {
			return s
		}
	}
	panic(fmt.Sprintf("program has no service %q", name))
}

// Main is the main function of the program: see [Main].
func (p Program) Main() { cli.Main(p.Name, p.Run) }

// Run is the program, with its surroundings as arguments, until ctx ends. It is for
// tests; programs call [Program.Main].
func (p Program) Run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	var set settings
	short := "Run the service " + p.Name + " and, unless --brokers is given, a Kafka broker."
	if len(p.Services) > 1 || p.Demo != nil {
		short = "Run " + p.Name + ": services and, unless --brokers is given, a Kafka broker."
	}
	run := cli.Program(p.Name, short, "TUTTI", func(f *cli.Flags) { set.bind(f, &p) }, func() error { return set.check(&p) },
		func(ctx context.Context, stdout, stderr io.Writer) error { return p.run(ctx, set, stdout, stderr) })
	return run(ctx, args, getenv, stdout, stderr)
}

func (p *Program) names() []string {
	names := make([]string, len(p.Services))
	for i, m := range p.Services {
		names[i] = m.Name
	}
	return names
}

// run opens what the services need, and runs them. Things end in the opposite order:
// requests under way need the services, and those the bus.
func (p *Program) run(ctx context.Context, set settings, stdout, stderr io.Writer) (err error) {
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: set.level}))
	if set.data == "" {
		if set.data, err = os.MkdirTemp("", p.Name+"-"); err != nil {
			return fmt.Errorf("make directory for data: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(set.data)) }()
	}
	opened, err := set.bus.Open(ctx, set.data, log)
	if err != nil && ctx.Err() != nil {
		log.Info("stopped before it had started", "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	r := &Running{Out: stdout, Bus: opened.Bus}
	for _, m := range p.Services {
		if len(set.services) > 0 && !slices.Contains(set.services, m.Name) {
			continue
		}
		s := New(m.Name, opened.Bus, Config{Database: p.database(set, m.Name), Recover: Recovery(set.recovery), Logger: log})
		m.Register(s)
		r.services = append(r.services, s)
	}
	if err := CheckContracts(r.services...); err != nil {
		return err
	}
	demo := p.Demo
	if len(set.services) > 0 {
		demo = nil
	}
	return r.serve(ctx, set, log, demo)
}

// database is where a service keeps its data, whichever others run beside it.
func (p *Program) database(set settings, name string) string {
	if set.database != "" && len(p.Services) > 1 {
		return store.Schema(set.database, name)
	}
	return cmp.Or(set.database, "sqlite:"+filepath.Join(set.data, name+".db"))
}

// serve runs the services, and HTTP in front of them, until ctx ends, one of them
// fails, or demo returns.
func (r *Running) serve(ctx context.Context, set settings, log *slog.Logger, demo func(context.Context, *Running) error) error {
	web, err := listen.On(set.http, HandlerOf(r.services...), log)
	if err != nil {
		return err
	}
	r.URL = web.URL()
	said := []any{"http", r.URL, "data", set.data}
	var private *listen.Server
	if set.admin != "" {
		if private, err = listen.Private(set.admin, AdminOf(r.services...), log); err != nil {
			return errors.Join(err, web.Close())
		}
		said = append(said, "admin", private.URL())
	}
	const drain = 5 * time.Second // for requests; what services have under way has Config.Drain
	running, stopRunning := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRunning()
	front, serving := errgroup.WithContext(ctx)
	serving, stopServing := context.WithCancel(serving)
	defer stopServing()
	back, running := errgroup.WithContext(running)
	for _, s := range r.services {
		back.Go(func() error {
			defer stopServing()
			return s.Run(running)
		})
	}
	for _, server := range []*listen.Server{web, private} {
		if server != nil {
			front.Go(func() error {
				defer stopServing()
				return server.Run(serving, drain)
			})
		}
	}
	front.Go(func() error {
		if r.wait(serving) != nil {
			return nil // they do not get ready: Run says why
		}
		log.Info("ready", said...)
		if demo == nil {
			return nil
		}
		defer stopServing()
		if err := demo(serving, r); serving.Err() == nil {
			return err
		}
		return nil // it was stopped, or a service has failed, which Run says
	})
	err = front.Wait()
	stopRunning()
	return errors.Join(err, back.Wait())
}

// wait waits until all services are ready.
func (r *Running) wait(ctx context.Context) error {
	for _, s := range r.services {
		select {
		case <-s.Ready():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
