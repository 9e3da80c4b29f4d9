package notification_test

import (
	"context"
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
	"github.com/tutti-go/tutti/shop/customerv1"
	"github.com/tutti-go/tutti/shop/gateway"
	"github.com/tutti-go/tutti/shop/notification"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/store"
)

// shop is notification with its mail provider and a stand-in for all other services, in
// virtual time.
type shop struct {
	t            *testing.T
	notification *service.Service
	others       *service.Service
	mail         *gateway.Mail
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
		mail, err := gateway.OpenMail(t.Context(), filepath.Join(dir, "gateway.db"), gateway.Config{Unsynced: true})
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
		n, stopNotification := run("notification", notification.Register(mail))
		o, stopOthers := run("others", func(s *service.Service) {
			event.Publishes[orderv1.Confirmed](s)
			event.Publishes[orderv1.Cancelled](s)
			event.Publishes[customerv1.Registered](s)
		})
		test(shop{t, n, o, mail})
		stopNotification()
		stopOthers()
		if err := mail.Close(); err != nil {
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
	s.notification.Handler().ServeHTTP(w, httptest.NewRequestWithContext(s.t.Context(), "GET", path, nil))
	return w
}

func TestMailsInTheService(t *testing.T) {
	inShop(t, func(s shop) {
		s.publish( // the other way round, as two instances of customer may send them
			customerv1.Registered{CustomerID: "c2", Email: "bob@bounce.example", Revision: 2},
			customerv1.Registered{CustomerID: "c2", Email: "bob@example.com", Revision: 1},
		)
		time.Sleep(time.Second)
		confirmed := orderv1.Confirmed{OrderID: "o1", CustomerID: "c1"}
		s.publish(confirmed, confirmed, orderv1.Cancelled{OrderID: "o2", CustomerID: "c2", Reason: "out of stock"})
		time.Sleep(time.Second)
		for path, want := range map[string]string{
			"/notifications?order=o1": `"id":"confirmed:o1","orderId":"o1","customerId":"c1","kind":"confirmed","status":"sent"`,
			"/notifications?order=o2": `"id":"cancelled:o2","orderId":"o2","customerId":"c2","kind":"cancelled","status":"failed"`,
			"/notifications?order=o3": `{"notifications":[]}`,
		} {
			if w := s.get(path); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
				t.Errorf("GET %s = %d %s, want it to have %s", path, w.Code, w.Body, want)
			}
		}
		for _, path := range []string{"/notifications", "/notifications?order=", "/notifications?order=a%00b"} {
			if w := s.get(path); w.Code != http.StatusBadRequest {
				t.Errorf("GET %s = %d %s, want 400", path, w.Code, w.Body)
			}
		}
		var mails int
		if err := s.mail.Ledger().QueryRow(s.t.Context(), `SELECT COUNT(*) FROM mails`).Scan(&mails); err != nil || mails != 1 {
			t.Errorf("%d mails were sent, %v, want 1", mails, err)
		}
	})
}
