package problem_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/problem"
)

func TestWrite(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		detail string
	}{
		{problem.BadRequest("no %s", "id"), 400, "no id"},
		{fmt.Errorf("get order: %w", problem.NotFound("order 7")), 404, "get order: order 7"},
		{problem.Conflict("too late"), 409, "too late"},
		{problem.Large("over 5 bytes"), 413, "over 5 bytes"},
		{problem.Unprocessable("no"), 422, "no"},
		{problem.Unavailable(1500*time.Millisecond, "starting"), 503, "starting"},
		{errors.New("secret: password is x"), 500, "fault in the service"},
	} {
		w := httptest.NewRecorder()
		problem.Write(w, httptest.NewRequest(http.MethodGet, "/a?token=x", nil), c.err)
		var doc problem.Document
		if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		if w.Code != c.status || doc.Status != c.status || !strings.Contains(doc.Detail, c.detail) || doc.Instance != "/a" ||
			w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("Write(%v) = %d %+v, want %d with %q", c.err, w.Code, doc, c.status, c.detail)
		}
		if c.status == 503 && w.Header().Get("Retry-After") != "2" {
			t.Errorf("Retry-After is %q, want 1.5 s rounded up to 2", w.Header().Get("Retry-After"))
		}
		if strings.Contains(w.Body.String(), "secret") {
			t.Error("the text of an error without a kind is shown")
		}
	}
}

func TestMux(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /things/{id}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.PathValue("id")) })
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/things/7", 200, "7"}, {"GET", "/other", 404, "application"}, {"DELETE", "/things/7", 405, "DELETE is not one"}, {"GET", "/a/../things/7", 307, ""},
	} {
		w := httptest.NewRecorder()
		problem.Mux(mux).ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		body := w.Header().Get("Content-Type") + w.Body.String()
		if w.Code != c.status || !strings.Contains(body, c.body) {
			t.Errorf("%s %s = %d %s, want %d with %q", c.method, c.path, w.Code, body, c.status, c.body)
		}
		if c.status == 405 && w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("Allow is %q, want GET, HEAD", w.Header().Get("Allow"))
		}
	}
}
