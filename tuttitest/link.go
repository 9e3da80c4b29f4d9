package tuttitest

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net"
	"sync"
	"time"

	"github.com/tutti-go/tutti/kafka"
)

// link is the network between one instance and the broker. Each instance has one
// of its own, so that it can be cut off alone.
type link struct {
	net *kafka.Network

	mu      sync.Mutex
	conns   map[*conn]bool
	cut     bool
	latency time.Duration
	damage  int // answers with records to damage
}

var (
	errCut    = errors.New("the test cut this service off")
	errClosed = errors.New("connection closed")
)

func newLink(n *kafka.Network) *link { return &link{net: n, conns: map[*conn]bool{}} }

func (l *link) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if l.isCut() {
		return nil, errCut
	}
	raw, err := l.net.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, l: l, closed: make(chan struct{})}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		_ = raw.Close() // nothing was sent on it yet
		return nil, errCut
	}
	l.conns[c] = true
	return c, nil
}

func (l *link) isCut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut
}

// setCut refuses new connections, or accepts them again.
func (l *link) setCut(cut bool) {
	l.mu.Lock()
	l.cut = cut
	l.mu.Unlock()
	if cut {
		l.drop()
	}
}

// drop closes the connections that there are.
func (l *link) drop() {
	l.mu.Lock()
	conns := l.conns
	l.conns = map[*conn]bool{}
	l.mu.Unlock()
	for c := range conns {
		_ = c.Close() // it is to be gone; nobody can be told more
	}
}

// slow holds back what is sent to the broker.
func (l *link) slow(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.latency = d
}

// garble damages the records in the next n answers that hold any.
func (l *link) garble(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.damage += n
}

// conn is a connection with the faults of its link.
type conn struct {
	net.Conn
	l      *link
	once   sync.Once
	closed chan struct{}
}

func (c *conn) Close() error {
	c.once.Do(func() { close(c.closed) })
	c.l.mu.Lock()
	delete(c.l.conns, c)
	c.l.mu.Unlock()
	return c.Conn.Close()
}

func (c *conn) Write(b []byte) (int, error) {
	c.l.mu.Lock()
	d := c.l.latency
	c.l.mu.Unlock()
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.closed:
			return 0, errClosed
		}
	}
	return c.Conn.Write(b)
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	if c.l.damage > 0 && damageRecords(b[:n]) {
		c.l.damage--
	}
	return n, err
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// damageRecords flips a bit in the first batch of records that b holds whole
// (Kafka's record batch, magic 2: the length is at 8, the magic byte at 16, the
// CRC at 17 and what it covers from 21 on).
func damageRecords(b []byte) bool {
	for i := 0; i+61 < len(b); i++ {
		if b[i+16] != 2 {
			continue
		}
		end := i + 12 + int(int32(binary.BigEndian.Uint32(b[i+8:])))
		if end <= i+61 || end > len(b) {
			continue
		}
		if crc32.Checksum(b[i+21:end], castagnoli) == binary.BigEndian.Uint32(b[i+17:]) {
			b[(i+21+end)/2] ^= 0x10
			return true
		}
	}
	return false
}
