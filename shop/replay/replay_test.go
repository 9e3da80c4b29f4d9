package replay

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/shop/orderv1"
)

var dirtyReasons = map[int]Reason{
	5: NotAProduct, 8: NotPositive, 9: NoPrice, 10: NoPrice, 11: NotASale, 12: NotASale, 13: BlankLine, 14: Malformed, 16: Malformed,
	17: Malformed, 18: Malformed, 19: OutOfRange, 20: OutOfRange, 21: TwoBuyers, 23: TooMuch, 24: NoOrder, 25: NotAProduct, 26: NoCustomer,
	27: NotNegative, 31: NotAProduct, 32: NotAProduct, 33: NotAProduct, 34: NotAProduct, 38: BlankLine,
}

func opened(t *testing.T, path string) *File {
	t.Helper()
	f, err := Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func replayed(t *testing.T, file *File, cfg Config) (Summary, map[int]Reason, error) {
	t.Helper()
	rejected := map[int]Reason{}
	cfg.Rejected = func(r Rejection) {
		if before, twice := rejected[r.Line]; twice {
			t.Errorf("line %d is rejected twice: %s and %s", r.Line, before, r.Reason)
		}
		rejected[r.Line] = r.Reason
	}
	s, err := Run(t.Context(), file, cfg)
	return s, rejected, err
}

func TestDirtyFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shop := newFakeShop(t)
		s, rejected, err := replayed(t, opened(t, "testdata/dirty.csv"), Config{Handler: shop, Outcomes: shop.tell})
		if err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(rejected, dirtyReasons) {
			for n := range 40 {
				if rejected[n] != dirtyReasons[n] {
					t.Errorf("line %d is %q, want %q", n, rejected[n], dirtyReasons[n])
				}
			}
		}
		if !s.Complete() || s.Lines != 38 || s.Orders != 7 || s.Confirmed != 7 || s.Placed != 11 || s.Returned != 3 || s.Returns != 3 {
			t.Errorf("summary = %+v", s)
		}
		for _, c := range []struct {
			order string
			line  int
			want  orderv1.Line
		}{
			{"700001", 0, orderv1.Line{SKU: "40001A", Quantity: 6, UnitPrice: 255}},
			{"700001", 1, orderv1.Line{SKU: "40001A", Quantity: 2, UnitPrice: 255}},
			{"700001", 2, orderv1.Line{SKU: "40002", Quantity: 1, UnitPrice: 1}},
			{"700001", 3, orderv1.Line{SKU: "40004", Quantity: 5, UnitPrice: 300}}, // after others
			{"700002", 1, orderv1.Line{SKU: "GIFT_0001_20", Quantity: 1, UnitPrice: 1702}},
			{"700007", 0, orderv1.Line{SKU: "40004", Quantity: 10, UnitPrice: 333}},
		} {
			if got := shop.line(c.order, c.line); got != c.want {
				t.Errorf("line %d of %s = %+v, want %+v", c.line, c.order, got, c.want)
			}
		}
		if got := shop.orders["700002"].CustomerID; got != "guest-700002" {
			t.Errorf("customer of a sale without one = %q", got)
		}
		wantReturns := map[string][]returnLine{
			"700001 C700008-700001": {{"40001A", 7}},
			"700011 C700012-700011": {{"40004", 5}},
			"700007 C700012-700007": {{"40004", 7}},
			"700018 C700019-700018": {{"40006", 1}},
		}
		if !reflect.DeepEqual(shop.returns, wantReturns) {
			t.Errorf("returns = %v, want %v", shop.returns, wantReturns)
		}
		if got := string(shop.bodies["POST /stock/40002/receipts replay-40002"]); got != `{"quantity":1000000}` {
			t.Errorf("receipt = %s", got)
		}
	})
}

func TestNames(t *testing.T) {
	p, err := read(t.Context(), &source{path: "testdata/dirty.csv"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, pr := range p.products {
		got[pr.sku] = fmt.Sprint(pr.name, " ", pr.price)
	}
	want := map[string]string{
		"40001A": "BLUE TEAPOT 255", "40002": "CAFÉ SIGN £1 1", "GIFT_0001_20": "Dotcomgiftshop Gift Voucher £20.00 1702",
		"40004": "LAMP 300", "40006": "VASE 125",
	}
	if !maps.Equal(got, want) {
		t.Errorf("products = %v, want %v", got, want)
	}
	if len(p.customers) != 3 || p.lines != 38 {
		t.Errorf("%d customers and %d lines, want 3 and 38", len(p.customers), p.lines)
	}
}

// TestAgain replays into a shop that knows some or all of the file.
func TestAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shop := newFakeShop(t)
		file, cfg := opened(t, bigFile(t, 300)), Config{Handler: shop, Outcomes: shop.tell, Decline: 20}
		for crash := range 6 {
			ctx, cancel := context.WithCancel(t.Context())
			shop.requests = 0
			shop.refuse = func(*http.Request, int) error { // a run makes about 300
				if shop.requests == (crash+1)*40 {
					cancel()
				}
				return nil
			}
			if s, err := Run(ctx, file, cfg); !errors.Is(err, context.Canceled) || s.Complete() {
				t.Fatalf("crash %d: Run() = %+v, %v", crash, s, err)
			}
			cancel()
			time.Sleep(time.Second)
		}
		shop.refuse = nil
		first, rejected, err := replayed(t, file, cfg)
		if err != nil || !first.Complete() {
			t.Fatalf("Run() = %+v, %v", first, err)
		}
		if first.Cancelled == 0 || first.Confirmed == 0 || first.Returns == 0 || first.Resumed == 0 {
			t.Errorf("summary lacks something: %+v", first)
		}
		returns := maps.Clone(shop.returns)
		time.Sleep(time.Second)
		for name, target := range map[string]*fakeShop{"again": shop, "afresh": newFakeShop(t)} {
			cfg.Handler, cfg.Outcomes = target, target.tell
			s, r, err := replayed(t, file, cfg)
			if err != nil || !s.Complete() {
				t.Fatalf("%s: Run() = %+v, %v", name, s, err)
			}
			if !maps.Equal(r, rejected) || !maps.Equal(s.Rejected, first.Rejected) || s.Orders != first.Orders || s.Cancelled != first.Cancelled || s.Returned != first.Returned {
				t.Errorf("%s: summary = %+v, want %+v", name, s, first)
			}
			if !reflect.DeepEqual(target.returns, returns) {
				t.Errorf("%s: returns differ", name)
			}
			if name == "again" && s.Resumed != s.Orders {
				t.Errorf("%s: %d of %d orders resumed", name, s.Resumed, s.Orders)
			}
		}
	})
}

// bigFile has orders of a few customers, each with a return in between.
func bigFile(t *testing.T, invoices int) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("Country,InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID\n")
	for i := range invoices {
		if i%3 == 2 {
			fmt.Fprintf(&b, "UK,C%d,5000%d,THING,-%d,d,1.00,%d\n", 800000+i, i%4, 1+i%5, i%7)
			continue
		}
		for line := range 3 {
			fmt.Fprintf(&b, "UK,%d,5000%d,THING,%d,d,1.00,%d\n", 800000+i, (i+line)%4, 1+i%3, i%7)
		}
	}
	path := filepath.Join(t.TempDir(), "big.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shop := newFakeShop(t)
		shop.refuse = func(r *http.Request, attempt int) error {
			switch key := r.Header.Get("Idempotency-Key"); {
			case key == "700007": // an order
				return problem.Conflict("not today")
			case key == "C700008-700001": // a return
				return problem.Unprocessable("not this")
			case key == "700017" && attempt < 4:
				return problem.Unavailable(3*time.Second, "busy")
			case key == "700002" && attempt < 4:
				return errors.New("a passing fault")
			case r.URL.Path == "/products/40006":
				return problem.BadRequest("odd name")
			}
			return nil
		}
		s, rejected, err := replayed(t, opened(t, "testdata/dirty.csv"), Config{Handler: shop, Outcomes: shop.tell})
		if err != nil || !s.Complete() {
			t.Fatalf("Run() = %+v, %v", s, err)
		}
		want := maps.Clone(dirtyReasons)
		want[15], want[22] = Refused, Refused
		want[29] = TooMuch // only one of its two orders is there
		if !maps.Equal(rejected, want) {
			t.Errorf("rejected = %v, want %v", rejected, want)
		}
		if s.Orders != 6 || s.Returns != 1 {
			t.Errorf("summary = %+v", s)
		}
		if s.Seconds < 9 {
			t.Errorf("took %v s, want 9 s of waiting as the shop asked", s.Seconds)
		}
	})
}

func TestFailures(t *testing.T) {
	broken := func(r *http.Request, _ int) error { return errors.New("broken") }
	cases := []struct {
		name   string
		change func(c *Config, f *fakeShop)
		want   string
	}{
		{"all faults", func(c *Config, _ *fakeShop) { c.Rate = -1; c.Decline = 101 }, "Rate is -1, want 0 or more orders a second\nDecline is 101"},
		{"fault", func(_ *Config, f *fakeShop) { f.refuse = broken }, "500"},
		{"outcomes", func(c *Config, f *fakeShop) {
			c.Outcomes = func(context.Context, func(Outcome)) error { return errors.New("log is gone") }
		}, "log is gone"},
		{"another stock", func(_ *Config, f *fakeShop) {
			f.bodies["POST /stock/40002/receipts replay-40002"] = []byte(`{"quantity":3}`)
		}, "another initial stock"},
		{"another order", func(_ *Config, f *fakeShop) {
			f.bodies["POST /orders 700001"], f.orders["700001"] = []byte(`{}`), placement{}
		}, "there is another order of this id"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				shop := newFakeShop(t)
				cfg := Config{Handler: shop, Outcomes: shop.tell}
				c.change(&cfg, shop)
				s, err := Run(t.Context(), opened(t, "testdata/dirty.csv"), cfg)
				if s.Rejected[Refused] > 0 {
					t.Errorf("lines are rejected because of another failure: %v", s.Rejected)
				}
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("Run() = %v, want %q in it", err, c.want)
				}
			})
		})
	}
}

func TestRateAndProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shop := newFakeShop(t)
		shop.delay = 20 * time.Millisecond
		var last Progress
		calls := 0
		asked := 0
		s, err := Run(t.Context(), opened(t, bigFile(t, 300)), Config{
			Handler: shop, Outcomes: shop.tell, Rate: 10, InFlight: 3, Requests: 2,
			Progress: func(p Progress) { last = p; calls++ },
			Quiet:    func(context.Context) (bool, error) { asked++; return asked == 3, nil },
		})
		if err != nil || !s.Complete() {
			t.Fatalf("Run() = %+v, %v", s, err)
		}
		if s.Seconds < 19.8 || s.Seconds > 20.2 || s.Orders != 200 || s.OrdersPerSecond < 9.9 || s.OrdersPerSecond > 10.2 {
			t.Errorf("%d orders in %v s are %v/s, want 200 in 20 s", s.Orders, s.Seconds, s.OrdersPerSecond)
		}
		if s.Latency.P50 != 20 || s.Latency.P99 != 20 {
			t.Errorf("latency = %+v, want 20 ms", s.Latency)
		}
		if calls < 50 || asked != 3 || last.Read != 300 || last.Invoices != 300 || last.Orders != 200 || last.UnderWay != 0 || last.Rejected != s.Rejections() {
			t.Errorf("after %d calls progress = %+v, asked %d times", calls, last, asked)
		}
	})
}

// TestLargeReturn: a return has as many lines as its goods need.
func TestLargeReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "large.csv")
		text := "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
		for _, line := range []string{"700001,40001,A,1000000", "700001,40001,A,1000000", "C700002,40001,A,-900000", "C700002,40001,A,-900000", "C700002,40001,A,-100000"} {
			text += line + ",2011-01-01 10:00:00,1.00,1,UK\n"
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		shop := newFakeShop(t)
		if s, _, err := replayed(t, opened(t, file), Config{Handler: shop, Outcomes: shop.tell}); err != nil || s.Returned != 3 {
			t.Fatalf("Run() = %+v, %v", s, err)
		}
		want := []returnLine{{"40001", 1_000_000}, {"40001", 900_000}}
		if got := shop.returns["700001 C700002-700001"]; !slices.Equal(got, want) {
			t.Errorf("returned is %v, want %v", got, want)
		}
	})
}

// TestLowRate: the second order waits, also where it waits for longer than a Duration holds.
func TestLowRate(t *testing.T) {
	for _, rate := range []float64{1e-3, 1e-12} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		r := &run{cfg: Config{Rate: rate}, start: time.Now(), orders: 1}
		if err := r.pace(ctx); err == nil {
			t.Errorf("at %v orders a second the second one does not wait", rate)
		}
	}
}

func TestGzipAndSpool(t *testing.T) {
	raw, err := os.ReadFile("testdata/dirty.csv")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "orders.gz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	_, _ = z.Write(raw[:100])
	if err := errors.Join(z.Close(), z.Flush()); err != nil {
		t.Fatal(err)
	}
	z.Reset(f) // a second member
	_, _ = z.Write(raw[100:])
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	packed, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	src, err := openSource(t.Context(), "-", packed)
	if err != nil {
		t.Fatal(err)
	}
	var lines []int
	if err := src.each(func(r row) error { lines = append(lines, r.line); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(lines) != 38 || lines[0] != 2 || !slices.IsSorted(lines) {
		t.Errorf("lines = %v", lines)
	}
	if err := src.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(src.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the copy is still there: %v", err)
	}
}

func TestDecline(t *testing.T) {
	for _, percent := range []float64{0, 0.5, 10, 50, 100} {
		r := &run{cfg: Config{Decline: percent}}
		declined := 0
		for i := range 10_000 {
			if r.token(fmt.Sprint(536365+i)) == "tok_decline" {
				declined++
			}
		}
		if got := float64(declined) / 100; got < percent*0.8-0.01 || got > percent*1.2+0.01 {
			t.Errorf("%v of 100 orders are declined, want %v", got, percent)
		}
	}
}
