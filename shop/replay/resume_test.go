package replay

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Orders that were under way when the run before was killed end in this one.
func TestResumed(t *testing.T) {
	for name, slow := range map[string]time.Duration{"at once": 0, "after the products": time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				shop := newFakeShop(t)
				shop.delay = 510 * time.Millisecond
				file := opened(t, bigFile(t, 300))
				ctx, cancel := context.WithTimeout(t.Context(), 1005*time.Millisecond)
				defer cancel()
				cfg := Config{Handler: shop, Outcomes: shop.tell, Rate: 100}
				killed, err := Run(ctx, file, cfg)
				if !errors.Is(err, context.DeadlineExceeded) || killed.Orders < 100 || killed.Confirmed != 50 {
					t.Fatalf("Run() = %+v, %v", killed, err)
				}
				cfg.Begun = time.Now()
				cfg.Rate = 10 // the orders under way end before they are sent again
				cfg.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if strings.HasPrefix(r.URL.Path, "/products/") {
						time.Sleep(slow)
					}
					shop.ServeHTTP(w, r)
				})
				s, err := Run(t.Context(), file, cfg)
				if err != nil || !s.Complete() {
					t.Fatalf("Run() = %+v, %v", s, err)
				}
				if s.Resumed != killed.Confirmed {
					t.Errorf("%d orders resumed, want the %d that had ended", s.Resumed, killed.Confirmed)
				}
				// 200 orders at 10 a second, and the last one's outcome
				if want := 20.41 + slow.Seconds(); s.Seconds < want-0.05 || s.Seconds > want+0.05 {
					t.Errorf("took %v s, want %v", s.Seconds, want)
				}
				if want := 150 / s.Seconds; s.OrdersPerSecond < want-0.1 || s.OrdersPerSecond > want+0.1 {
					t.Errorf("%v orders a second, want %v", s.OrdersPerSecond, want)
				}
				if s.Latency.P50 != 510 {
					t.Errorf("latency = %+v, want 510 ms", s.Latency)
				}
			})
		})
	}
}
