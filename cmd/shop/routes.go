package main

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/service"
)

// routes serves all services at one address: those of this process directly, and
// others through a proxy.
type routes struct {
	local map[string]*service.Service
	peers map[string]http.Handler
}

func newRoutes(services []*service.Service, peers map[string]string, log *slog.Logger) *routes {
	rt := &routes{local: map[string]*service.Service{}, peers: map[string]http.Handler{}}
	for _, s := range services {
		rt.local[s.Name()] = s
	}
	for name, text := range peers {
		rt.peers[name] = proxy(name, text, log)
	}
	return rt
}

func (rt *routes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rt == nil {
		starting(w, r)
		return
	}
	switch r.URL.Path {
	case "/healthz":
		// A service that ends takes the process with it: who answers is alive.
		rt.well(w, r, func(service.Status) bool { return true })
		return
	case "/readyz":
		rt.well(w, r, func(s service.Status) bool { return s.Ready })
		return
	}
	name := owner(r.URL.Path)
	if s := rt.local[name]; s != nil {
		select {
		case <-s.Ready():
			s.Handler().ServeHTTP(w, r)
		default:
			problem.Write(w, r, problem.Unavailable(time.Second, "service %s is starting", name))
		}
		return
	}
	if peer := rt.peers[name]; peer != nil {
		peer.ServeHTTP(w, r)
		return
	}
	problem.Write(w, r, problem.Unavailable(time.Minute,
		"service %s does not run in this process; start it with --peer %s=http://host:port to pass its requests on", name, name))
}

// starting answers while the parts are being opened, which may wait for Kafka and the
// databases.
func starting(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/healthz":
		_ = service.WriteJSON(w, http.StatusOK, health{true, []service.Status{}}) // it can be encoded
	case "/readyz":
		_ = service.WriteJSON(w, http.StatusServiceUnavailable, health{Services: []service.Status{}})
	default:
		problem.Write(w, r, problem.Unavailable(time.Second, "the shop is starting; if it takes long, its log says what it waits for"))
	}
}

// health is how the services of this process are.
type health struct {
	OK       bool             `json:"ok"`
	Services []service.Status `json:"services"`
}

// owner is the service that serves a path: all but storefront have a first segment
// of their own.
func owner(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	for _, k := range kinds {
		if k.segment != "" && k.segment == first {
			return k.name
		}
	}
	return "storefront"
}

// well answers 200 if all services of this process are, and 503 otherwise.
func (rt *routes) well(w http.ResponseWriter, r *http.Request, well func(service.Status) bool) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		problem.WriteNotAllowed(w, r, "GET, HEAD")
		return
	}
	status, answer := http.StatusOK, health{OK: true}
	for _, k := range kinds {
		s := rt.local[k.name]
		if s == nil {
			continue
		}
		st := s.Status()
		if !well(st) {
			status, answer.OK = http.StatusServiceUnavailable, false
		}
		answer.Services = append(answer.Services, st)
	}
	w.Header().Set("Cache-Control", "no-store")
	if err := service.WriteJSON(w, status, answer); err != nil {
		problem.Write(w, r, err)
	}
}
