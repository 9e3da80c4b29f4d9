// Package listen serves HTTP for as long as a program runs.
package listen

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Server answers requests at one address.
type Server struct {
	listener net.Listener
	server   *http.Server
}

// On starts to listen at host:port, so that an address that is not free is found
// before anything else is started. Port 0 takes a free one.
func On(address string, h http.Handler, log *slog.Logger) (*Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("serve HTTP at %q: %w (choose another address)", address, err)
	}
	return &Server{listener, &http.Server{
		// Pages of other sites must not make a browser write here.
		Handler: http.NewCrossOriginProtection().Handler(h),
		// Whoever sends or reads too slowly must not hold a connection for ever.
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // what clients do wrong
	}}, nil
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
