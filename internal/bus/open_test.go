package bus

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
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

// Where connections are refused at once, one tries again with pauses, and says so now
// and then.
func TestWaitsWithPauses(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var log bytes.Buffer
	var dials atomic.Int64 // by several goroutines of the client
	_, err := patiently(ctx, kafka.Config{
		Brokers: []string{"127.0.0.1:1"}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Dial: func(context.Context, string, string) (net.Conn, error) {
			dials.Add(1)
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		},
	})
	if err == nil {
		t.Error("connected to nobody")
	}
	if said := strings.Count(log.String(), "waiting for Kafka"); dials.Load() > 20 || said != 1 {
		t.Errorf("dialled %d times in two seconds, and said so %d times", dials.Load(), said)
	}
}

// One that hangs up may be a proxy before brokers that are starting. If it goes on so, it
// is a broker that wants something else, and one is told.
func TestConnectsBehindAProxy(t *testing.T) {
	for name, hangsUpFor := range map[string]time.Duration{"until the broker is there": 10 * time.Second, "for good": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var network kafka.Network
				broker, err := kafka.Embed(kafka.BrokerConfig{Network: &network, Port: 9092})
				if err != nil {
					t.Fatal(err)
				}
				defer broker.Close()
				begun := time.Now()
				b, err := patiently(t.Context(), kafka.Config{
					Brokers: broker.Addrs(), Logger: slog.New(slog.DiscardHandler),
					Dial: func(ctx context.Context, kind, address string) (net.Conn, error) {
						if time.Since(begun) > hangsUpFor {
							return network.DialContext(ctx, kind, address)
						}
						ours, theirs := net.Pipe()
						go func() {
							_, _ = theirs.Read(make([]byte, 4096))
							theirs.Close()
						}()
						return ours, nil
					},
				})
				if err == nil {
					b.Close()
				}
				if forGood := hangsUpFor == time.Hour; forGood != errors.Is(err, kafka.ErrSecurity) || !forGood && err != nil || time.Since(begun) > time.Minute {
					t.Errorf("patiently() = %v after %v", err, time.Since(begun))
				}
			})
		})
	}
}
