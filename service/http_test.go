package service_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/service"
)

// An answer that has begun and fails is cut off: what follows, and how it ends, would be
// taken for a part of it, and for its end.
func TestAnswerFailsOnTheWay(t *testing.T) {
	s := service.New("web", cluster(t), service.Config{Logger: slog.New(slog.DiscardHandler)})
	for path, fail := range map[string]func(w http.ResponseWriter) error{
		"written": func(w http.ResponseWriter) error {
			_, _ = io.WriteString(w, "one,two\n")
			return errors.New("the rest cannot be read")
		},
		"flushed": func(w http.ResponseWriter) error {
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			return errors.New("nothing can be read")
		},
		"panics": func(w http.ResponseWriter) error {
			w.WriteHeader(http.StatusAccepted)
			panic("on the way")
		},
	} {
		s.Handle("GET /"+path, func(w http.ResponseWriter, _ *http.Request) error { return fail(w) })
	}
	s.Handle("GET /hints", func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusEarlyHints)
		return errors.New("it has not begun")
	})
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	get := func(path string) (status int, body string, err error) {
		resp, err := http.Get(server.URL + path)
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text), err
	}
	for _, path := range []string{"/written", "/flushed", "/panics"} {
		if status, body, err := get(path); err == nil {
			t.Errorf("GET %s = %d %q, want it to fail", path, status, body)
		}
	}
	if status, body, err := get("/hints"); err != nil || status != http.StatusInternalServerError {
		t.Errorf("GET /hints = %d %q, error %v, want 500", status, body, err)
	}
}

// Whoever sends too much reads the refusal: the server is told that it is to end the
// connection after that, and not while they still send.
func TestTooLargeABodyEndsTheConnection(t *testing.T) {
	s := service.New("web", cluster(t), service.Config{Logger: slog.New(slog.DiscardHandler)})
	s.Handle("POST /notes", func(w http.ResponseWriter, r *http.Request) error {
		var note string
		return service.ReadJSON(w, r, &note)
	})
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	resp, err := http.Post(server.URL+"/notes", "application/json", strings.NewReader(strings.Repeat("x", service.MaxBody+1)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge || !resp.Close {
		t.Errorf("the answer is %s, and the connection ends: %v, want 413 and that it does", resp.Status, resp.Close)
	}
}

// A handler may take the connection over, as those of web sockets do.
func TestHijack(t *testing.T) {
	s := service.New("web", cluster(t), service.Config{Logger: slog.New(slog.DiscardHandler)})
	s.Handle("GET /raw", func(w http.ResponseWriter, _ *http.Request) error {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return err
		}
		_, err = io.WriteString(conn, "HTTP/1.0 200 OK\r\n\r\nraw")
		return errors.Join(err, conn.Close())
	})
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	resp, err := http.Get(server.URL + "/raw")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "raw" {
		t.Errorf("the answer is %q, %v, want what the handler wrote", text, err)
	}
}
