// Command raw is the measure for the framework: the same four durable steps, written
// by hand with franz-go and SQL for this one flow, as one would who knows both well.
// It gives the same guarantees, so that what it saves is the price of generality:
//
//   - The effects, the position in the log and the outbox commit together. The update
//     of a position names the one that it expects, which fences a zombie.
//   - A step counts only if the order is at the step before: events that come twice
//     change nothing and publish nothing.
//   - After the commit, events go to Kafka from memory; the outbox is read at the next
//     start if this process dies before they are acknowledged.
//   - Positions that lie ahead of the log, because one of the two went back in time,
//     are refused at the start.
//
// Events are CloudEvents, as the framework's are, and the embedded broker is the
// same: brokers are not what is compared. It handles no errors of handlers
// but by ending, and shares no partitions with other instances.
package main

import (
	"context"
	"errors"
	"flag"
	"path/filepath"

	"github.com/tutti-go/tutti/bench/load"
	"github.com/tutti-go/tutti/kafka"
)

func main() {
	partitions := flag.Int("partitions", 1, "give the topic `N` partitions")
	topic := flag.String("prefix", "bench", "begin the name of the topic with `TEXT`")
	load.Main(func(ctx context.Context, s load.Settings) (load.System, error) {
		b := &bench{}
		err := b.start(ctx, s, *topic+".order", *partitions)
		if err != nil {
			return load.System{}, errors.Join(err, b.close())
		}
		return load.System{Order: b.order, Count: b.flow.count, Close: b.close}, nil
	})
}

// bench is the flow, and the reader that tells the driver which orders are
// confirmed.
type bench struct {
	flow    *flow
	waiting load.Waiting
	closers []func() error
}

func (b *bench) start(ctx context.Context, s load.Settings, topic string, partitions int) error {
	if len(s.Brokers) == 0 {
		broker, err := kafka.Embed(kafka.BrokerConfig{Dir: filepath.Join(s.Dir, "broker")})
		if err != nil {
			return err
		}
		b.opened(broker.Close)
		s.Brokers = broker.Addrs()
	}
	var db database
	var err error
	if s.Database == "" {
		db, err = openSQLite(ctx, filepath.Join(s.Dir, "orders.db"))
	} else {
		db, err = openPostgres(ctx, s.Database)
	}
	if err != nil {
		return err
	}
	b.opened(db.close)
	if b.flow, err = newFlow(ctx, db, s.Brokers, topic, partitions); err != nil {
		return err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- b.flow.run(running) }()
	b.opened(func() error { stop(); return <-ended })
	stopWatching, err := watch(ctx, s.Brokers, topic, partitions, b.waiting.End)
	if err != nil {
		return err
	}
	b.opened(stopWatching)
	return nil
}

func (b *bench) opened(closer func() error) { b.closers = append(b.closers, closer) }

func (b *bench) close() error {
	var errs []error
	for i := len(b.closers) - 1; i >= 0; i-- {
		errs = append(errs, b.closers[i]())
	}
	return errors.Join(errs...)
}

func (b *bench) order(ctx context.Context, id string) error {
	wait := b.waiting.Begin(id)
	if err := b.flow.place(ctx, order{ID: id, SKU: "sku-1", Quantity: 2, Amount: 4200, Customer: "cust-77", Status: placed}); err != nil {
		return err
	}
	return wait(ctx)
}
