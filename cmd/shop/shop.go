package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/bus"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// shop is what this process runs of the shop.
type shop struct {
	cfg      config
	log      *slog.Logger
	bus      *bus.Opened
	services []*service.Service
	routes   *routes
	closers  []func() error
}

// open opens the parts and ties them together. Nothing runs yet but the broker.
//
//	   kafka.Embed               bus.Open
//	DIR/broker, or none  ◄──────── bus              gateways: DIR/gateway-*.db
//	 where --brokers says           ▲                          ▲
//	                                │ events                   │ jobs
//	                        ┌───────┴──────────────────────────┴──────┐
//	                        │ storefront catalog customer order       │
//	                        │ inventory payment shipping notification │ ──► DIR/NAME.db each,
//	                        │ fulfilment                              │     or --database
//	                        └───────▲─────────────────────────────────┘
//	                                │ requests
//	        HTTP ───────────────► routes ───────────────► peers: services of other processes
func open(ctx context.Context, cfg config, log *slog.Logger) (*shop, error) {
	s := &shop{cfg: cfg, log: log}
	if err := s.assemble(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *shop) assemble(ctx context.Context) (err error) {
	if err := os.MkdirAll(s.cfg.data, 0o755); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	if s.bus, err = s.cfg.bus.Open(ctx, s.cfg.data, s.log); err != nil {
		return err
	}
	s.opened(s.bus.Close)
	for _, k := range kinds {
		if !s.cfg.runs(k.name) {
			continue
		}
		register, err := s.patiently(ctx, k)
		if err != nil {
			return fmt.Errorf("open %s: %w", k.name, err)
		}
		svc := service.New(k.name, s.bus.Bus, service.Config{
			Database: s.cfg.databaseOf(k.name), Recover: service.Recovery(s.cfg.recovery), Logger: s.log,
		})
		register(svc)
		s.services = append(s.services, svc)
	}
	if err := service.CheckContracts(s.services...); err != nil {
		return err
	}
	s.routes = newRoutes(s.services, s.cfg.peers, s.log)
	return nil
}

// patiently opens a service's part as soon as its database's server answers: it may be
// starting as well. It takes as long as that of Kafka.
func (s *shop) patiently(ctx context.Context, k kind) (register func(*service.Service), err error) {
	for {
		register, err = k.open(ctx, s)
		if !store.Away(err) || ctx.Err() != nil {
			return register, err
		}
		s.log.Warn("waiting for the database", "of", k.name, "error", err)
		if !sleep(ctx, 2*time.Second) {
			return nil, err
		}
	}
}

// opened notes what close is to close.
func (s *shop) opened(closer func() error) { s.closers = append(s.closers, closer) }

// close closes all that open opened, the last first.
func (s *shop) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}

// run runs the services while work works: until it returns, or a service fails.
// The services outlast work, so that they can answer it to the end; then they drain.
func (s *shop) run(ctx context.Context, work func(ctx context.Context) error) error {
	if len(s.services) == len(kinds) {
		defer widen(os.Getenv)()
	}
	group, running := errgroup.WithContext(context.WithoutCancel(ctx))
	running, stop := context.WithCancel(running)
	defer stop()
	for _, svc := range s.services {
		group.Go(func() error {
			if err := svc.Run(running); err != nil {
				return err
			}
			if running.Err() == nil {
				return fmt.Errorf("service %s ended by itself", svc.Name())
			}
			return nil
		})
	}
	group.Go(func() error {
		defer stop()
		working, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(running, cancel)()
		return work(working)
	})
	return group.Wait()
}

// widen lets twice as many goroutines run at once as Go would, unless GOMAXPROCS says
// how many, until undo is called. One that waits in fsync holds the place of one that
// could compute, for up to milliseconds, until Go's monitor takes it away; of the
// databases of a whole shop, some always sync. One or two services lose by it.
func widen(getenv func(string) string) (undo func()) {
	if getenv("GOMAXPROCS") != "" {
		return func() {}
	}
	before := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(2 * before)
	return func() { runtime.GOMAXPROCS(before) }
}

// ready waits until all services are.
func (s *shop) ready(ctx context.Context) error {
	for _, svc := range s.services {
		select {
		case <-svc.Ready():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// quiet reports whether nothing is under way in any service, nor will be by itself.
func (s *shop) quiet(ctx context.Context) (bool, error) {
	const horizon = 365 * 24 * time.Hour // all that is due at any time
	var topics []string
	for _, svc := range s.services {
		for _, t := range svc.Topics() {
			topics = append(topics, t.Name)
		}
	}
	slices.Sort(topics)
	bounds, err := s.bus.Bounds(ctx, "", slices.Compact(topics))
	if err != nil {
		return false, err
	}
	ends := map[event.Partition]int64{}
	for p, b := range bounds {
		ends[p] = b.End
	}
	for _, svc := range s.services {
		pending, err := svc.Pending(ctx, ends, time.Now().Add(horizon))
		if err != nil || pending != "" {
			s.log.Debug("not quiet yet", "service", svc.Name(), "pending", pending, "error", err)
			return false, err
		}
	}
	return true, nil
}
