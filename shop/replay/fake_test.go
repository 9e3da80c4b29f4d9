package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/shop/orderv1"
)

// fakeShop answers as the services do, and settles orders after a while.
type fakeShop struct {
	t     *testing.T
	delay time.Duration // until an order's outcome

	// refuse, if set, answers a request in the shop's place by returning an error.
	refuse func(r *http.Request, attempt int) error

	mu       sync.Mutex
	bodies   map[string][]byte // by path and key: what is idempotent
	attempts map[string]int
	orders   map[string]placement
	returns  map[string][]returnLine // by order and key
	outcomes []Outcome
	more     chan struct{} // closed at the next outcome
	requests int
}

func newFakeShop(t *testing.T) *fakeShop {
	return &fakeShop{
		t: t, delay: time.Millisecond, bodies: map[string][]byte{}, attempts: map[string]int{},
		orders: map[string]placement{}, returns: map[string][]returnLine{}, more: make(chan struct{}),
	}
}

func (f *fakeShop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = f.serve(r, body)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func (f *fakeShop) serve(r *http.Request, body []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	key := r.Header.Get("Idempotency-Key")
	id := r.Method + " " + r.URL.Path + " " + key
	f.attempts[id]++
	if f.refuse != nil {
		if err := f.refuse(r, f.attempts[id]); err != nil {
			return err
		}
	}
	if r.Method == http.MethodPost {
		if before, known := f.bodies[id]; known && !bytes.Equal(before, body) {
			return problem.Unprocessable("another body under key %s", key)
		} else if known {
			return nil
		}
		f.bodies[id] = body
	}
	switch parts := strings.Split(r.URL.Path, "/"); {
	case r.Method == http.MethodGet && parts[1] == "orders":
		if _, known := f.orders[parts[2]]; !known {
			return problem.NotFound("no order %s", parts[2])
		}
	case r.URL.Path == "/orders":
		return f.place(key, body)
	case len(parts) == 4 && parts[3] == "returns":
		var b struct{ Lines []returnLine }
		if err := json.Unmarshal(body, &b); err != nil {
			return problem.BadRequest("%v", err)
		}
		f.returns[parts[2]+" "+key] = b.Lines
	}
	return nil
}

func (f *fakeShop) place(id string, body []byte) error {
	var p placement
	if err := json.Unmarshal(body, &p); err != nil {
		return problem.BadRequest("%v", err)
	}
	f.orders[id] = p
	time.AfterFunc(f.delay, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.outcomes = append(f.outcomes, Outcome{OrderID: id, Confirmed: p.PaymentToken == "tok_ok", At: time.Now()})
		close(f.more)
		f.more = make(chan struct{})
	})
	return nil
}

// tell is a source of outcomes, from the first one.
func (f *fakeShop) tell(ctx context.Context, tell func(Outcome)) error {
	for next := 0; ; {
		f.mu.Lock()
		news, more := f.outcomes[next:], f.more
		f.mu.Unlock()
		for _, o := range news {
			tell(o)
			tell(o) // twice does no harm
		}
		if next += len(news); len(news) > 0 {
			continue
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *fakeShop) line(order string, i int) orderv1.Line { return f.orders[order].Lines[i] }
