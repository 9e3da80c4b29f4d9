package problem

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Kind classifies an error by what the caller can do about it.
type Kind uint8

// The kinds, each with its HTTP status.
const (
	Internal     Kind = iota // 500: a fault of ours
	Invalid                  // 400: the request is wrong in itself
	Missing                  // 404: what it names does not exist
	Clash                    // 409: the state does not allow it
	TooLarge                 // 413: over a limit
	Unacceptable             // 422: understood, and against a rule
	Throttled                // 429: too many requests
	Down                     // 503: cannot be done now, try again
	NotAllowed               // 405: the resource has no such method
)

var kinds = map[Kind]struct {
	status int
	title  string
}{
	Internal:     {http.StatusInternalServerError, "Internal error"},
	Invalid:      {http.StatusBadRequest, "Bad request"},
	Missing:      {http.StatusNotFound, "Not found"},
	Clash:        {http.StatusConflict, "Conflict"},
	TooLarge:     {http.StatusRequestEntityTooLarge, "Too large"},
	Unacceptable: {http.StatusUnprocessableEntity, "Unprocessable content"},
	Throttled:    {http.StatusTooManyRequests, "Too many requests"},
	Down:         {http.StatusServiceUnavailable, "Unavailable"},
	NotAllowed:   {http.StatusMethodNotAllowed, "Method not allowed"},
}

type kinded struct {
	kind  Kind
	after time.Duration
	error
}

func (k kinded) Unwrap() error { return k.error }

func newf(k Kind, format string, args []any) error {
	return kinded{kind: k, error: fmt.Errorf(format, args...)}
}

// BadRequest says that the request is wrong in itself.
func BadRequest(format string, args ...any) error { return newf(Invalid, format, args) }

// NotFound says that what the request names does not exist.
func NotFound(format string, args ...any) error { return newf(Missing, format, args) }

// Conflict says that the state does not allow the request.
func Conflict(format string, args ...any) error { return newf(Clash, format, args) }

// Large says that the request is over a limit.
func Large(format string, args ...any) error { return newf(TooLarge, format, args) }

// Unprocessable says that the request is understood and against a rule.
func Unprocessable(format string, args ...any) error { return newf(Unacceptable, format, args) }

// Unavailable says that the request cannot be served now, and may be after the
// given time (rounded up to seconds for Retry-After).
func Unavailable(after time.Duration, format string, args ...any) error {
	return kinded{kind: Down, after: after, error: fmt.Errorf(format, args...)}
}

// KindOf returns the kind of err, [Internal] if it has none.
func KindOf(err error) Kind {
	var k kinded
	if errors.As(err, &k) {
		return k.kind
	}
	return Internal
}

// Document is the body of a problem response (RFC 9457, section 3).
type Document struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty"`
	Instance string `json:"instance,omitempty"`
}

// Write answers the request with err as application/problem+json.
func Write(w http.ResponseWriter, r *http.Request, err error) {
	kind := kinds[KindOf(err)]
	doc := Document{Type: "about:blank", Title: kind.title, Status: kind.status, Instance: r.URL.Path}
	var k kinded
	if errors.As(err, &k) {
		doc.Detail = err.Error()
		if k.after > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int((k.after+time.Second-1)/time.Second)))
		}
	} else {
		doc.Detail = "The request could not be completed because of a fault in the service."
	}
	body, _ := json.Marshal(doc) // plain strings and a number: cannot fail
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(doc.Status)
	_, _ = w.Write(append(body, '\n')) // the client is gone if this fails
}
