package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// prepare lists what the tests order.
func (s *site) prepare() {
	s.t.Helper()
	s.must("PUT", "/customers/c1", "", map[string]any{"name": "Ada", "email": "ada@example.com", "country": "Ireland"})
	for sku, stock := range map[string]int{"plenty": 100, "one-choreography": 1, "one-orchestration": 1} {
		s.must("PUT", "/products/"+sku, "", map[string]any{"name": sku, "price": 250})
		s.must("POST", "/stock/"+sku+"/receipts", "opening-"+sku, map[string]any{"quantity": stock})
	}
}

func TestStopAndStartAgain(t *testing.T) {
	t.Parallel()
	for _, style := range styles {
		t.Run(style, func(t *testing.T) {
			t.Parallel()
			stopAndStartAgain(t, style)
		})
	}
}

func stopAndStartAgain(t *testing.T, style string) {
	dir := t.TempDir()
	s := startShop(t, "--data", dir, "--http", "127.0.0.1:0", "--style", style)
	s.prepare()
	if got, want := s.order("o-1", "plenty", "tok_ok", "Galway"), (reply{http.StatusAccepted, "/orders/o-1"}); got != want {
		t.Fatalf("POST /orders: %v, want %v", got, want)
	}
	if got := s.settled("o-1"); got != "confirmed" {
		t.Errorf("order is %s, want confirmed", got)
	}
	for _, path := range []string{"/", "/healthz", "/readyz", "/products", "/orders/o-1", "/stock/plenty", "/payments/o-1", "/shipments/o-1"} {
		if got := s.request("GET", path, "", nil, nil); got.status != http.StatusOK {
			t.Errorf("GET %s: %d, want 200", path, got.status)
		}
	}
	var o struct{ Style string }
	if s.request("GET", "/orders/o-1", "", nil, &o); o.Style != style {
		t.Errorf("the order's style is %q, want %s", o.Style, style)
	}
	// What is under way at the stop goes on after the start, as it began.
	s.order("o-2", "plenty", "tok_down_3", "Galway")
	s.stop()

	s = startShop(t, "--data", dir, "--http", "127.0.0.1:0")
	for _, id := range []string{"o-1", "o-2"} {
		if got := s.settled(id); got != "confirmed" {
			t.Errorf("after the restart order %s is %s, want confirmed", id, got)
		}
	}
	if got := s.order("o-1", "plenty", "tok_ok", "Galway"); got.status != http.StatusAccepted { // whatever the shop's style is now
		t.Errorf("the same order again: %d, want 202", got.status)
	}
	if got := s.order("o-1", "plenty", "tok_ok", "Cork"); got.status != http.StatusUnprocessableEntity {
		t.Errorf("another order with the same key: %d, want 422", got.status)
	}
	second := start(t, "shop", "--data", dir, "--http", "127.0.0.1:0")
	if code := second.wait(); code != 1 || !strings.Contains(second.stderr.String(), "in use by another process") {
		t.Errorf("a second shop on the directory ended with %d: %s", code, second.stderr.String())
	}
	s.stop()
	verified(t, "--data", dir)
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	s := startShop(t, "--data", t.TempDir(), "--http", "127.0.0.1:0")
	s.prepare()
	s.order("o-1", "plenty", "tok_late", "Galway") // a call of 5 seconds, which a stop waits for
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(10 * time.Millisecond) {
		var p struct{ Status any } // of the payment, or of the problem that it is not known yet
		if s.request("GET", "/payments/o-1", "", nil, &p); p.Status == "charging" {
			break
		}
	}
	begin := time.Now()
	for range 2 {
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		time.Sleep(600 * time.Millisecond) // sooner, the two are one
	}
	if code := s.wait(); code != 1 || time.Since(begin) > 3*time.Second {
		t.Errorf("shop ended with %d after %v, want 1 at once", code, time.Since(begin))
	}
}

// styles are those that an order may ask for.
var styles = []string{"choreography", "orchestration"}

// outcomes places orders of each kind and style, and returns how they ended.
func (s *site) outcomes() map[string]string {
	s.t.Helper()
	s.prepare()
	ended := map[string]string{}
	settle := func(ids ...string) {
		for _, id := range ids {
			ended[id] = s.settled(s.style + "-" + id)
		}
	}
	for _, s.style = range styles {
		place := func(id, sku, token, city string) { s.order(s.style+"-"+id, sku, token, city) }
		place("fine", "plenty", "tok_ok", "Galway")
		place("twice", "plenty", "tok_twice", "Galway")
		place("down", "plenty", "tok_down_2", "Galway")
		place("declined", "plenty", "tok_decline", "Galway")
		place("nowhere", "plenty", "tok_ok", "Nowhere")
		place("last", "one-"+s.style, "tok_ok", "Galway")
	}
	for _, s.style = range styles {
		settle("fine", "twice", "down", "declined", "nowhere", "last")
		s.order(s.style+"-none-left", "one-"+s.style, "tok_ok", "Galway")
		settle("none-left")
		if !maps.Equal(ended, wantOutcomes) {
			s.t.Errorf("by %s orders ended as %v, want %v", s.style, ended, wantOutcomes)
		}
	}
	return ended
}

var wantOutcomes = map[string]string{
	"fine": "confirmed", "twice": "confirmed", "down": "confirmed", "last": "confirmed",
	"declined": "cancelled", "nowhere": "cancelled", "none-left": "cancelled",
}

func TestOneProcessAndManyGiveTheSame(t *testing.T) {
	t.Parallel()
	t.Run("one", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		s := startShop(t, "--data", dir, "--http", "127.0.0.1:0")
		if got := s.outcomes(); !maps.Equal(got, wantOutcomes) {
			t.Errorf("orders ended as %v, want %v", got, wantOutcomes)
		}
		s.stop()
		verified(t, "--data", dir)
	})
	t.Run("many", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		broker := start(t, "tutti", "broker", "--data", dir, "--port", "0")
		address, _, _ := strings.Cut(strings.TrimPrefix(broker.line(), "broker "), ",")
		peers, sites := []string{}, []*site{}
		for _, name := range names() {
			if name != "storefront" {
				s := startShop(t, "--services", name, "--brokers", address, "--data", dir, "--http", "127.0.0.1:0")
				peers, sites = append(peers, name+"="+s.HTTP), append(sites, s)
			}
		}
		alone := startShop(t, "--services", "storefront", "--brokers", address, "--data", dir, "--http", "127.0.0.1:0")
		var problem struct{ Detail string }
		if got := alone.request("GET", "/orders/fine", "", nil, &problem); got.status != http.StatusServiceUnavailable || !strings.Contains(problem.Detail, "--peer order=") {
			t.Errorf("GET /orders/fine without a peer: %d, %q", got.status, problem.Detail)
		}
		alone.stop()
		front := startShop(t, "--services", "storefront", "--brokers", address, "--data", dir, "--http", "127.0.0.1:0", "--peer", strings.Join(peers, ","))
		if got := front.outcomes(); !maps.Equal(got, wantOutcomes) {
			t.Errorf("orders ended as %v, want %v", got, wantOutcomes)
		}
		for _, s := range append(sites, front) {
			s.stop()
		}
		broker.stop()
		verified(t, "--data", dir)
	})
}

func TestDemonstration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, "shop", "--json", "--data", dir, "--http", "127.0.0.1:0", "--traffic", "100", "--style", "orchestration")
	s := &site{process: p}
	if err := json.Unmarshal([]byte(p.line()), s); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < 5; time.Sleep(20 * time.Millisecond) {
		var page struct{ Orders []struct{ ID string } }
		s.request("GET", "/orders?customer=demo-01", "", nil, &page)
		n = len(page.Orders)
	}
	s.stop()
	verified(t, "--data", dir)
}

// A shop without demonstration orders has something to buy, and a start does not undo
// what was changed.
func TestSomethingToBuy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startShop(t, "--data", dir, "--http", "127.0.0.1:0", "--services", "storefront,catalog,inventory")
	s.eventually("all products are on sale", func() bool {
		var page struct{ Products []struct{ SKU string } }
		s.request("GET", "/products?limit=100", "", nil, &page)
		return len(page.Products) == len(demoProducts)
	})
	stocked := func() bool {
		for _, p := range demoProducts {
			var stock struct{ Received int64 }
			s.request("GET", "/stock/"+p.sku, "", nil, &stock)
			if want := map[bool]int64{false: 1000, true: 3}[p.sku == scarce]; stock.Received != want {
				return false
			}
		}
		return true
	}
	s.eventually("all products are in stock", stocked)
	var cart struct{ ID string }
	s.request("POST", "/carts", "", nil, &cart)
	s.eventually("the storefront sells them", func() bool {
		return s.request("PUT", "/carts/"+cart.ID+"/lines/DEMO-01", "", map[string]any{"quantity": 1}, nil).status == http.StatusOK
	})
	s.must("PUT", "/products/DEMO-01", "", map[string]any{"name": "Green Teapot", "price": 1})
	s.stop()

	s = startShop(t, "--data", dir, "--http", "127.0.0.1:0", "--services", "storefront,catalog,inventory", "--log-level", "debug")
	s.eventually("the demonstration is set up again", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return strings.Contains(s.stderr.String(), "products and stock for demonstration are there")
	})
	var teapot struct {
		Name  string
		Price int64
	}
	if s.request("GET", "/products/DEMO-01", "", nil, &teapot); teapot.Name != "Green Teapot" || teapot.Price != 1 {
		t.Errorf("after a start the teapot is %+v, want it as it was changed", teapot)
	}
	if !stocked() {
		t.Error("after a start the stock is another")
	}
	s.stop()
}

// An order in a thousand years is none for now.
func TestHardlyAnyTraffic(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	newTraffic("", config{traffic: 1e-12}, slog.New(slog.DiscardHandler)).run(ctx)
	if ctx.Err() == nil {
		t.Error("the traffic ended by itself")
	}
}
