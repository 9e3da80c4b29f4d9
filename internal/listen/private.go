package listen

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
)

// Private is On for an interface that is not for everybody: an address without a
// host is of this machine alone, and there, requests under a name that a web page
// could have given to 127.0.0.1 are refused.
func Private(address string, h http.Handler, log *slog.Logger) (*Server, error) {
	if strings.HasPrefix(address, ":") {
		address = "127.0.0.1" + address
	}
	s, err := On(address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if local := r.Context().Value(http.LocalAddrContextKey); isLoopback(fmt.Sprint(local)) && !ours(r.Host) {
			http.Error(w, "ask for 127.0.0.1 or localhost", http.StatusMisdirectedRequest)
			return
		}
		h.ServeHTTP(w, r)
	}), log)
	if err == nil && !isLoopback(s.listener.Addr().String()) {
		log.Warn("the admin interface can be reached from other machines, and asks nobody who they are", "admin", s.URL())
	}
	return s, err
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}

// ours reports whether a Host header names this machine: by an address, which no
// name can stand for, or as localhost.
func ours(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return host == "localhost" || net.ParseIP(strings.Trim(host, "[]")) != nil
}
