package service_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

// away is a service whose PostgreSQL is to be at an address, and how it ends.
func away(t *testing.T, dsn string) (s *service.Service, stop func() error) {
	t.Helper()
	var log logged
	s = service.New("away", cluster(t), service.Config{Database: dsn, Logger: log.logger()})
	echo(s)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	eventually(t, s, "it waits, is not ready and says so", func() bool {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		return w.Code == http.StatusServiceUnavailable && strings.Contains(w.Body.String(), "the database does not work") &&
			log.has("the database is away; the service starts when it is there")
	})
	if err := s.Write(t.Context(), one(0)); problem.KindOf(err) != problem.Down {
		t.Errorf("Write() before the start = %v, want kind %v", err, problem.Down)
	}
	return s, func() error { cancel(); return <-ended }
}

// TestDatabaseAwayAtStart: a service that finds no database waits for it, as it does for
// a broker, and can be stopped meanwhile.
func TestDatabaseAwayAtStart(t *testing.T) {
	_, stop := away(t, "postgres://nobody@"+freeAddress(t)+"/none")
	if err := stop(); err != nil {
		t.Errorf("stop of a service that waits: %v", err)
	}
}

// TestDatabaseStartsLater: once it is there, the service starts.
func TestDatabaseStartsLater(t *testing.T) {
	if os.Getenv("TUTTI_POSTGRES") == "" {
		t.Skip("TUTTI_POSTGRES names no PostgreSQL: see scripts/postgres")
	}
	u, err := url.Parse(tuttitest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	server := u.Host
	u.Host = freeAddress(t)
	s, stop := away(t, u.String())
	listener, err := net.Listen("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go forward(listener, server)
	eventually(t, s, "it is ready", func() bool { return s.Status().Ready })
	if err := s.Write(t.Context(), one(1)); err != nil {
		t.Error(err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	// What will not be mended by waiting ends it at once.
	u.Host, u.Path = server, "/no_such_database"
	s = service.New("away", cluster(t), service.Config{Database: u.String()})
	if err := s.Run(t.Context()); err == nil || store.Away(err) {
		t.Errorf("Run() without its database = %v, want an error that waiting does not mend", err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// forward passes connections on to a server, until the listener is closed.
func forward(from net.Listener, server string) {
	for {
		in, err := from.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		out, err := net.Dial("tcp", server)
		if err != nil {
			in.Close()
			continue
		}
		go func() { _, _ = io.Copy(out, in); out.Close() }() // whoever hangs up ends both
		go func() { _, _ = io.Copy(in, out); in.Close() }()
	}
}
