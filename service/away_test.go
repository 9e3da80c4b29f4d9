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

// behind is the URL of a database at an address where nobody listens yet, and where its
// server does.
func behind(t *testing.T) (u *url.URL, server string) {
	t.Helper()
	if os.Getenv("TUTTI_POSTGRES") == "" {
		t.Skip("TUTTI_POSTGRES names no PostgreSQL: see scripts/postgres")
	}
	u, err := url.Parse(tuttitest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	server, u.Host = u.Host, freeAddress(t)
	return u, server
}

// TestDatabaseStartsLater: once it is there, the service starts.
func TestDatabaseStartsLater(t *testing.T) {
	u, server := behind(t)
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

// TestDatabaseGoesAwayBeforeKafkaComes: a service that has found its database, and waits
// for a broker, waits for both where the database has gone away meanwhile.
func TestDatabaseGoesAwayBeforeKafkaComes(t *testing.T) {
	u, server := behind(t)
	open := func() net.Listener {
		l, err := net.Listen("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		go forward(l, server)
		return l
	}
	gate := open()
	bus, embed := brokerGone(t)
	var log logged
	s := service.New("both", bus, service.Config{Database: u.String(), Logger: log.logger()})
	echo(s)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	eventually(t, s, "it waits for Kafka", func() bool { return log.has("Kafka does not answer; the service starts when it does") })
	gate.Close()
	killer, err := store.Open(t.Context(), tuttitest.Postgres(t), store.Config{Owner: "killer"})
	if err != nil {
		t.Fatal(err)
	}
	defer killer.Close()
	if err := killer.Reader().QueryRow(t.Context(), `SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'both'`).Scan(new(int)); err != nil {
		t.Fatal(err)
	}
	broker := embed()
	defer broker.Close()
	eventually(t, s, "it waits for the database", func() bool {
		select {
		case err := <-ended:
			t.Fatalf("Run() = %v while the database was away", err)
		default:
		}
		return log.has("the database is away; the service starts when it is there")
	})
	defer open().Close()
	eventually(t, s, "it is ready", func() bool { return s.Status().Ready })
	if err := s.Write(t.Context(), one(1)); err != nil {
		t.Error(err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
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
