package service_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing/fstest"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// Bought says that a customer bought something.
type Bought struct {
	Customer string `json:"customer"`
	Total    int64  `json:"total"` // pence
}

func (Bought) Contract() event.Contract {
	return event.Contract{Type: "example.bought", Version: 1, Topic: event.Topic{Name: "example.purchase"}}
}

func (b Bought) Key() string { return b.Customer }

// A service embeds its migrations; here they are in memory.
var loyaltyTables = fstest.MapFS{
	"0001_points.sql": {Data: []byte(`CREATE TABLE points (customer TEXT PRIMARY KEY, points BIGINT NOT NULL)`)},
}

// registerLoyalty binds all that the service does.
func registerLoyalty(s *service.Service) {
	s.Migrations(loyaltyTables)
	event.Publishes[Bought](s)
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Bought]) error {
		return tx.Exec(ctx, `INSERT INTO points (customer, points) VALUES ($1, $2)
			ON CONFLICT (customer) DO UPDATE SET points = points.points + excluded.points`, m.Body.Customer, m.Body.Total/100)
	})
}

// A service that counts points for what it hears, here told by itself. Programs of
// one service call [service.Main], which does what this function does.
func Example() {
	dir, err := os.MkdirTemp("", "service")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	broker, err := kafka.Embed(kafka.BrokerConfig{}) // in memory
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	bus, err := kafka.Connect(ctx, kafka.Config{Brokers: broker.Addrs()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer bus.Close()

	s := service.New("loyalty", bus, service.Config{
		Database: "sqlite:" + filepath.Join(dir, "loyalty.db"), Logger: slog.New(slog.DiscardHandler),
	})
	registerLoyalty(s)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()

	for _, total := range []int64{1299, 4501} {
		// Write returns after the commit: from here on, the event will arrive.
		err := s.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			return event.Publish(ctx, tx, Bought{Customer: "Ada", Total: total})
		})
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	for s.Status().Handled < 2 {
		time.Sleep(time.Millisecond)
	}
	var points int64
	err = s.Read().QueryRow(ctx, `SELECT points FROM points WHERE customer = $1`, "Ada").Scan(&points)
	fmt.Println("Ada has", points, "points", err)

	stop() // Run finishes what is under way
	fmt.Println("ended:", <-ended)
	// Output:
	// Ada has 57 points <nil>
	// ended: <nil>
}
