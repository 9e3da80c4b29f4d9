package listen_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/internal/listen"
)

func TestRequestsUnderWayAreAnswered(t *testing.T) {
	arrived, answer := make(chan struct{}), make(chan struct{})
	srv := listening(t, "127.0.0.1:0", func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-answer
		_, _ = io.WriteString(w, "late, but there")
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx, time.Minute) }()
	got := make(chan string, 1)
	go func() {
		resp, err := http.Get(srv.URL())
		if err != nil {
			got <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		got <- string(body)
	}()
	<-arrived
	stop()
	close(answer)
	if body := <-got; body != "late, but there" {
		t.Errorf("answer %q, want the one that was under way", body)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run() = %v, want nil", err)
	}
}

func TestWhoHangsIsCutOff(t *testing.T) {
	arrived := make(chan struct{})
	srv := listening(t, "127.0.0.1:0", func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx, 10*time.Millisecond) }()
	go func() {
		if resp, err := http.Get(srv.URL()); err == nil {
			resp.Body.Close()
		}
	}()
	<-arrived
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run() = %v, want nil", err)
	}
}

// A connection that was opened in advance holds no stop up.
func TestStopWithUnusedConnection(t *testing.T) {
	srv := listening(t, "127.0.0.1:0", func(http.ResponseWriter, *http.Request) {})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx, time.Minute) }()
	c, err := net.Dial("tcp", strings.TrimPrefix(srv.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	resp, err := http.Get(srv.URL()) // so that the first is accepted
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	begin := time.Now()
	stop()
	if err := <-ended; err != nil || time.Since(begin) > 3*time.Second { // net/http takes 5
		t.Errorf("Run() = %v after %v, want nil at once", err, time.Since(begin))
	}
}

func TestAddressInUse(t *testing.T) {
	first := listening(t, "127.0.0.1:0", nil)
	defer first.Close()
	for _, address := range []string{strings.TrimPrefix(first.URL(), "http://"), "", "nowhere", "127.0.0.1:99999"} {
		srv, err := listen.On(address, nil, slog.New(slog.DiscardHandler))
		if address == "" { // net/http takes it for port 80, which tests may not have
			if err == nil {
				srv.Close()
			}
			continue
		}
		if err == nil {
			srv.Close()
			t.Errorf("On(%q) = nil, want an error", address)
		}
	}
}

func listening(t *testing.T, address string, h http.HandlerFunc) *listen.Server {
	t.Helper()
	srv, err := listen.On(address, h, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return srv
}
