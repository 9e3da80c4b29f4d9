package main

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/tutti-go/tutti/problem"
)

// proxy passes requests for a service on to the process that runs it.
func proxy(name, target string, log *slog.Logger) http.Handler {
	u, err := url.Parse(target)
	if err != nil {
		panic(err) // config.validate has checked it
	}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			r.Out.Host = r.In.Host // as the browser knows it
			r.SetXForwarded()
		},
		Transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			ResponseHeaderTimeout: 30 * time.Second,
			MaxIdleConnsPerHost:   64,
			IdleConnTimeout:       time.Minute,
		},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if large, ok := errors.AsType[*http.MaxBytesError](err); ok { // which the peer has not seen to its end
				problem.Write(w, r, problem.Large("body is over %d bytes", large.Limit))
				return
			}
			log.Debug("pass request on", "service", name, "error", err)
			problem.Write(w, r, problem.Unavailable(time.Second, "service %s does not answer at %s", name, u.Redacted()))
		},
	}
}
