package shipping_test

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
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/paymentv1"
	"github.com/tutti-go/tutti/shop/shipping"
	"github.com/tutti-go/tutti/store"
)

// shop is shipping with its carrier and a stand-in for all other services, in
// virtual time.
type shop struct {
	t        *testing.T
	shipping *service.Service
	others   *service.Service
	carrier  *gateway.Carrier
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
		carrier, err := gateway.OpenCarrier(t.Context(), filepath.Join(dir, "gateway.db"), gateway.Config{Unsynced: true})
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
		sh, stopShipping := run("shipping", shipping.Register(carrier))
		o, stopOthers := run("others", func(s *service.Service) {
			event.Publishes[orderv1.Placed](s)
			event.Publishes[orderv1.CancellationRequested](s)
			event.Publishes[paymentv1.Completed](s)
		})
		test(shop{t, sh, o, carrier})
		stopShipping()
		stopOthers()
		if err := carrier.Close(); err != nil {
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

func (s shop) get(path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.shipping.Handler().ServeHTTP(w, httptest.NewRequestWithContext(s.t.Context(), "GET", path, nil))
	return w
}

// booked is how many deliveries of an order the carrier has in its books.
func (s shop) booked(order string) (n int) {
	s.t.Helper()
	err := s.carrier.Ledger().QueryRow(s.t.Context(), `SELECT COUNT(*) FROM bookings WHERE order_id = $1 AND calls > 0 AND called_off = 0`, order).Scan(&n)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func TestAddressesInTheService(t *testing.T) {
	for _, tt := range []struct {
		city    string
		stopped time.Duration // after the order; 0: never
		status  string
		booked  int
	}{
		{"Leeds", 0, "scheduled", 1},
		{"Nowhere", 0, "unavailable", 0},
		{"Slowtown", 0, "scheduled", 1},
		{"Timeout", 0, "scheduled", 1},
		{"Leeds", 5 * time.Second, "unavailable", 0},
		{"Nowhere", 5 * time.Second, "unavailable", 0},
		{"Slowtown", time.Second, "unavailable", 0},
		{"Timeout", time.Second, "unavailable", 0},
	} {
		t.Run(fmt.Sprint(tt.city, " ", tt.stopped), func(t *testing.T) {
			inShop(t, func(s shop) {
				s.publish(
					orderv1.Placed{OrderID: "o1", Total: 500, Address: orderv1.Address{Name: "Ann", City: tt.city}},
					paymentv1.Completed{OrderID: "o1", PaymentID: "pay_1", Amount: 500},
				)
				if tt.stopped > 0 {
					time.Sleep(tt.stopped)
					s.publish(orderv1.CancellationRequested{OrderID: "o1", Reason: "changed my mind"})
				}
				time.Sleep(40 * time.Second)
				w := s.get("/shipments/o1")
				var v struct {
					Status  string
					Address orderv1.Address
				}
				if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil || w.Code != http.StatusOK {
					t.Fatalf("GET /shipments/o1 = %d %s", w.Code, w.Body)
				}
				if v.Status != tt.status || v.Address.City != tt.city || s.booked("o1") != tt.booked {
					t.Errorf("delivery is %+v, and %d are booked, want %s and %d", v, s.booked("o1"), tt.status, tt.booked)
				}
			})
		})
	}
}

func TestRoutes(t *testing.T) {
	inShop(t, func(s shop) {
		s.publish(paymentv1.Completed{OrderID: "o1"})
		time.Sleep(time.Second)
		for path, want := range map[string]int{
			"/shipments/o1":                          http.StatusOK, // paid, but its address is not known yet
			"/shipments/o2":                          http.StatusNotFound,
			"/shipments/a%00b":                       http.StatusNotFound,
			"/shipments/" + strings.Repeat("x", 129): http.StatusNotFound,
		} {
			if w := s.get(path); w.Code != want {
				t.Errorf("GET %s = %d %s, want %d", path, w.Code, w.Body, want)
			}
		}
	})
}
