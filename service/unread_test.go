package service_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// TestRequestReadsNothing: who reads while the database does not work is told to come
// again, and not that the service is at fault.
func TestRequestReadsNothing(t *testing.T) {
	t.Parallel()
	s := service.New("reads", cluster(t), service.Config{Logger: slog.New(slog.DiscardHandler)})
	s.Handle("GET /things", func(http.ResponseWriter, *http.Request) error {
		return fmt.Errorf("find things: %w", store.ErrUnavailable)
	})
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/things", nil))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("the answer is %d, %s, want 503 with Retry-After", w.Code, w.Body)
	}
}
