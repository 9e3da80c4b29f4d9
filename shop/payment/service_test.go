package payment_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/shop/gateway"
	"github.com/tutti-go/tutti/shop/inventoryv1"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/payment"
	"github.com/tutti-go/tutti/shop/shippingv1"
	"github.com/tutti-go/tutti/store"
)

// shop is payment with its gateway and a stand-in for all other services, in
// virtual time.
type shop struct {
	t       *testing.T
	payment *service.Service
	others  *service.Service
	gateway *gateway.Payment
	reports *reports
}

// reports are the gateway's, and those that a test makes up.
type reports struct {
	*gateway.Payment
	report func(ctx context.Context, key, paymentID string) error
}

func (r *reports) Notify(fn func(ctx context.Context, key, paymentID string) error) {
	r.report = fn
	r.Payment.Notify(fn)
}

func inShop(t *testing.T, test func(s shop)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		network := &kafka.Network{}
		broker, err := kafka.Embed(kafka.BrokerConfig{Network: network, Port: 9092})
		if err != nil {
			t.Fatal(err)
		}
		bus, err := kafka.Connect(t.Context(), kafka.Config{Brokers: broker.Addrs(), Dial: network.DialContext, Partitions: 2})
		if err != nil {
			t.Fatal(err)
		}
		gw, err := gateway.OpenPayment(t.Context(), filepath.Join(dir, "gateway.db"), gateway.Config{Unsynced: true})
		if err != nil {
			t.Fatal(err)
		}
		run := func(name string, register func(*service.Service)) (*service.Service, func()) {
			s := service.New(name, bus, service.Config{Database: filepath.Join(dir, name+".db"), Unsynced: true})
			register(s)
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() { ended <- s.Run(ctx) }()
			select {
			case <-s.Ready():
			case err := <-ended:
				t.Fatal(err)
			}
			return s, func() {
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}
		}
		told := &reports{Payment: gw}
		p, stopPayment := run("payment", payment.Register(told))
		o, stopOthers := run("others", func(s *service.Service) {
			event.Publishes[orderv1.Placed](s)
			event.Publishes[orderv1.Returned](s)
			event.Publishes[inventoryv1.Reserved](s)
			event.Publishes[shippingv1.Unavailable](s)
		})
		test(shop{t, p, o, gw, told})
		stopPayment()
		stopOthers()
		if err := gw.Close(); err != nil {
			t.Error(err)
		}
		bus.Close()
		if err := broker.Close(); err != nil {
			t.Error(err)
		}
	})
}

func (s shop) publish(bodies ...event.Body) {
	s.t.Helper()
	err := s.others.Write(s.t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for _, b := range bodies {
			if err := event.Publish(ctx, tx, b); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s shop) request(method, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.payment.Handler().ServeHTTP(w, httptest.NewRequestWithContext(s.t.Context(), method, path, strings.NewReader(body)))
	return w
}

// status asks the service how a payment stands.
func (s shop) status(order string) string {
	s.t.Helper()
	w := s.request("GET", "/payments/"+order, "")
	var v struct{ Status string }
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil || w.Code != http.StatusOK {
		s.t.Fatalf("GET /payments/%s = %d %s", order, w.Code, w.Body)
	}
	return v.Status
}

// kept is what the gateway has taken for an order and not given back.
func (s shop) kept(order string) (amount int64) {
	s.t.Helper()
	err := s.gateway.Ledger().QueryRow(s.t.Context(), `SELECT COALESCE(SUM(amount - refunded), 0) FROM charges WHERE order_id = $1`, order).Scan(&amount)
	if err != nil {
		s.t.Fatal(err)
	}
	return amount
}

func TestTokensInTheService(t *testing.T) {
	for _, tt := range []struct {
		token   string
		stopped time.Duration // after the order; 0: never
		status  string
		kept    int64
	}{
		{"tok_ok", 0, "charged", 500},
		{"tok_decline", 0, "failed", 0},
		{"tok_timeout", 0, "charged", 500},
		{"tok_late", 0, "charged", 500},
		{"tok_twice", 0, "charged", 500},
		{"tok_down_3", 0, "charged", 500},
		{"tok_down_1000", 0, "failed", 0}, // given up, and made sure that nothing was taken
		{"tok_ok", 5 * time.Second, "refunded", 0},
		{"tok_decline", 5 * time.Second, "failed", 0},
		{"tok_timeout", time.Second, "refunded", 0},
		{"tok_late", time.Second, "refunded", 0},
		{"tok_twice", 20 * time.Millisecond, "refunded", 0},
		{"tok_down_1000", time.Second, "failed", 0},
	} {
		t.Run(fmt.Sprint(tt.token, " ", tt.stopped), func(t *testing.T) {
			inShop(t, func(s shop) {
				s.publish(orderv1.Placed{OrderID: "o1", Total: 500, PaymentToken: tt.token}, inventoryv1.Reserved{OrderID: "o1"})
				if tt.stopped > 0 {
					time.Sleep(tt.stopped)
					s.publish(shippingv1.Unavailable{OrderID: "o1", Reason: "nobody goes there"})
				}
				settled := 40 * time.Second
				if tt.token == "tok_down_1000" {
					settled = 4 * time.Minute // ten attempts
				}
				time.Sleep(settled)
				if status, kept := s.status("o1"), s.kept("o1"); status != tt.status || kept != tt.kept {
					t.Errorf("payment is %s, and the gateway keeps %d, want %s and %d", status, kept, tt.status, tt.kept)
				}
			})
		})
	}
}

func TestReturn(t *testing.T) {
	inShop(t, func(s shop) {
		s.publish(orderv1.Placed{OrderID: "o1", Total: 500, PaymentToken: "tok_ok"}, inventoryv1.Reserved{OrderID: "o1"})
		time.Sleep(time.Second)
		returned := orderv1.Returned{OrderID: "o1", ReturnID: "r1", Refund: 200}
		s.publish(returned, returned)
		time.Sleep(time.Second)
		if kept := s.kept("o1"); kept != 300 {
			t.Errorf("the gateway keeps %d, want 300", kept)
		}
		want := `"refunds":[{"returnId":"r1","amount":200,"status":"refunded"}]`
		if body := s.request("GET", "/payments/o1", "").Body.String(); !strings.Contains(body, want) {
			t.Errorf("payment is %s, want it to have %s", body, want)
		}
	})
}

func TestRoutes(t *testing.T) {
	inShop(t, func(s shop) {
		s.publish(orderv1.Placed{OrderID: "o1", Total: 500, PaymentToken: "tok_decline"})
		time.Sleep(time.Second)
		for _, tt := range []struct {
			method, path, body string
			status             int
		}{
			{"GET", "/payments/o1", "", http.StatusOK},
			{"GET", "/payments/o2", "", http.StatusNotFound},
			{"GET", "/payments/a%00b", "", http.StatusNotFound},
			{"GET", "/payments/" + strings.Repeat("x", 129), "", http.StatusNotFound},
			{"POST", "/payments/callbacks", `{"key":"charge-o1","paymentId":"pay_1"}`, http.StatusMethodNotAllowed}, // reports come from the gateway alone
		} {
			if w := s.request(tt.method, tt.path, tt.body); w.Code != tt.status {
				t.Errorf("%s %s %s = %d %s, want %d", tt.method, tt.path, tt.body, w.Code, w.Body, tt.status)
			}
		}
		for order, known := range map[string]bool{"o1": true, "o2": false} {
			if err := s.reports.report(s.t.Context(), "charge-"+order, "pay_1"); (err == nil) != known {
				t.Errorf("a report of a charge of %s: %v", order, err)
			}
		}
		if status := s.status("o1"); status != "pending" {
			t.Errorf("payment is %s after a report of a charge that nobody asked for, want pending", status)
		}
	})
}
