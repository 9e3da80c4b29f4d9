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

	"github.com/tutti-go/tutti/bench/load"
	"github.com/tutti-go/tutti/bench/rig"
	"github.com/tutti-go/tutti/event"
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
			return load.System{}, errors.Join(err, b.Close())
		}
		if t.fill > 0 {
			if err := errors.Join(b.fill(ctx, t.fill), b.Close()); err != nil {
				fmt.Fprintln(os.Stderr, "steps:", err)
				os.Exit(1)
			}
			os.Exit(0)
		}
		return load.System{Order: b.order, Count: b.Count, Close: b.Close}, nil
	})
}

// bench is the system: a service on a broker.
type bench struct {
	*rig.Rig
	settings load.Settings
}

func start(ctx context.Context, s load.Settings, t tuning) (*bench, error) {
	if s.Database == "" {
		s.Database = "sqlite:" + filepath.Join(s.Dir, "orders.db")
	}
	b := &bench{settings: s}
	var err error
	if b.Rig, err = rig.Open(ctx, s, t.partitions); err != nil {
		return b, err
	}
	for range t.instances {
		svc := service.New(prefix+"-orders", b.Bus, service.Config{Database: s.Database, Batch: t.batch})
		register(svc, s.Database)
		if err := b.Run(ctx, svc); err != nil {
			return b, err
		}
	}
	return b, b.Watch(ctx, confirmed{}.Contract())
}

// order is a request to the service, in its next transaction.
func (b *bench) order(ctx context.Context, id string) error {
	wait := b.Waiting.Begin(id)
	s := b.Services[int(id[len(id)-1])%len(b.Services)]
	err := s.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		return event.Publish(ctx, tx, placed{rig.Placed(id)})
	})
	if err != nil {
		return err
	}
	return wait(ctx)
}
