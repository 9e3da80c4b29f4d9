package service

import (
	"context"
	"net/http"
	"regexp"

	"github.com/tutti-go/tutti/event"
)

type causeKey struct{}

// withCause lets writes made under ctx carry a cause.
func withCause(ctx context.Context, c event.Cause) context.Context {
	return context.WithValue(ctx, causeKey{}, c)
}

func causeOf(ctx context.Context) event.Cause {
	c, _ := ctx.Value(causeKey{}).(event.Cause)
	return c
}

// traceparent is the format of W3C trace context, level 1, section 3.2.
var traceparent = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

// traced passes the request's trace context on to what its handler writes.
func traced(r *http.Request) *http.Request {
	parent := r.Header.Get("Traceparent")
	if parent == "" || !traceparent.MatchString(parent) {
		return r
	}
	state := r.Header.Get("Tracestate")
	if len(state) > 512 {
		state = ""
	}
	return r.WithContext(withCause(r.Context(), event.Cause{TraceParent: parent, TraceState: state}))
}
