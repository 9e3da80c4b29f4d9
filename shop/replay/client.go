package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/tutti-go/tutti/problem"
)

// client sends requests to the shop's handler, in this process.
type client struct {
	handler http.Handler
	slots   chan struct{} // one for each request under way
}

// refusal is a 4xx answer: the shop will never take this request.
type refusal struct {
	status int
	detail string
}

func (r refusal) Error() string { return fmt.Sprintf("%d %s", r.status, r.detail) }

const (
	maxFaults  = 8 // 5xx answers other than 503 in a row
	firstPause = 50 * time.Millisecond
	maxPause   = 30 * time.Second
)

// send makes a request that may be repeated. It waits while the shop is overloaded
// (503, 429) for as long as the shop says. A 4xx answer is a refusal.
func (c *client) send(ctx context.Context, method, path, key string, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	faults := 0
	for attempt := 0; ; attempt++ {
		answer, err := c.try(ctx, method, path, key, raw)
		switch {
		case err != nil:
			return fmt.Errorf("%s %s: %w", method, path, err)
		case answer.status >= 200 && answer.status < 300:
			return nil
		case answer.status == http.StatusServiceUnavailable, answer.status == http.StatusTooManyRequests:
			faults = 0
		case answer.status < 500:
			return refusal{answer.status, answer.detail()}
		default:
			if faults++; faults == maxFaults {
				return fmt.Errorf("%s %s: %d %s", method, path, answer.status, answer.detail())
			}
		}
		if err := sleep(ctx, answer.pause(attempt)); err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
	}
}

func (c *client) try(ctx context.Context, method, path, key string, body []byte) (*answer, error) {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-c.slots }()
	r, err := http.NewRequestWithContext(ctx, method, "http://shop"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	a := &answer{header: http.Header{}}
	c.handler.ServeHTTP(a, r)
	a.WriteHeader(http.StatusOK) // if the handler wrote nothing
	if a.status >= 300 && ctx.Err() != nil {
		return nil, ctx.Err() // which may be all that is wrong
	}
	return a, nil
}

// answer is an [http.ResponseWriter] that keeps what little is needed.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if room := 4<<10 - a.body.Len(); room > 0 {
		a.body.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}

// detail is what a problem document says, or the beginning of another body.
func (a *answer) detail() string {
	var doc problem.Document
	if json.Unmarshal(a.body.Bytes(), &doc) == nil && doc.Detail != "" {
		return clip(doc.Detail, maxText)
	}
	return cleanText(a.body.String())
}

// pause is how long to wait before the next attempt: what the shop says, or twice
// as long each time, with jitter.
func (a *answer) pause(attempt int) time.Duration {
	if s, err := strconv.Atoi(a.header.Get("Retry-After")); err == nil && s >= 0 {
		return min(time.Duration(s)*time.Second, maxPause)
	}
	d := min(firstPause<<min(attempt, 10), maxPause)
	return d/2 + rand.N(d/2)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err() // not the cause, which may be the refusal of another request
	}
}
