// Command watermill measures Watermill with its SQL transport on PostgreSQL: four
// handlers, each of which publishes the next step in the transaction that consumes
// the one before. They keep no state beside the messages, which is less than the
// others do.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tutti-go/tutti/bench/load"
)

// order is what a message says.
type order struct {
	ID       string `json:"id"`
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
	Amount   int64  `json:"amount"`
	Customer string `json:"customer"`
}

var topics = []string{"placed", "reserved", "paid", "shipped"}

func main() {
	batch := flag.Int("batch", 100, "consume `N` messages in a transaction, where Watermill does")
	poll := flag.Duration("poll", 10*time.Millisecond, "ask for messages after this `TIME`, where Watermill's default is a second")
	connections := flag.Int("connections", 60, "use at most `N` connections")
	load.Main(func(ctx context.Context, s load.Settings) (load.System, error) {
		pool, err := connect(ctx, s.Database, *connections)
		if err != nil {
			return load.System{}, err
		}
		b := &bench{pool: pool, schema: sql.DefaultPostgreSQLSchema{SubscribeBatchSize: *batch}}
		if err := b.start(ctx, *poll); err != nil {
			pool.Close()
			return load.System{}, err
		}
		return load.System{Order: b.order, Close: b.close}, nil
	})
}

func connect(ctx context.Context, url string, connections int) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = int32(connections)
	return pgxpool.NewWithConfig(ctx, cfg)
}

type bench struct {
	pool      *pgxpool.Pool
	schema    sql.DefaultPostgreSQLSchema
	publisher *sql.Publisher
	router    *message.Router
	waiting   load.Waiting
	ended     chan error
}

func (b *bench) start(ctx context.Context, poll time.Duration) error {
	db := sql.BeginnerFromPgx(b.pool)
	subscriber, err := sql.NewSubscriber(db, sql.SubscriberConfig{
		ConsumerGroup: "orders", SchemaAdapter: b.schema, OffsetsAdapter: sql.DefaultPostgreSQLOffsetsAdapter{},
		PollInterval: poll, InitializeSchema: true,
	}, watermill.NopLogger{})
	if err != nil {
		return err
	}
	if b.publisher, err = sql.NewPublisher(db, sql.PublisherConfig{SchemaAdapter: b.schema}, watermill.NopLogger{}); err != nil {
		return err
	}
	if b.router, err = message.NewRouter(message.RouterConfig{CloseTimeout: 5 * time.Second}, watermill.NopLogger{}); err != nil {
		return err
	}
	for i, topic := range topics {
		if err := subscriber.SubscribeInitialize(topic); err != nil {
			return err
		}
		b.router.AddConsumerHandler(topic, topic, subscriber, func(m *message.Message) error { return b.handle(i, m) })
	}
	b.ended = make(chan error, 1)
	go func() { b.ended <- b.router.Run(context.WithoutCancel(ctx)) }()
	select {
	case <-b.router.Running():
		return nil
	case err := <-b.ended:
		return err
	}
}

// handle does a step; the last one tells the driver.
func (b *bench) handle(step int, m *message.Message) error {
	var o order
	if err := json.Unmarshal(m.Payload, &o); err != nil {
		return err
	}
	if step == len(topics)-1 {
		b.waiting.End(o.ID)
		return nil
	}
	tx, ok := sql.TxFromContext(m.Context())
	if !ok {
		return errors.New("the message has no transaction")
	}
	publisher, err := sql.NewPublisher(tx, sql.PublisherConfig{SchemaAdapter: b.schema}, watermill.NopLogger{})
	if err != nil {
		return err
	}
	return publish(publisher, topics[step+1], o)
}

func publish(to *sql.Publisher, topic string, o order) error {
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	if err := to.Publish(topic, message.NewMessage(watermill.NewUUID(), body)); err != nil {
		return fmt.Errorf("publish %s of %s: %w", topic, o.ID, err)
	}
	return nil
}

func (b *bench) order(ctx context.Context, id string) error {
	wait := b.waiting.Begin(id)
	if err := publish(b.publisher, topics[0], order{id, "sku-1", 2, 4200, "cust-77"}); err != nil {
		return err
	}
	return wait(ctx)
}

func (b *bench) close() error {
	err := errors.Join(b.router.Close(), <-b.ended)
	b.pool.Close()
	return err
}
