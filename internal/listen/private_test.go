package listen

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestPrivate(t *testing.T) {
	s, err := Private(":0", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") }), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(s.URL(), "http://127.0.0.1:") {
		t.Errorf("an address without a host is %s, want this machine's alone", s.URL())
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, time.Second) }()
	for host, want := range map[string]int{"": 200, "localhost": 200, "localhost:9090": 200, "[::1]:80": 200, "evil.example": 421, "evil.example:9090": 421} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if host != "" {
			r.Host = host
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("Host %q = %s, want %d", host, resp.Status, want)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestPrivateSaysWhenItIsNot(t *testing.T) {
	var said strings.Builder
	s, err := Private("0.0.0.0:0", http.NotFoundHandler(), slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !strings.Contains(said.String(), "other machines") {
		t.Errorf("it says %q, want a warning", said.String())
	}
}
