package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-go/tutti/shop/orderv1"
)

// load is a crowd of customers who do what the shop tells its clients to do: ask
// again, with the same key, until they are answered.
type load struct {
	site    *site
	seed    uint64
	slow    int // percent of the orders whose gateways take their time
	style   string
	journal *journal
	client  *http.Client

	asking atomic.Int64 // requests under way
	again  atomic.Int64 // requests that had to be repeated
	last   atomic.Int64 // when an order was acknowledged last, in Unix nanoseconds
	failed chan error   // what the shop must never answer
}

const (
	crowd     = 64  // orders being placed at once
	products  = 12  // on sale
	customers = 20  // who buy
	price     = 250 // pence
)

func newLoad(s *site, set *settings, j *journal) *load {
	return &load{
		site: s, seed: set.seed, slow: set.slow, style: set.style, journal: j, failed: make(chan error, 1),
		client: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: crowd}},
	}
}

// errAnswer is an answer that asking again does not mend.
var errAnswer = errors.New("the shop must not answer that")

// open lists products and customers and fills the stock.
func (l *load) open(ctx context.Context) error {
	for i := range products {
		sku := sku(i)
		if err := l.insist(ctx, "catalog", http.MethodPut, "/products/"+sku, "", map[string]any{"name": "Thing " + sku, "price": price}); err != nil {
			return err
		}
		quantity := 1_000_000
		if i == 0 {
			quantity = 50 // the one that is soon sold out
		}
		if err := l.insist(ctx, "inventory", http.MethodPost, "/stock/"+sku+"/receipts", "opening-"+sku, map[string]any{"quantity": quantity}); err != nil {
			return err
		}
	}
	for i := range customers {
		body := map[string]any{"name": "Customer", "email": customer(i) + "@example.com", "country": "Ireland"}
		if err := l.insist(ctx, "customer", http.MethodPut, "/customers/"+customer(i), "", body); err != nil {
			return err
		}
	}
	return nil
}

func sku(i int) string      { return fmt.Sprintf("sku-%02d", i) }
func customer(i int) string { return fmt.Sprintf("customer-%02d", i) }

// run places orders number from, from+1 and so on, up to the one before to, at so
// many a second, until ctx ends.
func (l *load) run(ctx context.Context, from, to int, rate float64) {
	var all sync.WaitGroup
	defer all.Wait()
	places := make(chan struct{}, crowd)
	pace := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer pace.Stop()
	for n := from; n < to; n++ {
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
		select {
		case <-ctx.Done():
			return
		case places <- struct{}{}:
		}
		all.Go(func() {
			defer func() { <-places }()
			if err := l.place(ctx, l.order(n)); err != nil && ctx.Err() == nil {
				select {
				case l.failed <- err:
				default:
				}
			}
		})
	}
}

// wanted is an order to be placed.
type wanted struct {
	id        string
	body      orderBody
	cancelled bool // the customer thinks again
}

type orderBody struct {
	CustomerID   string          `json:"customerId"`
	Lines        []orderv1.Line  `json:"lines"`
	PaymentToken string          `json:"paymentToken"`
	Address      orderv1.Address `json:"address"`
	Style        orderv1.Style   `json:"style"`
}

// order draws the n-th order.
func (l *load) order(n int) wanted {
	rng := rand.New(rand.NewPCG(l.seed, uint64(n)+1))
	w := wanted{id: fmt.Sprintf("t%d-%d", l.seed, n), body: orderBody{
		CustomerID: customer(rng.IntN(customers)), PaymentToken: "tok_ok",
		Address: orderv1.Address{Name: "Ada", Street: "1 High Street", City: "Galway", Country: "Ireland"},
		Style:   l.styleOf(n),
	}}
	for range 1 + rng.IntN(3) {
		w.body.Lines = append(w.body.Lines, orderv1.Line{SKU: sku(rng.IntN(products)), Quantity: 1 + rng.Int64N(3), UnitPrice: price})
	}
	switch p := rng.IntN(100); {
	case p < 6:
		w.body.PaymentToken = "tok_decline"
	case p < 10:
		w.body.Address.City = "Nowhere"
	case p < 14:
		w.body.PaymentToken = "tok_twice"
	case p < 18:
		w.body.PaymentToken = "tok_down_1"
	case p < 22:
		w.cancelled = true
	case p < 22+l.slow:
		w.body.PaymentToken = []string{"tok_late", "tok_timeout"}[rng.IntN(2)]
	}
	return w
}

// styleOf is the style of the n-th order.
func (l *load) styleOf(n int) orderv1.Style {
	if l.style == mixed {
		return []orderv1.Style{orderv1.Choreography, orderv1.Orchestration}[n%2]
	}
	return orderv1.Style(l.style)
}

func (w wanted) total() (pence int64) {
	for _, l := range w.body.Lines {
		pence += l.Quantity * l.UnitPrice
	}
	return pence
}

// place places an order, and notes that it is acknowledged.
func (l *load) place(ctx context.Context, w wanted) error {
	if err := l.insist(ctx, "order", http.MethodPost, "/orders", w.id, w.body); err != nil {
		return err
	}
	l.last.Store(time.Now().UnixNano())
	if err := l.journal.add(w.id, w.total()); err != nil {
		return err
	}
	if !w.cancelled {
		return nil
	}
	err := l.insist(ctx, "order", http.MethodDelete, "/orders/"+w.id, "", nil)
	var a *answer
	if errors.As(err, &a) && a.status == http.StatusConflict { // confirmed before
		return nil
	}
	return err
}

// answer is one that says no.
type answer struct {
	status int
	text   string
}

func (a *answer) Error() string { return fmt.Sprintf("%d: %s", a.status, a.text) }

// insist asks until it is answered. Every place where the service runs gets its turn.
func (l *load) insist(ctx context.Context, service, method, path, key string, body any) error {
	l.asking.Add(1)
	defer l.asking.Add(-1)
	for n := 0; ; n++ {
		doors := l.site.doors[service]
		_, err := ask(ctx, l.client, method, doors[(n+len(key))%len(doors)]+path, key, body)
		var a *answer
		switch {
		case err == nil:
			return nil
		case errors.As(err, &a) && a.status != http.StatusServiceUnavailable && a.status != http.StatusTooManyRequests:
			return fmt.Errorf("%s %s (%s): %w: %w", method, path, key, errAnswer, err)
		}
		l.again.Add(1)
		if !sleep(ctx, min(20*time.Millisecond<<min(n, 5), 500*time.Millisecond)) {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
	}
}

// ask makes one request. Answers of 300 and above are errors.
func ask(ctx context.Context, client *http.Client, method, url, key string, body any) ([]byte, error) {
	content := io.Reader(http.NoBody)
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, method, url, content)
	if err != nil {
		return nil, err
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	res, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= http.StatusMultipleChoices {
		return text, &answer{res.StatusCode, string(bytes.TrimSpace(text))}
	}
	return text, nil
}

// sleep reports false if ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
