package kafka_test

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
)

// TestSendWhileCutOff: where connections fail from the moment on that a producer asks
// who it is, its record fails or waits, at its leisure. It is sent when they work again.
func TestSendWhileCutOff(t *testing.T) {
	for name, err := range map[string]error{
		"dial fails": errors.New("cut off"), // so do a TLS handshake and a login
		"refused":    &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { sendWhileCutOff(t, err) }) })
	}
}

// cutNetwork is a network that can be cut, for a time.
type cutNetwork struct {
	kafka.Network
	err error // of connections, meanwhile

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
	tries int // to connect, meanwhile
}

const mostTries = 1000

func (n *cutNetwork) dial(ctx context.Context, network, address string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut {
		if n.tries++; n.tries == mostTries {
			n.cut = false // one that tries without a pause would be at it for ever: no time passes
		}
		return nil, n.err
	}
	c, err := n.DialContext(ctx, network, address)
	if err == nil {
		n.conns = append(n.conns, c)
	}
	return c, err
}

func (n *cutNetwork) cutFor(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = true
	for _, c := range n.conns {
		_ = c.Close() // it is to be gone
	}
	time.AfterFunc(d, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.cut = false
	})
}

func sendWhileCutOff(t *testing.T, err error) {
	const outage = time.Minute
	network := &cutNetwork{err: err}
	broker, err := kafka.Embed(kafka.BrokerConfig{Network: &network.Network, Port: 9092})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	bus, err := kafka.Connect(t.Context(), kafka.Config{Brokers: broker.Addrs(), Dial: network.dial})
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	to := event.Partition{Topic: "t"}
	if err := bus.EnsureTopics(t.Context(), []event.Topic{{Name: to.Topic}}); err != nil {
		t.Fatal(err)
	}
	broker.Cluster().ControlKey(int16(kmsg.InitProducerID), func(kmsg.Request) (kmsg.Response, error, bool) {
		network.cutFor(outage)
		return nil, nil, true
	})
	p, err := bus.Producer("cut-off")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()

	begin := time.Now()
	for {
		answered := make(chan error, 1)
		p.Send(t.Context(), to, event.Record{Value: []byte("x")}, func(_ int64, err error) { answered <- err })
		if err = <-answered; err == nil || time.Since(begin) > 2*outage {
			break
		}
		time.Sleep(time.Second)
	}
	took := time.Since(begin)
	if err != nil || took < outage {
		t.Errorf("Send() = %v after %v, want it done after %v", err, took, outage)
	}
	if network.tries >= mostTries {
		t.Errorf("the client tried to connect %d times while it was cut off", network.tries)
	}
	if end := broker.Ends([]string{to.Topic})[to]; end != 1 {
		t.Errorf("the log ends at %d, want one record", end)
	}
}
