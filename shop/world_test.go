// Package shop_test runs the whole shop in virtual time: nine services, gateways
// and customers.
package shop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tutti-go/tutti/shop/catalog"
	"github.com/tutti-go/tutti/shop/customer"
	"github.com/tutti-go/tutti/shop/fulfilment"
	"github.com/tutti-go/tutti/shop/gateway"
	"github.com/tutti-go/tutti/shop/inventory"
	"github.com/tutti-go/tutti/shop/notification"
	"github.com/tutti-go/tutti/shop/order"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/payment"
	"github.com/tutti-go/tutti/shop/shipping"
	"github.com/tutti-go/tutti/shop/storefront"
	"github.com/tutti-go/tutti/shop/verify"
	"github.com/tutti-go/tutti/tuttitest"
)

// shop is the shop in a world, and its customers. The gateways are outside of it:
// they do not crash with the services.
type shop struct {
	*tuttitest.World
	payment *gateway.Payment
	carrier *gateway.Carrier
	mail    *gateway.Mail
	placed  []string // orders that were acknowledged
	way
}

// way is how orders are brought to their ends.
type way struct {
	name  string
	style func(n int) orderv1.Style // of the nth order
	flow  fulfilment.Flow
}

func always(s orderv1.Style) func(int) orderv1.Style {
	return func(int) orderv1.Style { return s }
}

// Both styles, and the two flows of a mediator; and the styles side by side.
var (
	choreographed = way{"choreography", always(orderv1.Choreography), fulfilment.ReserveFirst}
	directed      = way{"orchestration", always(orderv1.Orchestration), fulfilment.ReserveFirst}
	payFirst      = way{"pay first", always(orderv1.Orchestration), fulfilment.PayFirst}
	mixed         = way{"mixed", func(n int) orderv1.Style {
		return []orderv1.Style{orderv1.Choreography, orderv1.Orchestration}[n%2]
	}, fulfilment.ReserveFirst}
)

// everyWay runs a test in a world for each way that an order may go.
func everyWay(t *testing.T, test func(s *shop)) {
	inWays(t, []way{choreographed, directed, payFirst}, test)
}

// eachStyle runs a test in a world for each style, where flows make no difference.
func eachStyle(t *testing.T, test func(s *shop)) {
	inWays(t, []way{choreographed, directed}, test)
}

func inWays(t *testing.T, ways []way, test func(s *shop)) {
	withConfig(t, tuttitest.Config{}, ways, test)
}

// calmly is for tests that wait long: services that look around all the time cost real
// time.
func calmly(t *testing.T, ways []way, test func(s *shop)) {
	withConfig(t, tuttitest.Config{Calm: true}, ways, test)
}

func withConfig(t *testing.T, cfg tuttitest.Config, ways []way, test func(s *shop)) {
	for _, by := range ways {
		t.Run(by.name, func(t *testing.T) {
			tuttitest.RunConfig(t, cfg, func(w *tuttitest.World) { run(w, by, test) })
		})
	}
}

// run calls fn with an open shop that has goods and a customer; afterwards all
// invariants must hold.
func run(w *tuttitest.World, by way, fn func(s *shop)) {
	s := &shop{World: w, way: by}
	defer s.closeGateways()
	s.open()
	s.put("catalog", "/products/tea", `{"name":"Tea","price":250}`)
	s.put("customer", "/customers/ann", `{"name":"Ann","email":"ann@example.com","country":"GB"}`)
	s.receive("tea", 1000)
	s.receive("cup", 1000)
	fn(s)
	s.Quiet()
	s.verify()
}

func (s *shop) openGateways() {
	t := s.T()
	files, err := ledgers()
	if err != nil {
		t.Fatal(err)
	}
	for kind, file := range files {
		if err := os.WriteFile(s.ledger(kind), file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.openLedgers(t.Context(), s.ledger); err != nil {
		t.Fatal(err)
	}
}

func (s *shop) openLedgers(ctx context.Context, path func(kind string) string) (err error) {
	cfg := gateway.Config{Unsynced: true}
	if s.payment, err = gateway.OpenPayment(ctx, path("payment"), cfg); err != nil {
		return err
	}
	if s.carrier, err = gateway.OpenCarrier(ctx, path("carrier"), cfg); err != nil {
		return err
	}
	s.mail, err = gateway.OpenMail(ctx, path("mail"), cfg)
	return err
}

// ledgers are the gateways' empty databases, by kind: a copy is made faster than the
// tables.
var ledgers = sync.OnceValues(func() (files map[string][]byte, err error) {
	dir, err := os.MkdirTemp("", "shop-test-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s := &shop{}
	path := func(kind string) string { return filepath.Join(dir, kind+".db") }
	if err := s.openLedgers(context.Background(), path); err != nil {
		return nil, err
	}
	s.closeGateways() // and their logs with them
	files = map[string][]byte{}
	for _, kind := range []string{"payment", "carrier", "mail"} {
		if files[kind], err = os.ReadFile(path(kind)); err != nil {
			return nil, err
		}
	}
	return files, nil
})

func (s *shop) open() {
	s.openGateways()
	s.Start("storefront", storefront.Register)
	s.Start("catalog", catalog.Register)
	s.Start("customer", customer.Register)
	s.Start("order", order.Register(order.Config{Style: s.style(0)}))
	s.Start("inventory", inventory.Register)
	s.Start("payment", payment.Register(s.payment))
	s.Start("shipping", shipping.Register(s.carrier))
	s.Start("notification", notification.Register(s.mail))
	s.Start("fulfilment", fulfilment.Register(fulfilment.Config{Flow: s.flow}))
}

var services = []string{"storefront", "catalog", "customer", "order", "inventory", "payment", "shipping", "notification", "fulfilment"}

func (s *shop) ledger(kind string) string { return filepath.Join(s.Dir(), "gateway-"+kind+".db") }

func (s *shop) closeGateways() {
	if s.payment != nil {
		_ = s.payment.Close() // closed already, if all went well
	}
	if s.carrier != nil {
		_ = s.carrier.Close()
	}
	if s.mail != nil {
		_ = s.mail.Close()
	}
}

// verify stops the shop and checks the invariants over all that is stored.
func (s *shop) verify() {
	t := s.T()
	t.Helper()
	for _, name := range services {
		s.Stop(name)
	}
	for _, c := range []io.Closer{s.payment, s.carrier, s.mail} {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	report, err := verify.Run(t.Context(), verify.Config{
		Dir: s.Dir(), Bus: s.Bus(), Settled: true, Acknowledged: s.placed, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, inv := range report.Invariants {
		if !inv.OK {
			t.Errorf("%s is violated %d times: %v", name, inv.Violations, inv.Examples)
		}
	}
	if report.Unsettled.Any() {
		t.Errorf("in flight: %v", report.Unsettled)
	}
}

// request is a customer's request, repeated until it is answered.
func (s *shop) request(name, method, path, key, body string) (int, []byte) {
	s.T().Helper()
	for range 500 {
		r, err := http.NewRequest(method, "http://"+name+path, bytes.NewBufferString(body))
		if err != nil {
			s.T().Fatal(err)
		}
		if key != "" {
			r.Header.Set("Idempotency-Key", key)
		}
		res, err := s.HTTP(name).Do(r)
		if err == nil {
			text, err := io.ReadAll(res.Body)
			if res.Body.Close() == nil && err == nil && res.StatusCode < 500 {
				return res.StatusCode, text
			}
		}
		s.Sleep(700 * time.Millisecond)
	}
	s.T().Fatalf("%s %s is not answered", method, path)
	return 0, nil
}

func (s *shop) put(name, path, body string) {
	s.T().Helper()
	if status, text := s.request(name, http.MethodPut, path, "", body); status >= 300 {
		s.T().Fatalf("PUT %s: %d %s", path, status, text)
	}
}

func (s *shop) receive(sku string, n int) {
	s.T().Helper()
	status, text := s.request("inventory", http.MethodPost, "/stock/"+sku+"/receipts", "receipt-"+sku, fmt.Sprintf(`{"quantity":%d}`, n))
	if status >= 300 {
		s.T().Fatalf("goods receipt of %s: %d %s", sku, status, text)
	}
}

// wish is what a customer orders.
type wish struct {
	id, token, city string
	lines           []orderv1.Line
}

func one(sku string, n int64) []orderv1.Line {
	return []orderv1.Line{{SKU: sku, Quantity: n, UnitPrice: 250}}
}

func (s *shop) place(o wish) {
	s.T().Helper()
	body, err := json.Marshal(map[string]any{
		"customerId": "ann", "lines": o.lines, "paymentToken": o.token,
		"address": orderv1.Address{Name: "Ann", Street: "High Street 1", City: o.city, Country: "GB"},
		"style":   s.style(len(s.placed)),
	})
	if err != nil {
		s.T().Fatal(err)
	}
	if status, text := s.request("order", http.MethodPost, "/orders", o.id, string(body)); status != http.StatusAccepted {
		s.T().Fatalf("place order %s: %d %s", o.id, status, text)
	}
	s.placed = append(s.placed, o.id)
}

// cancel asks for the end of an order, and returns the status code.
func (s *shop) cancel(id string) int {
	s.T().Helper()
	status, text := s.request("order", http.MethodDelete, "/orders/"+id, "", "")
	if status != http.StatusOK && status != http.StatusAccepted && status != http.StatusConflict {
		s.T().Fatalf("cancel order %s: %d %s", id, status, text)
	}
	return status
}

// giveBack returns goods, and reports whether the shop takes them.
func (s *shop) giveBack(order, id, sku string, n int) bool {
	s.T().Helper()
	status, text := s.request("order", http.MethodPost, "/orders/"+order+"/returns", id, fmt.Sprintf(`{"lines":[{"sku":%q,"quantity":%d}]}`, sku, n))
	if status != http.StatusAccepted && status != http.StatusConflict && status != http.StatusUnprocessableEntity {
		s.T().Fatalf("return %s: %d %s", id, status, text)
	}
	return status == http.StatusAccepted
}

// view is an order as its customer sees it.
type view struct {
	Status  string
	History []struct{ Note string }
}

func (s *shop) look(id string) view {
	s.T().Helper()
	status, text := s.request("order", http.MethodGet, "/orders/"+id, "", "")
	var o view
	if err := json.Unmarshal(text, &o); err != nil || status != http.StatusOK {
		s.T().Fatalf("GET order %s: %d %s (%v)", id, status, text, err)
	}
	return o
}

func (s *shop) status(id string) string { return s.look(id).Status }

// history is what happened to an order.
func (s *shop) history(id string) (notes []string) {
	for _, h := range s.look(id).History {
		notes = append(notes, h.Note)
	}
	return notes
}

// fill makes a cart, puts goods into it, and returns its id.
func (s *shop) fill(sku string, n int) string {
	s.T().Helper()
	var cart struct{ ID string }
	status, text := s.request("storefront", http.MethodPost, "/carts", "", "")
	if err := json.Unmarshal(text, &cart); err != nil || status != http.StatusCreated {
		s.T().Fatalf("make a cart: %d %s (%v)", status, text, err)
	}
	s.put("storefront", "/carts/"+cart.ID+"/lines/"+sku, fmt.Sprintf(`{"quantity":%d}`, n))
	return cart.ID
}

// checkOut orders what is in a cart, and returns the order's id.
func (s *shop) checkOut(cart string) string {
	s.T().Helper()
	var order struct{ OrderID string }
	status, text := s.request("storefront", http.MethodPost, "/carts/"+cart+"/checkout", "", `{"customerId":"ann","paymentToken":"tok_ok",
		"address":{"name":"Ann","street":"High Street 1","city":"London","country":"GB"}}`)
	if err := json.Unmarshal(text, &order); err != nil || status != http.StatusAccepted {
		s.T().Fatalf("check out cart %s: %d %s (%v)", cart, status, text, err)
	}
	return order.OrderID
}
