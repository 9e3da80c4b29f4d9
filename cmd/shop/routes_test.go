package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Health is read only, and says so as the services' own routes do.
func TestHealthIsReadOnly(t *testing.T) {
	t.Parallel()
	rt := newRoutes(nil, nil, slog.New(slog.DiscardHandler))
	for _, path := range []string{"/healthz", "/readyz"} {
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, http.NoBody))
		if h := w.Header(); w.Code != http.StatusMethodNotAllowed || h.Get("Allow") != "GET, HEAD" || h.Get("Content-Type") != "application/problem+json" {
			t.Errorf("POST %s = %d %v, want 405 as a problem document", path, w.Code, h)
		}
	}
}
