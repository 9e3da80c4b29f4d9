package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tutti-go/tutti/shop/orderv1"
)

// traffic is a crowd of customers for demonstrations, and who sets the shop up for
// them: it uses the shop by HTTP, as anybody would.
type traffic struct {
	base   string
	rate   float64 // orders a second; none if it is 0
	runs   func(service string) bool
	log    *slog.Logger
	client *http.Client
	id     string // of this run; part of the ids of its orders
}

func newTraffic(base string, cfg config, log *slog.Logger) *traffic {
	return &traffic{
		base: base, rate: cfg.traffic, runs: cfg.runs, log: log, id: strconv.FormatInt(time.Now().UnixMilli(), 36),
		client: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: maxOrders}},
	}
}

const (
	maxOrders = 64                   // under way at once
	delivery  = 500                  // orders from one delivery of stock to the next
	longest   = 365 * 24 * time.Hour // from one order to the next, whatever the rate
)

// run sets the shop up, and places orders until ctx ends. A shop that cannot take one is
// not its trouble.
func (t *traffic) run(ctx context.Context) {
	for !t.open(ctx) {
		if !sleep(ctx, 2*time.Second) {
			return
		}
	}
	if t.rate == 0 {
		return
	}
	var crowd sync.WaitGroup
	defer crowd.Wait()
	slots := make(chan struct{}, maxOrders)
	pause := time.NewTicker(time.Duration(min(float64(time.Second)/t.rate, float64(longest))))
	defer pause.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		select {
		case <-ctx.Done():
			return
		case slots <- struct{}{}:
		}
		crowd.Go(func() {
			defer func() { <-slots }()
			err := t.order(ctx, fmt.Sprintf("demo-%s-%d", t.id, n))
			if n%delivery == 0 && err == nil {
				err = t.deliver(ctx, "demo-"+t.id+"-"+strconv.Itoa(n), 100)
			}
			if err != nil && ctx.Err() == nil {
				t.log.Debug("demonstration order", "error", err)
			}
		})
	}
}

// open lists products, customers and a first stock, each where its service runs in this
// process. It may be repeated, and leaves alone what is there.
func (t *traffic) open(ctx context.Context) bool {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxOrders)
	if t.runs("catalog") {
		for _, p := range demoProducts {
			group.Go(func() error {
				return t.introduce(ctx, "/products/"+p.sku, map[string]any{"name": p.name, "price": p.price})
			})
		}
	}
	if t.runs("customer") {
		for i, name := range demoNames {
			group.Go(func() error {
				return t.introduce(ctx, "/customers/"+customerID(i), map[string]any{
					"name": name, "email": customerID(i) + "@example.com", "country": place(i).Country,
				})
			})
		}
	}
	if t.runs("inventory") {
		for _, p := range demoProducts {
			quantity := 1000
			if p.sku == scarce {
				quantity = 3
			}
			group.Go(func() error {
				return t.send(ctx, "POST", "/stock/"+p.sku+"/receipts", "demo-opening-"+p.sku, map[string]any{"quantity": quantity})
			})
		}
	}
	err := group.Wait()
	if err != nil && !errors.Is(err, context.Canceled) {
		t.log.Warn("cannot set up the demonstration yet", "error", err)
	}
	if err == nil {
		t.log.Debug("products and stock for demonstration are there")
	}
	return err == nil
}

// introduce puts what is not there yet: what somebody has changed stays.
func (t *traffic) introduce(ctx context.Context, path string, body any) error {
	status, err := t.ask(ctx, "GET", path, "", nil)
	if status == http.StatusNotFound {
		return t.send(ctx, "PUT", path, "", body)
	}
	return err
}

// deliver adds stock of all products that are not scarce.
func (t *traffic) deliver(ctx context.Context, id string, quantity int64) error {
	for _, p := range demoProducts {
		if p.sku == scarce {
			continue
		}
		if err := t.send(ctx, "POST", "/stock/"+p.sku+"/receipts", id+"-"+p.sku, map[string]any{"quantity": quantity}); err != nil {
			return err
		}
	}
	return nil
}

// order places one order; some are declined, undeliverable, slow or cancelled.
func (t *traffic) order(ctx context.Context, id string) error {
	customer := rand.IntN(len(demoNames))
	to, token := place(customer), "tok_ok"
	cancelled := false
	switch p := rand.IntN(100); {
	case p < 6:
		token = "tok_decline"
	case p < 9:
		to.City = "Nowhere"
	case p < 12:
		token = "tok_late"
	case p < 14:
		to.City = "Slowtown"
	case p < 16:
		token = "tok_twice"
	case p < 18:
		token = "tok_down_2"
	case p < 21: // slow, so that there is time to think again
		token, cancelled = "tok_late", true
	}
	err := t.send(ctx, "POST", "/orders", id, map[string]any{
		"customerId": customerID(customer), "lines": basket(), "paymentToken": token, "address": to,
	})
	if err != nil || !cancelled || !sleep(ctx, time.Second) {
		return err
	}
	return t.send(ctx, "DELETE", "/orders/"+id, "", nil)
}

func basket() []orderv1.Line {
	var lines []orderv1.Line
	for range 1 + rand.IntN(3) {
		p := demoProducts[rand.IntN(len(demoProducts))]
		lines = append(lines, orderv1.Line{SKU: p.sku, Quantity: 1 + rand.Int64N(2), UnitPrice: p.price})
	}
	return lines
}

func customerID(i int) string { return fmt.Sprintf("demo-%02d", i+1) }

func place(i int) orderv1.Address {
	at := demoPlaces[i%len(demoPlaces)]
	return orderv1.Address{Name: demoNames[i], Street: fmt.Sprintf("%d Market Square", i+1), City: at.city, Country: at.country}
}

// send makes a request; answers of 300 and above are errors.
func (t *traffic) send(ctx context.Context, method, path, key string, body any) error {
	_, err := t.ask(ctx, method, path, key, body)
	return err
}

// ask is send, with the answer's status.
func (t *traffic) ask(ctx context.Context, method, path, key string, body any) (status int, err error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(ctx, method, t.base+path, bytes.NewReader(raw))
	if err != nil {
		return 0, err
	}
	if body == nil {
		r.Body = http.NoBody
	}
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	answer, err := t.client.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	if err == nil && answer.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, bytes.TrimSpace(text))
	}
	return answer.StatusCode, err
}

// sleep reports false if ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
