// Command river measures River on PostgreSQL: an order is four jobs, each of which
// enqueues the next in the transaction that completes it.
package main

import (
	"context"
	"flag"
	"io"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/tutti-go/tutti/bench/load"
)

// order is what a job is about.
type order struct {
	ID       string `json:"id"`
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
	Amount   int64  `json:"amount"`
	Customer string `json:"customer"`
}

type (
	reserve struct{ order }
	charge  struct{ order }
	ship    struct{ order }
	confirm struct{ order }
)

func (reserve) Kind() string { return "reserve" }
func (charge) Kind() string  { return "charge" }
func (ship) Kind() string    { return "ship" }
func (confirm) Kind() string { return "confirm" }

func main() {
	workers := flag.Int("workers", 200, "work on `N` jobs at once")
	cooldown := flag.Duration("cooldown", 20*time.Millisecond, "fetch jobs again after this `TIME`, where River's default is 100 ms")
	connections := flag.Int("connections", 40, "use at most `N` connections")
	load.Main(func(ctx context.Context, s load.Settings) (load.System, error) {
		cfg, err := pgxpool.ParseConfig(s.Database)
		if err != nil {
			return load.System{}, err
		}
		cfg.MaxConns = int32(*connections)
		b := &bench{}
		if b.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
			return load.System{}, err
		}
		if err := b.start(ctx, *workers, *cooldown); err != nil {
			b.pool.Close()
			return load.System{}, err
		}
		return load.System{Order: b.order, Close: b.close}, nil
	})
}

type bench struct {
	pool    *pgxpool.Pool
	client  *river.Client[pgx.Tx]
	waiting load.Waiting
}

func (b *bench) start(ctx context.Context, workers int, cooldown time.Duration) error {
	migrator, err := rivermigrate.New(riverpgxv5.New(b.pool), nil)
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	steps := river.NewWorkers()
	river.AddWorker(steps, work(b, func(r reserve) (order, river.JobArgs) { return r.order, charge(r) }))
	river.AddWorker(steps, work(b, func(c charge) (order, river.JobArgs) { return c.order, ship(c) }))
	river.AddWorker(steps, work(b, func(s ship) (order, river.JobArgs) { return s.order, confirm(s) }))
	river.AddWorker(steps, work(b, func(c confirm) (order, river.JobArgs) { return c.order, nil }))
	b.client, err = river.NewClient(riverpgxv5.New(b.pool), &river.Config{
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}},
		Workers: steps, FetchCooldown: cooldown, FetchPollInterval: 200 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		return err
	}
	return b.client.Start(context.WithoutCancel(ctx))
}

// work makes the worker of a step; following says of which order it is and which job
// comes next, if one does.
func work[T river.JobArgs](b *bench, following func(T) (order, river.JobArgs)) river.Worker[T] {
	return river.WorkFunc(func(ctx context.Context, job *river.Job[T]) error {
		o, next := following(job.Args)
		tx, err := b.pool.Begin(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback(ctx) }() // after a commit it does nothing
		if next != nil {
			if _, err := b.client.InsertTx(ctx, tx, next, nil); err != nil {
				return err
			}
		}
		if _, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job); err != nil {
			return err
		}
		if err := tx.Commit(ctx); err != nil {
			return err
		}
		if next == nil {
			b.waiting.End(o.ID)
		}
		return nil
	})
}

func (b *bench) order(ctx context.Context, id string) error {
	wait := b.waiting.Begin(id)
	if _, err := b.client.Insert(ctx, reserve{order{id, "sku-1", 2, 4200, "cust-77"}}, nil); err != nil {
		return err
	}
	return wait(ctx)
}

func (b *bench) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := b.client.Stop(ctx)
	b.pool.Close()
	return err
}
