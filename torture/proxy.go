package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// proxy stands between services and a broker, and can cut what is between them.
type proxy struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	open  chan struct{} // closed while bytes may pass
	dead  bool          // connections are refused
	conns map[net.Conn]bool
}

// listenProxy passes what comes to address on to target.
func listenProxy(address, target string) (*proxy, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for the proxy of %s: %w", target, err)
	}
	p := &proxy{listener: l, target: target, open: make(chan struct{}), conns: map[net.Conn]bool{}}
	close(p.open)
	go p.accept()
	return p, nil
}

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		go p.serve(c)
	}
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	if !p.enter(client) {
		return
	}
	defer p.leave(client)
	broker, err := net.Dial("tcp", p.target)
	if err != nil || !p.enter(broker) {
		return
	}
	defer p.leave(broker)
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{client, broker}, {broker, client}} {
		go func() {
			p.pass(way[0], way[1])
			done <- struct{}{}
		}()
	}
	<-done // the other one ends as both are closed
}

// pass copies bytes. While the network is silent they wait, as TCP would send them
// again.
func (p *proxy) pass(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		open := p.open
		p.mu.Unlock()
		<-open
		if _, failed := to.Write(buf[:n]); failed != nil || err != nil {
			return
		}
	}
}

// enter notes a connection, unless they are refused.
func (p *proxy) enter(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return false
	}
	p.conns[c] = true
	return true
}

func (p *proxy) leave(c net.Conn) {
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
	_ = c.Close() // it is of no more use
}

// silence lets nothing pass: no byte, and no end of a connection.
func (p *proxy) silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = make(chan struct{})
}

// refuse breaks all connections and takes no new ones.
func (p *proxy) refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
	for c := range p.conns {
		_ = c.Close() // which is the aim
	}
}

// heal undoes both.
func (p *proxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = false
	select {
	case <-p.open:
	default:
		close(p.open)
	}
}

// close ends the proxy and all connections through it.
func (p *proxy) close() error {
	err := p.listener.Close()
	p.refuse()
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.open:
	default:
		close(p.open)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
