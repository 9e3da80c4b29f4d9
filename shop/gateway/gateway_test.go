package gateway

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/store"
)

// inBubble runs fn with a payment gateway in virtual time.
func inBubble(t *testing.T, fn func(ctx context.Context, p *Payment)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "payment.db")
	synctest.Test(t, func(t *testing.T) {
		p, err := OpenPayment(t.Context(), path, Config{Unsynced: true})
		if err != nil {
			t.Fatal(err)
		}
		fn(t.Context(), p)
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
}

// charges sums up what stands in the ledger under a key.
func charges(t *testing.T, p *Payment, key string) (amount, calls, refunded int64) {
	t.Helper()
	err := p.Ledger().QueryRow(context.Background(), `SELECT amount, calls, refunded FROM charges WHERE key = $1`, key).
		Scan(&amount, &calls, &refunded)
	if err != nil && !errors.Is(err, store.ErrNoRows) {
		t.Fatal(err)
	}
	return amount, calls, refunded
}

func TestTokens(t *testing.T) {
	type answer int
	const (
		ok answer = iota
		refused
		failed
		silent
	)
	for _, tt := range []struct {
		token   string
		answers []answer // to one call after another with a timeout of 10 s
		took    time.Duration
		amount  int64
	}{
		{"tok_ok", []answer{ok, ok}, 0, 500},
		{"anything", []answer{ok}, 0, 500},
		{"", []answer{refused}, 0, 0},
		{"tok_decline", []answer{refused, refused}, 0, 0},
		{"tok_decline_for_a_reason", []answer{refused}, 0, 0},
		{"tok_timeout", []answer{silent, ok, ok}, 10 * time.Second, 500},
		{"tok_late", []answer{ok, ok}, 10 * time.Second, 500},
		{"tok_twice", []answer{ok}, 0, 500},
		{"tok_down_2", []answer{failed, failed, ok, ok}, 0, 500},
		{"tok_down_1_again", []answer{failed, ok}, 0, 500},
		{"tok_down_0", []answer{ok}, 0, 500},
		{"tok_down_", []answer{ok}, 0, 500},
		{"tok_down_99999999999999999999", []answer{ok}, 0, 500},
	} {
		t.Run(tt.token, func(t *testing.T) {
			inBubble(t, func(ctx context.Context, p *Payment) {
				start := time.Now()
				for n, want := range tt.answers {
					ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
					id, err := p.Charge(ctx, "charge-o1", "o1", tt.token, 500)
					cancel()
					got := ok
					switch {
					case event.Rejected(err):
						got = refused
					case errors.Is(err, context.DeadlineExceeded):
						got = silent
					case err != nil:
						got = failed
					}
					if got != want || (id != "") != (want == ok) {
						t.Errorf("call %d: %q, %v, want answer %d", n+1, id, err, want)
					}
				}
				if took := time.Since(start); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
				if amount, _, _ := charges(t, p, "charge-o1"); amount != tt.amount {
					t.Errorf("charged %d, want %d", amount, tt.amount)
				}
			})
		})
	}
}

func TestSilenceEnds(t *testing.T) {
	inBubble(t, func(ctx context.Context, p *Payment) {
		start := time.Now()
		if _, err := p.Charge(ctx, "k", "o1", "tok_timeout", 1); err == nil || time.Since(start) != noAnswer {
			t.Errorf("got %v after %v, want an error after %v", err, time.Since(start), noAnswer)
		}
	})
}

func TestKeyOfAnotherAmount(t *testing.T) {
	inBubble(t, func(ctx context.Context, p *Payment) {
		if _, err := p.Charge(ctx, "k", "o1", "tok_ok", 1); err != nil {
			t.Error(err)
		}
		if _, err := p.Charge(ctx, "k", "o1", "tok_ok", 2); !event.Rejected(err) {
			t.Errorf("got %v, want a refusal", err)
		}
	})
}

func TestVoidAndRefund(t *testing.T) {
	inBubble(t, func(ctx context.Context, p *Payment) {
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Error(err)
			}
		}
		_, err := p.Charge(ctx, "a", "o1", "tok_ok", 500)
		must(err)
		must(p.Refund(ctx, "r1", "a", 200))
		must(p.Refund(ctx, "r1", "a", 200))
		if err := p.Refund(ctx, "r2", "a", 301); !event.Rejected(err) {
			t.Errorf("refund of more than is left: %v, want a refusal", err)
		}
		if err := p.Refund(ctx, "r3", "none", 1); !event.Rejected(err) {
			t.Errorf("refund of no charge: %v, want a refusal", err)
		}
		must(p.Refund(ctx, "r4", "a", 300))
		if amount, calls, refunded := charges(t, p, "a"); amount != 500 || calls != 1 || refunded != 500 {
			t.Errorf("ledger has %d, %d calls, %d refunded, want 500, 1, 500", amount, calls, refunded)
		}

		_, err = p.Charge(ctx, "b", "o2", "tok_ok", 70)
		must(err)
		must(p.Void(ctx, "b", "o2"))
		must(p.Void(ctx, "b", "o2"))
		must(p.Void(ctx, "c", "o3"))
		for _, key := range []string{"b", "c"} {
			if _, err := p.Charge(ctx, key, "o2", "tok_ok", 70); !event.Rejected(err) {
				t.Errorf("charge of void key %s: %v, want a refusal", key, err)
			}
			if amount, _, refunded := charges(t, p, key); amount != refunded {
				t.Errorf("%s: %d of %d are refunded", key, refunded, amount)
			}
		}
	})
}

func TestSecondReport(t *testing.T) {
	inBubble(t, func(ctx context.Context, p *Payment) {
		reports := make(chan string, 10)
		p.Notify(func(_ context.Context, key, id string) error {
			reports <- key + " " + id
			if len(reports) == 1 {
				return errors.New("not now")
			}
			return nil
		})
		id, err := p.Charge(ctx, "k", "o1", "tok_twice", 1)
		if err != nil || len(reports) != 0 {
			t.Errorf("got %v and %d reports before the answer", err, len(reports))
		}
		time.Sleep(time.Minute)
		if len(reports) != 2 {
			t.Fatalf("%d reports, want one that fails and one more", len(reports))
		}
		for range 2 {
			if got, want := <-reports, "k "+id; got != want {
				t.Errorf("report is %q, want %q", got, want)
			}
		}
		if _, err := p.Charge(ctx, "k", "o1", "tok_twice", 1); err != nil {
			t.Error(err)
		}
		// Close ends the report that is under way.
	})
}

func TestLedgerSurvivesRestart(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "payment.db")
	var ids [2]string
	for n := range ids {
		p, err := OpenPayment(ctx, path, Config{})
		if err != nil {
			t.Fatal(err)
		}
		if ids[n], err = p.Charge(ctx, "k", "o1", "tok_ok", 5); err != nil {
			t.Error(err)
		}
		if _, calls, _ := charges(t, p, "k"); calls != int64(n+1) {
			t.Errorf("ledger has %d calls, want %d", calls, n+1)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if _, err := p.Charge(ctx, "k", "o1", "tok_ok", 5); !errors.Is(err, errClosed) {
			t.Errorf("charge after close: %v, want %v", err, errClosed)
		}
	}
	if ids[0] != ids[1] || ids[0] == "" {
		t.Errorf("charge ids are %q, want one", ids)
	}
}

func TestCarrier(t *testing.T) {
	path := filepath.Join(t.TempDir(), "carrier.db")
	synctest.Test(t, func(t *testing.T) {
		c, err := OpenCarrier(t.Context(), path, Config{Unsynced: true})
		if err != nil {
			t.Fatal(err)
		}
		book := func(key, city string) (string, error) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			id, _, err := c.Book(ctx, key, "o1", orderv1.Address{City: city})
			return id, err
		}
		first, err := book("a", "Leeds")
		again, err2 := book("a", "Leeds")
		if first == "" || first != again || err != nil || err2 != nil {
			t.Errorf("booked %q, %v and %q, %v", first, err, again, err2)
		}
		if _, err := book("b", "Nowhere"); !event.Rejected(err) {
			t.Errorf("Nowhere: %v, want a refusal", err)
		}
		start := time.Now()
		if _, err := book("c", "Slowtown"); err != nil || time.Since(start) != lateAnswer {
			t.Errorf("Slowtown: %v after %v", err, time.Since(start))
		}
		if _, err := book("d", "Timeout"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Timeout: %v, want no answer", err)
		}
		if _, err := book("d", "Timeout"); err != nil {
			t.Errorf("Timeout, once more: %v", err)
		}
		for _, key := range []string{"a", "never"} {
			if err := c.CallOff(t.Context(), key, "o1"); err != nil {
				t.Error(err)
			}
			if _, err := book(key, "Leeds"); !event.Rejected(err) {
				t.Errorf("book %s after it was called off: %v, want a refusal", key, err)
			}
		}
		var live int
		err = c.Ledger().QueryRow(t.Context(), `SELECT COUNT(*) FROM bookings WHERE calls > 0 AND called_off = 0`).Scan(&live)
		if err != nil || live != 2 {
			t.Errorf("%d live bookings, %v, want 2", live, err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestMail(t *testing.T) {
	ctx := context.Background()
	m, err := OpenMail(ctx, filepath.Join(t.TempDir(), "mail.db"), Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"ann@shop.example", "ann@shop.example"} {
		if err := m.Send(ctx, "k", "o1", to, "hello"); err != nil {
			t.Error(err)
		}
	}
	for _, to := range []string{"", "bob@bounce.example"} {
		if err := m.Send(ctx, "l", "o1", to, "hello"); !event.Rejected(err) {
			t.Errorf("mail to %q: %v, want a refusal", to, err)
		}
	}
	var mails, calls int
	if err := m.Ledger().QueryRow(ctx, `SELECT COUNT(*), SUM(calls) FROM mails`).Scan(&mails, &calls); err != nil || mails != 1 || calls != 2 {
		t.Errorf("%d mails in %d calls, %v, want 1 in 2", mails, calls, err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

// TestCallersShareTransactions charges from many goroutines, some of which do not
// wait for the answer.
func TestCallersShareTransactions(t *testing.T) {
	ctx := context.Background()
	p, err := OpenPayment(ctx, filepath.Join(t.TempDir(), "payment.db"), Config{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for n := range 500 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			if n%10 == 0 {
				cancel()
			}
			_, err := p.Charge(ctx, fmt.Sprint("k", n), "o1", "tok_ok", 2)
			if err != nil && n%10 != 0 {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := p.ledger.update(ctx, func(context.Context, *store.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	var count, amount int
	if err := p.Ledger().QueryRow(ctx, `SELECT COUNT(*), SUM(amount) FROM charges`).Scan(&count, &amount); err != nil || count != 500 || amount != 1000 {
		t.Errorf("ledger has %d charges of %d, %v, want 500 of 1000", count, amount, err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// BenchmarkCharge charges from 256 goroutines with a ledger that is synced.
func BenchmarkCharge(b *testing.B) {
	ctx := context.Background()
	p, err := OpenPayment(ctx, filepath.Join(b.TempDir(), "payment.db"), Config{})
	if err != nil {
		b.Fatal(err)
	}
	var n atomic.Int64
	b.SetParallelism(128)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := p.Charge(ctx, fmt.Sprint("k", n.Add(1)), "o1", "tok_ok", 2); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
	if err := p.Close(); err != nil {
		b.Error(err)
	}
}
