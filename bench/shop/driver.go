package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/tutti-go/tutti/bench/load"
	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/shop/orderv1"
)

// driver is a customer with much to order.
type driver struct {
	*server
	client  *http.Client
	waiting load.Waiting
	closers []func() error
}

// start starts a shop with one product, of which there is enough. Before the first
// order it knows where the log ends, so that it misses no confirmation.
func start(ctx context.Context, s load.Settings, program, style string) (*driver, error) {
	d := &driver{client: &http.Client{Timeout: load.Patience, Transport: &http.Transport{MaxIdleConnsPerHost: 10_000}}}
	var err error
	if d.server, err = serve(ctx, s, program, style); err != nil {
		return d, err
	}
	d.closers = append(d.closers, d.stop)
	if err := d.watch(ctx); err != nil {
		return d, err
	}
	return d, d.stock(ctx)
}

// close stops watching first, then the shop.
func (d *driver) close() error {
	var errs []error
	for i := len(d.closers) - 1; i >= 0; i-- {
		errs = append(errs, d.closers[i]())
	}
	return errors.Join(errs...)
}

func (d *driver) stock(ctx context.Context) error {
	if err := d.call(ctx, http.MethodPut, "/products/BENCH", "", `{"name":"bench","price":100}`); err != nil {
		return err
	}
	for i := range 20 { // a receipt has a limit
		if err := d.call(ctx, http.MethodPost, "/stock/BENCH/receipts", fmt.Sprintf("bench-%d", i), `{"quantity":1000000}`); err != nil {
			return err
		}
	}
	return nil
}

// watch ends the orders that the log says are confirmed, from its present end on.
func (d *driver) watch(ctx context.Context) error {
	bus, err := kafka.Connect(ctx, kafka.Config{Brokers: d.Brokers})
	if err != nil {
		return err
	}
	d.closers = append(d.closers, func() error { bus.Close(); return nil })
	if err := bus.EnsureTopics(ctx, []event.Topic{orderv1.Topic}); err != nil {
		return err
	}
	bounds, err := bus.Bounds(ctx, "", []string{orderv1.Topic.Name})
	if err != nil {
		return err
	}
	from := map[event.Partition]int64{}
	for p, b := range bounds {
		from[p] = b.End
	}
	log, err := bus.Reader("bench", from)
	if err != nil {
		return err
	}
	reading, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- d.read(reading, log) }()
	d.closers = append(d.closers, func() error {
		stop()
		err := <-ended
		log.Close(context.Background())
		return err
	})
	return nil
}

func (d *driver) read(ctx context.Context, log *kafka.Consumer) error {
	confirmed := orderv1.Confirmed{}.Contract().Type
	for {
		fetched, err := log.Poll(ctx, 10_000)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the confirmations: %w", err)
		}
		for _, f := range fetched {
			for _, r := range f.Records {
				for _, h := range r.Headers {
					if h.Key == "ce_type" && string(h.Value) == confirmed {
						d.waiting.End(string(r.Key))
					}
				}
			}
		}
	}
}

const body = `{"customerId":"bench","lines":[{"sku":"BENCH","quantity":1,"unitPrice":100}],
	"paymentToken":"tok_ok","address":{"name":"B","street":"S 1","city":"Ulm","country":"DE"}}`

// order places an order, and waits until it is confirmed.
func (d *driver) order(ctx context.Context, id string) error {
	wait := d.waiting.Begin(id)
	if err := d.call(ctx, http.MethodPost, "/orders", id, body); err != nil {
		return err
	}
	return wait(ctx)
}

// call makes a request. A shop that has too much to do says when to come back, as
// customers know.
func (d *driver) call(ctx context.Context, method, path, key, body string) error {
	for {
		status, text, err := d.try(ctx, method, path, key, body)
		switch {
		case err != nil:
			return err
		case status < 300:
			return nil
		case status != http.StatusServiceUnavailable && status != http.StatusTooManyRequests:
			return fmt.Errorf("%s %s: %d: %s", method, path, status, text)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (d *driver) try(ctx context.Context, method, path, key, body string) (status int, text []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, d.HTTP+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := d.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	text, err = io.ReadAll(res.Body)
	return res.StatusCode, text, err
}

// announcement is what a shop says of itself once it is ready.
type announcement struct {
	HTTP    string
	Brokers []string
}

func parse(line []byte) (a announcement, err error) {
	if err = json.Unmarshal(line, &a); err == nil && (a.HTTP == "" || len(a.Brokers) == 0) {
		err = errors.New("it names no address")
	}
	if err != nil {
		return a, fmt.Errorf("understand what the shop says: %q: %w", line, err)
	}
	return a, nil
}
