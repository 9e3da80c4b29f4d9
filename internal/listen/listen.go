// Package listen serves HTTP for as long as a program runs.
package listen

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Server answers requests at one address.
type Server struct {
	listener net.Listener
	server   *http.Server

	mu     sync.Mutex
	unused map[net.Conn]bool // connections on which nothing was asked yet
}

// straggle is how long a stop waits for the request of a connection that is open.
// Browsers and Go's own client open some in advance that they never use, and
// net/http would wait five seconds for each.
const straggle = 100 * time.Millisecond

// On starts to listen at host:port, so that an address that is not free is found
// before anything else is started. Port 0 takes a free one.
func On(address string, h http.Handler, log *slog.Logger) (*Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("serve HTTP at %q: %w (choose another address; port 0 takes a free one)", address, err)
	}
	s := &Server{listener: listener, unused: map[net.Conn]bool{}}
	s.server = &http.Server{
		// Pages of other sites must not make a browser write here.
		Handler: http.NewCrossOriginProtection().Handler(h),
		// Whoever sends or reads too slowly must not hold a connection for ever.
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // what clients do wrong
		ConnState:         s.note,
	}
	return s, nil
}

func (s *Server) note(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state == http.StateNew {
		s.unused[c] = true
	} else {
		delete(s.unused, c)
	}
}

func (s *Server) closeUnused() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.unused {
		_ = c.Close() // nothing was asked on it, so nothing is lost
	}
}

// URL is where the server answers.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Run answers requests until ctx ends; then it takes no more, and gives those
// under way the time of drain to be answered.
func (s *Server) Run(ctx context.Context, drain time.Duration) error {
	ended := make(chan error, 1)
	go func() { ended <- s.server.Serve(s.listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve HTTP at %s: %w", s.URL(), err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	defer time.AfterFunc(straggle, s.closeUnused).Stop()
	if err := s.server.Shutdown(stopping); err != nil {
		if !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("stop serving HTTP: %w", err)
		}
		_ = s.server.Close() // who has not got an answer by now gets none
	}
	return nil
}

// Close gives up an address that Run was never called for.
func (s *Server) Close() error { return s.listener.Close() }
