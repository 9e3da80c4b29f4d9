package job_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// charge is what the job is told; its wire name is a constant.
type charge struct {
	OrderID string
	Amount  int64 // pence
}

func (charge) JobType() string { return "example.charge" }

// expire is what the timer is told.
type expire struct{ OrderID string }

func (expire) JobType() string { return "example.expire" }

// registerPayment binds a job, whose work runs outside of transactions and whose
// result comes back into one, and a timer.
func registerPayment(said chan<- string) func(*service.Service) {
	return func(s *service.Service) {
		job.Handle(s, job.Config{Workers: 8, Timeout: 5 * time.Second},
			func(_ context.Context, c job.Call[charge]) (string, error) {
				// Call the gateway here, with c.ID as its idempotency key: there may
				// be more calls than one, and they all have the same id.
				return fmt.Sprintf("receipt for %s over %d", c.ID, c.Args.Amount), nil
			},
			func(ctx context.Context, tx *store.Tx, r job.Result[charge, string]) error {
				if r.Err != nil {
					return nil // it was given up: undo what was done for the order
				}
				said <- r.Value                                                 // for the example; a handler has no effects but in tx
				_, err := job.Cancel[expire](ctx, tx, "expire-"+r.Args.OrderID) // settled in time
				return err
			})
		job.OnDue(s, func(_ context.Context, _ *store.Tx, d job.Due[expire]) error {
			said <- "not paid in time: " + d.Args.OrderID
			return nil
		})
	}
}

func Example() {
	said := make(chan string, 10)
	s, stop := run("payment", registerPayment(said))
	defer stop()
	err := s.Write(context.Background(), func(ctx context.Context, tx *store.Tx) error {
		if err := job.Start(ctx, tx, "charge-4711", charge{OrderID: "4711", Amount: 1299}); err != nil {
			return err
		}
		if err := job.At(ctx, tx, tx.Now().Add(time.Hour), "expire-4711", expire{"4711"}); err != nil {
			return err
		}
		return job.At(ctx, tx, tx.Now().Add(50*time.Millisecond), "expire-4712", expire{"4712"}) // nobody pays for it
	})
	fmt.Println("committed:", err)
	fmt.Println(<-said)
	fmt.Println(<-said)
	// Unordered output:
	// committed: <nil>
	// receipt for charge-4711 over 1299
	// not paid in time: 4712
}

// run runs a service on a broker in memory.
func run(name string, register func(*service.Service)) (s *service.Service, stop func()) {
	dir, err := os.MkdirTemp("", name)
	if err != nil {
		panic(err)
	}
	broker, err := kafka.Embed(kafka.BrokerConfig{})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	bus, err := kafka.Connect(ctx, kafka.Config{Brokers: broker.Addrs()})
	if err != nil {
		panic(err)
	}
	s = service.New(name, bus, service.Config{Database: "sqlite:" + filepath.Join(dir, name+".db"), Logger: slog.New(slog.DiscardHandler)})
	register(s)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return s, func() {
		cancel()
		if err := <-ended; err != nil {
			fmt.Println(err)
		}
		bus.Close()
		_ = broker.Close()    // in memory: nothing to lose
		_ = os.RemoveAll(dir) // of the operating system's temporary files
	}
}
