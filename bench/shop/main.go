// Command shop measures the whole shop: orders come in by HTTP at a running shop
// and go through all its services. It is over when every order that it placed has
// been confirmed.
//
//	go run ./cmd/shop --traffic 0 --http 127.0.0.1:8080 --broker-port 9092 &
//	cd bench && go run ./shop --shop http://127.0.0.1:8080 --brokers 127.0.0.1:9092
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/shop/orderv1"
)

func main() {
	shop := flag.String("shop", "http://127.0.0.1:8080", "address of the shop")
	brokers := flag.String("brokers", "127.0.0.1:9092", "address of its broker")
	inFlight := flag.Int("in-flight", 1000, "orders under way at once")
	warm := flag.Duration("warm", 3*time.Second, "how long to run before")
	duration := flag.Duration("for", 10*time.Second, "how long to measure")
	flag.Parse()
	if err := run(*shop, strings.Split(*brokers, ","), *inFlight, *warm, *duration); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// driver keeps a number of orders under way.
type driver struct {
	shop      string
	client    *http.Client
	waiting   sync.Map // order id → channel closed when it is confirmed
	measuring atomic.Bool
	mu        sync.Mutex
	accepted  []time.Duration
	confirmed []time.Duration
	failed    atomic.Int64
}

func run(shop string, brokers []string, inFlight int, warm, duration time.Duration) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	d := &driver{shop: shop, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: inFlight, MaxConnsPerHost: inFlight}, Timeout: 30 * time.Second}}
	if err := d.call(ctx, http.MethodPut, "/products/BENCH", "", `{"name":"bench","price":100}`); err != nil {
		return err
	}
	for i := range 20 {
		if err := d.call(ctx, http.MethodPost, "/stock/BENCH/receipts", fmt.Sprintf("bench-%d-%d", time.Now().UnixNano(), i), `{"quantity":1000000}`); err != nil {
			return err
		}
	}
	bus, err := kafka.Connect(ctx, kafka.Config{Brokers: brokers})
	if err != nil {
		return err
	}
	defer bus.Close()
	go d.watch(ctx, bus)
	var wg sync.WaitGroup
	placing, stop := context.WithCancel(ctx)
	defer stop()
	prefix := fmt.Sprintf("b%d", time.Now().UnixNano())
	var n atomic.Int64
	for range inFlight {
		wg.Go(func() {
			for placing.Err() == nil {
				d.order(ctx, fmt.Sprintf("%s-%d", prefix, n.Add(1)))
			}
		})
	}
	time.Sleep(warm)
	d.measuring.Store(true)
	time.Sleep(duration)
	d.measuring.Store(false)
	stop()
	wg.Wait()
	fmt.Printf("%d in flight: %.0f orders/s confirmed; accepted p50 %v p99 %v; confirmed p50 %v p99 %v; %d failed\n", inFlight,
		float64(len(d.confirmed))/duration.Seconds(), quantile(d.accepted, 50), quantile(d.accepted, 99), quantile(d.confirmed, 50), quantile(d.confirmed, 99), d.failed.Load())
	return nil
}

func quantile(ds []time.Duration, percent int) time.Duration {
	if len(ds) == 0 {
		return 0
	}
	slices.Sort(ds)
	return ds[(len(ds)-1)*percent/100].Round(100 * time.Microsecond)
}

// order places one order and waits until it is confirmed.
func (d *driver) order(ctx context.Context, id string) {
	done := make(chan struct{})
	d.waiting.Store(id, done)
	begin := time.Now()
	err := d.call(ctx, http.MethodPost, "/orders", id, `{"customerId":"bench","lines":[{"sku":"BENCH","quantity":1,"unitPrice":100}],
		"paymentToken":"tok_ok","address":{"name":"B","street":"S 1","city":"Ulm","country":"DE"}}`)
	if err != nil {
		if d.failed.Add(1) == 1 {
			fmt.Fprintln(os.Stderr, err)
		}
		return
	}
	accepted := time.Since(begin)
	select {
	case <-done:
	case <-time.After(60 * time.Second):
		d.failed.Add(1)
		return
	}
	if d.measuring.Load() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.accepted = append(d.accepted, accepted)
		d.confirmed = append(d.confirmed, time.Since(begin))
	}
}

func (d *driver) call(ctx context.Context, method, path, key, body string) error {
	req, err := http.NewRequestWithContext(ctx, method, d.shop+path, bytes.NewBufferString(body))
	if err != nil {
		return err
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := d.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, res.Status, text)
	}
	return nil
}

// watch closes the channels of the orders that are confirmed.
func (d *driver) watch(ctx context.Context, bus *kafka.Bus) {
	from := map[event.Partition]int64{}
	bounds, err := bus.Bounds(ctx, "bench", []string{orderv1.Topic.Name})
	for p, b := range bounds {
		from[p] = b.End
	}
	if err == nil {
		err = d.read(ctx, bus, from)
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (d *driver) read(ctx context.Context, bus *kafka.Bus, from map[event.Partition]int64) error {
	reader, err := bus.Reader("bench", from)
	if err != nil {
		return err
	}
	confirmed := orderv1.Confirmed{}.Contract().Type
	for {
		fetched, err := reader.Poll(ctx, 10_000)
		if err != nil {
			return err
		}
		for _, f := range fetched {
			for _, r := range f.Records {
				e, data, err := event.Decode(r.Record)
				if err != nil || e.Type != confirmed {
					continue
				}
				var c orderv1.Confirmed
				if err := json.Unmarshal(data, &c); err != nil {
					return err
				}
				if done, ok := d.waiting.LoadAndDelete(c.OrderID); ok {
					close(done.(chan struct{}))
				}
			}
		}
	}
}
