// Command saga measures orchestration: orders that a mediator directs through four
// steps (reserve, pay, ship, confirm), each a command to a participant, which stores a
// row and replies. Mediator and participant have a database each, and every write is
// synced. An order counts once the log says that its saga is completed.
//
// With --fill N or --sleeping N it measures nothing: it stores N orders that are over,
// or N sagas that sleep for a month, for a measurement on the same --dir that follows.
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
	"github.com/tutti-go/tutti/bench/rig"
	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// tuning is the flags of this program.
type tuning struct {
	start      string
	batch      int
	partitions int
	instances  int
	retention  time.Duration
	fill       int
	sleeping   int
}

func main() {
	var t tuning
	flag.StringVar(&t.start, "start", "event", "begin orders by `event`, as the steps do, or by request, which starts the saga at the mediator")
	flag.IntVar(&t.batch, "batch", 0, "handle at most `N` records in a transaction; 0 is the framework's default")
	flag.IntVar(&t.partitions, "partitions", 1, "give each topic `N` partitions")
	flag.IntVar(&t.instances, "instances", 1, "run the mediator `N` times on one database, which has to be PostgreSQL")
	flag.DurationVar(&t.retention, "retention", 0, "remove sagas that ended before this `TIME`")
	flag.IntVar(&t.fill, "fill", 0, "store `N` orders that are over, and end")
	flag.IntVar(&t.sleeping, "sleeping", 0, "store `N` sagas that sleep, and end")
	flag.StringVar(&prefix, "prefix", prefix, "begin the names of topics with `TEXT`, for a Kafka that others use too")
	slog.SetLogLoggerLevel(slog.LevelWarn)
	load.Main(func(ctx context.Context, s load.Settings) (load.System, error) {
		if t.start != "request" && t.start != "event" {
			return load.System{}, fmt.Errorf("--start is %q, want request or event", t.start)
		}
		b, err := start(ctx, s, t)
		if err != nil {
			return load.System{}, errors.Join(err, b.Close())
		}
		if t.fill > 0 || t.sleeping > 0 {
			if err := b.fill(ctx, t); err != nil {
				fmt.Fprintln(os.Stderr, "saga:", err)
				os.Exit(1)
			}
			os.Exit(0)
		}
		return load.System{Order: b.order, Count: b.count, Close: b.Close}, nil
	})
}

// bench is the system: mediators and a participant on a broker.
type bench struct {
	*rig.Rig
	settings          load.Settings
	mediating, taking string // databases
	mediator          *service.Service
	engine            *saga.Engine
	places            []load.Order
	removed           bool // the retention is to be counted
}

func start(ctx context.Context, s load.Settings, t tuning) (*bench, error) {
	b := &bench{settings: s, removed: t.retention > 0}
	b.mediating, b.taking = b.database("mediator"), b.database("participant")
	var err error
	if b.Rig, err = rig.Open(ctx, s, t.partitions); err != nil {
		return b, err
	}
	p := service.New(prefix+"-participant", b.Bus, service.Config{Database: b.taking, Batch: t.batch})
	participant(p, b.taking)
	if err := b.Run(ctx, p); err != nil {
		return b, err
	}
	for range t.instances {
		b.mediator = service.New(prefix+"-mediator", b.Bus, service.Config{Database: b.mediating, Batch: t.batch})
		b.engine = mediator(b.mediator, saga.Config{Retention: t.retention})
		if err := b.Run(ctx, b.mediator); err != nil {
			return b, err
		}
		b.places = append(b.places, place(b.mediator, b.engine, t.start))
	}
	return b, b.Watch(ctx, completed{}.Contract())
}

// database is a service's own: a file, or a schema.
func (b *bench) database(name string) string {
	if b.settings.Database == "" {
		return "sqlite:" + filepath.Join(b.settings.Dir, name+".db")
	}
	return store.Schema(b.settings.Database, name)
}

func (b *bench) order(ctx context.Context, id string) error {
	wait := b.Waiting.Begin(id)
	if err := b.places[int(id[len(id)-1])%len(b.places)](ctx, id); err != nil {
		return err
	}
	return wait(ctx)
}

// count tells besides how many sagas the retention has removed: the oldest.
func (b *bench) count() map[string]float64 {
	counts := b.Count()
	if b.removed {
		var first float64
		if b.mediator.Read().QueryRow(context.Background(), `SELECT COALESCE(MIN(n), 0) FROM saga_done`).Scan(&first) == nil {
			counts["removed_sagas"] = first
		}
	}
	return counts
}
