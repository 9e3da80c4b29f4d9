package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/service"
)

// Whoever sends too much is told so, as by the service itself, and not to try again.
func TestPeerAndLargeBodies(t *testing.T) {
	t.Parallel()
	peer := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer peer.Close()
	front := httptest.NewServer(http.MaxBytesHandler(proxy("order", peer.URL, slog.New(slog.DiscardHandler)), service.MaxBody))
	defer front.Close()
	for size, want := range map[int]int{service.MaxBody: http.StatusOK, service.MaxBody + 1: http.StatusRequestEntityTooLarge, 3 * service.MaxBody: http.StatusRequestEntityTooLarge} {
		answer, err := http.Post(front.URL+"/orders", "application/json", strings.NewReader(strings.Repeat(" ", size)))
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("a body of %d bytes: %d, want %d", size, answer.StatusCode, want)
		}
	}
}
