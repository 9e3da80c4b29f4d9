// Command steps measures the framework's loop: orders that go through four durable
// steps (placed, reserved, paid, shipped, confirmed), each an event to the next and
// a row in the database, with every write synced.
//
// With --fill N it measures nothing: it stores N orders that are over, as a shop has
// them that has run for long, for a measurement on the same --dir that follows.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/tutti-go/tutti/bench/load"
	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// tuning is the flags of this program.
type tuning struct {
	batch      int
	partitions int
	instances  int
	fill       int
}

func main() {
	var t tuning
	flag.IntVar(&t.batch, "batch", 0, "handle at most `N` records in a transaction; 0 is the framework's default")
	flag.IntVar(&t.partitions, "partitions", 1, "give each topic `N` partitions")
	flag.IntVar(&t.instances, "instances", 1, "run the service `N` times on one database, which has to be PostgreSQL")
	flag.IntVar(&t.fill, "fill", 0, "store `N` orders and events of old, and end")
	flag.StringVar(&prefix, "prefix", prefix, "begin the names of topics with `TEXT`, for a Kafka that others use too")
	slog.SetLogLoggerLevel(slog.LevelWarn)
	load.Main(func(ctx context.Context, s load.Settings) (load.System, error) {
		b, err := start(ctx, s, t)
		if err != nil {
			return load.System{}, errors.Join(err, b.close())
		}
		if t.fill > 0 {
			if err := errors.Join(b.fill(ctx, t.fill), b.close()); err != nil {
				fmt.Fprintln(os.Stderr, "steps:", err)
				os.Exit(1)
			}
			os.Exit(0)
		}
		return load.System{Order: b.order, Count: b.count, Close: b.close}, nil
	})
}

// bench is the system: a broker, a service, and the reader that tells the driver
// which orders are confirmed.
type bench struct {
	settings load.Settings
	bus      *kafka.Bus
	services []*service.Service
	waiting  load.Waiting
	stop     context.CancelFunc
	ended    chan error
	running  int
	closers  []func() error
}

func start(ctx context.Context, s load.Settings, t tuning) (*bench, error) {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	b := &bench{settings: s, stop: stop, ended: make(chan error, t.instances+1)}
	if len(s.Brokers) == 0 {
		broker, err := kafka.Embed(kafka.BrokerConfig{Dir: filepath.Join(s.Dir, "broker")})
		if err != nil {
			return b, err
		}
		b.closers = append(b.closers, broker.Close)
		s.Brokers = broker.Addrs()
	}
	var err error
	if b.bus, err = kafka.Connect(ctx, kafka.Config{Brokers: s.Brokers, Partitions: t.partitions}); err != nil {
		return b, err
	}
	b.closers = append(b.closers, func() error { b.bus.Close(); return nil })
	if s.Database == "" {
		s.Database = "sqlite:" + filepath.Join(s.Dir, "orders.db")
	}
	for range t.instances {
		svc := service.New(prefix+"-orders", b.bus, service.Config{Database: s.Database, Batch: t.batch, Shared: t.instances > 1})
		register(svc)
		if err := b.run(ctx, running, svc); err != nil {
			return b, err
		}
	}
	return b, b.watch(ctx, running)
}

// run runs a service until the end, and returns once it is ready.
func (b *bench) run(ctx, running context.Context, svc *service.Service) error {
	b.services = append(b.services, svc)
	b.running++
	go func() { b.ended <- svc.Run(running) }()
	select {
	case <-svc.Ready():
		return nil
	case err := <-b.ended:
		b.running--
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// watch ends the orders that the log says are confirmed, from its present end on.
func (b *bench) watch(ctx, running context.Context) error {
	bounds, err := b.bus.Bounds(ctx, "", []string{topic().Name})
	if err != nil {
		return err
	}
	from := map[event.Partition]int64{}
	for p, at := range bounds {
		from[p] = at.End
	}
	log, err := b.bus.Reader("bench", from)
	if err != nil {
		return err
	}
	b.closers = append(b.closers, func() error { log.Close(context.Background()); return nil })
	b.running++
	go func() {
		for {
			fetched, err := log.Poll(running, 10_000)
			if err != nil {
				if running.Err() != nil {
					err = nil
				}
				b.ended <- err
				return
			}
			for _, f := range fetched {
				for _, r := range f.Records {
					if isConfirmed(r.Record) {
						b.waiting.End(string(r.Key))
					}
				}
			}
		}
	}()
	return nil
}

// order is a request to the service, in its next transaction.
func (b *bench) order(ctx context.Context, id string) error {
	wait := b.waiting.Begin(id)
	s := b.services[len(id)%len(b.services)]
	err := s.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		return event.Publish(ctx, tx, placed{step{ID: id, SKU: "sku-1", Quantity: 2, Amount: 4200, Customer: "cust-77", Status: "placed"}})
	})
	if err != nil {
		return err
	}
	return wait(ctx)
}

func (b *bench) count() map[string]float64 {
	counts := map[string]float64{}
	for _, s := range b.services {
		st := s.Status()
		counts["transactions"] += float64(st.Transactions)
		counts["records"] += float64(st.Handled)
	}
	return counts
}

func (b *bench) close() error {
	b.stop()
	var errs []error
	for range b.running {
		select {
		case err := <-b.ended:
			errs = append(errs, err)
		case <-time.After(20 * time.Second):
			errs = append(errs, errors.New("stop services: one does not end"))
		}
	}
	for i := len(b.closers) - 1; i >= 0; i-- {
		errs = append(errs, b.closers[i]())
	}
	return errors.Join(errs...)
}
