package bus

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tutti-go/tutti/kafka"
)

// slow is a connection of a machine that has little time for us.
type slow struct{ net.Conn }

func (c slow) Write(b []byte) (int, error) {
	time.Sleep(3 * time.Second)
	return c.Conn.Write(b)
}

// A machine that needs longer to connect than the first attempts take connects all the
// same.
func TestConnectsSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network kafka.Network
		broker, err := kafka.Embed(kafka.BrokerConfig{Network: &network, Port: 9092})
		if err != nil {
			t.Fatal(err)
		}
		defer broker.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		b, err := patiently(ctx, kafka.Config{
			Brokers: broker.Addrs(), Logger: slog.New(slog.DiscardHandler),
			Dial: func(ctx context.Context, kind, address string) (net.Conn, error) {
				c, err := network.DialContext(ctx, kind, address)
				return slow{c}, err
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		b.Close()
	})
}
