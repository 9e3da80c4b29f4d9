package service

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/store"
)

// HandlerFunc serves a request. An error it returns becomes a problem document by
// its kind (RFC 9457); errors of no kind are logged and hidden from the client, and that of
// a database that does not work is 503. One that comes once the answer has begun cuts the
// answer off, so that nobody takes it for whole.
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// Handle serves a pattern of net/http's ServeMux, as in "GET /orders/{id}".
func (s *Service) Handle(pattern string, h HandlerFunc) {
	s.patterns = append(s.patterns, pattern)
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		r = traced(r)
		a := &answer{ResponseWriter: w}
		err := safely(func() error { return h(a, r) })
		if err == nil {
			return
		}
		if (a.begun || problem.KindOf(err) == problem.Internal) && r.Context().Err() == nil {
			s.log.Error("serve request", "method", r.Method, "path", r.URL.Path, "error", err)
			if errors.Is(err, store.ErrUnavailable) { // no fault of the service
				err = problem.Unavailable(time.Second, "the database of %s does not answer", s.name)
			}
		}
		if a.begun {
			panic(http.ErrAbortHandler)
		}
		problem.Write(w, r, err)
	})
}

// answer notes that an answer has begun: it can be no problem document any more.
type answer struct {
	http.ResponseWriter
	begun bool
}

// Unwrap implements what [http.ResponseController] looks for.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) WriteHeader(status int) {
	a.begun = a.begun || status >= http.StatusOK // those before are no answer yet
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	a.begun = true
	return a.ResponseWriter.Write(b)
}

// Flush implements [http.Flusher].
func (a *answer) Flush() {
	a.begun = true
	_ = http.NewResponseController(a.ResponseWriter).Flush() // whoever can flush does
}

// Hijack implements [http.Hijacker].
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	a.begun = true
	return http.NewResponseController(a.ResponseWriter).Hijack()
}

// bare is the writer of net/http's own server: that is the only one to which
// [http.MaxBytesReader] can say that a body is too large. The connection then ends once
// the caller has read the answer, and not while it still sends.
func bare(w http.ResponseWriter) http.ResponseWriter {
	if a, ok := w.(*answer); ok {
		return a.ResponseWriter
	}
	return w
}

// Handler serves the service's routes.
func (s *Service) Handler() http.Handler { return problem.Mux(s.mux) }

// HandlerOf serves the routes of several services at one address. /healthz and /readyz
// are those of all: they answer 503 if one of them does. It panics where two services
// serve the same.
func HandlerOf(services ...*Service) http.Handler {
	if len(services) == 1 {
		return services[0].Handler()
	}
	mux := http.NewServeMux()
	for _, s := range services {
		for _, pattern := range s.patterns {
			if pattern != healthPattern && pattern != readyPattern {
				mux.Handle(pattern, s.mux)
			}
		}
	}
	mux.HandleFunc(healthPattern, healthOf(services, (*Service).alive))
	mux.HandleFunc(readyPattern, healthOf(services, func(s *Service) bool { return s.Status().Ready }))
	return problem.Mux(mux)
}

// WriteJSON answers with v. Values that cannot be encoded are a fault of ours.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client is gone if this fails
	return nil
}
