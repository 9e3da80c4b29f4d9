// Command steps measures the loop: orders that go through four durable steps
// (placed, reserved, paid, shipped, confirmed), each a message to the next and a
// row in the database, on the embedded broker and SQLite with every write synced.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// step is an order at one of its steps.
type step struct {
	ID       string `json:"id"`
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
	Amount   int64  `json:"amount"`
	Customer string `json:"customer"`
	Status   string `json:"status"`
}

func (s step) Key() string { return s.ID }

func contract(name string) event.Contract {
	return event.Contract{Type: "bench." + name, Version: 1, Topic: event.Topic{Name: "bench." + name}}
}

type (
	placed    struct{ step }
	reserved  struct{ step }
	paid      struct{ step }
	shipped   struct{ step }
	confirmed struct{ step }
)

func (placed) Contract() event.Contract    { return contract("placed") }
func (reserved) Contract() event.Contract  { return contract("reserved") }
func (paid) Contract() event.Contract      { return contract("paid") }
func (shipped) Contract() event.Contract   { return contract("shipped") }
func (confirmed) Contract() event.Contract { return contract("confirmed") }

func main() {
	inFlight := flag.Int("in-flight", 4000, "orders under way at once")
	duration := flag.Duration("for", 10*time.Second, "how long to measure")
	warm := flag.Duration("warm", 3*time.Second, "how long to run before")
	batch := flag.Int("batch", 0, "records a transaction")
	dir := flag.String("dir", "", "data directory; default: a temporary one")
	profile := flag.String("cpuprofile", "", "write a CPU profile there")
	flag.Parse()
	if err := run(*inFlight, *batch, *warm, *duration, *dir, *profile); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(inFlight, batch int, warm, duration time.Duration, dir, profile string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "steps"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	slog.SetLogLoggerLevel(slog.LevelWarn)
	broker, err := kafka.Embed(kafka.BrokerConfig{Dir: filepath.Join(dir, "broker")})
	if err != nil {
		return err
	}
	defer broker.Close()
	bus, err := kafka.Connect(ctx, kafka.Config{Brokers: broker.Addrs()})
	if err != nil {
		return err
	}
	defer bus.Close()

	var waiting sync.Map // order id → channel closed at its end
	s := service.New("orders", bus, service.Config{Database: "sqlite:" + filepath.Join(dir, "orders.db"), Batch: batch})
	s.Migrations(schema)
	register(s)
	end := service.New("end", bus, service.Config{Database: "sqlite:" + filepath.Join(dir, "end.db"), Batch: batch})
	event.OnBatch(end, func(_ context.Context, _ *store.Tx, ms []event.Message[confirmed]) error {
		for _, m := range ms {
			if done, ok := waiting.LoadAndDelete(m.Body.ID); ok {
				close(done.(chan struct{}))
			}
		}
		return nil
	})
	ended := make(chan error, 2)
	for _, svc := range []*service.Service{s, end} {
		go func() { ended <- svc.Run(ctx) }()
		select {
		case <-svc.Ready():
		case err := <-ended:
			return err
		}
	}
	var n, measured atomic.Int64
	var measuring atomic.Bool
	var mu sync.Mutex
	var took []time.Duration
	var wg sync.WaitGroup
	for range inFlight {
		wg.Go(func() {
			for ctx.Err() == nil {
				id := fmt.Sprintf("o-%d-%d", os.Getpid(), n.Add(1))
				done := make(chan struct{})
				waiting.Store(id, done)
				begin := time.Now()
				err := s.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
					return event.Publish(ctx, tx, placed{step{ID: id, SKU: "sku-1", Quantity: 2, Amount: 4200, Customer: "cust-77"}})
				})
				if err != nil {
					continue
				}
				select {
				case <-done:
				case <-ctx.Done():
					return
				}
				if measuring.Load() {
					measured.Add(1)
					mu.Lock()
					took = append(took, time.Since(begin))
					mu.Unlock()
				}
			}
		})
	}
	time.Sleep(warm)
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	before := s.Status()
	measuring.Store(true)
	time.Sleep(duration)
	measuring.Store(false)
	after := s.Status()
	cancel()
	wg.Wait()
	slices.Sort(took)
	if len(took) == 0 {
		return fmt.Errorf("no order was confirmed in %v", duration)
	}
	fmt.Printf("%d in flight: %.0f orders/s, p50 %v, p99 %v; %.0f transactions/s, %.0f records each\n", inFlight,
		float64(measured.Load())/duration.Seconds(), took[len(took)/2].Round(time.Millisecond), took[len(took)*99/100].Round(time.Millisecond),
		float64(after.Transactions-before.Transactions)/duration.Seconds(), float64(after.Handled-before.Handled)/float64(after.Transactions-before.Transactions))
	<-ended
	<-ended
	return nil
}
