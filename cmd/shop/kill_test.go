package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/store"
)

// writeOrders writes a file of n invoices in the Online Retail layout, with
// returns, and with lines that are no goods.
func writeOrders(t *testing.T, n int) string {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	b.WriteString("InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n")
	bought := map[int]int{} // product, by customer
	for i := range n {
		customer, invoice := 12000+i%50, 536000+i
		for range 1 + rng.IntN(4) {
			product := 20000 + rng.IntN(40)
			fmt.Fprintf(&b, "%d,%d,THING %d,%d,12/1/2010 8:26,%d.25,%d,United Kingdom\n", invoice, product, product, 2+rng.IntN(5), 1+product%9, customer)
			bought[customer] = product
		}
		if i%7 == 0 {
			fmt.Fprintf(&b, "%d,POST,POSTAGE,1,12/1/2010 8:26,18,%d,France\n", invoice, customer)
		}
		if i%10 == 9 {
			fmt.Fprintf(&b, "C%d,%d,THING,-1,12/2/2010 9:00,1.25,%d,United Kingdom\n", 900000+i, bought[customer], customer)
		}
	}
	path := filepath.Join(t.TempDir(), "orders.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// figures are what a replay has to end with, however often it was killed.
type figures struct {
	Lines, Orders, Confirmed, Cancelled, Placed, Returned, Returns int
	Rejected                                                       map[string]int
	Invariants                                                     map[string]struct{ OK bool }
}

func replayed(t *testing.T, args ...string) figures {
	t.Helper()
	p := start(t, "shop", args...)
	if code := p.wait(); code != 0 {
		t.Fatalf("shop replay ended with %d", code)
	}
	var f figures
	if err := json.Unmarshal(p.stdout.Bytes(), &f); err != nil {
		t.Fatalf("shop replay --json wrote %q: %v", p.stdout.String(), err)
	}
	if len(f.Invariants) == 0 {
		t.Error("no invariants were checked")
	}
	for name, inv := range f.Invariants {
		if !inv.OK {
			t.Errorf("invariant %s is violated", name)
		}
	}
	return f
}

func TestKilledReplayGoesOn(t *testing.T) {
	t.Parallel()
	file := writeOrders(t, 600)
	args := []string{"replay", file, "--json", "--decline", "10", "--rate", "400"}
	want := fmt.Sprint(replayed(t, append(args, "--data", t.TempDir())...))
	dir := t.TempDir()
	args = append(args, "--data", dir, "--style", "mixed") // which makes no difference to how it ends
	// From the first moments, when databases and topics are made, to those when
	// orders are under way.
	for _, after := range []time.Duration{30, 150, 350, 600, 850} {
		p := start(t, "shop", args...)
		time.Sleep(after * time.Millisecond)
		p.kill()
		if after >= 350 { // before, there may be nothing to verify
			verified(t, "--data", dir)
		}
	}
	if got := fmt.Sprint(replayed(t, args...)); got != want {
		t.Errorf("killed and started again, the replay ends with\n%s, want\n%s", got, want)
	}
	verified(t, "--data", dir, "--settled")
}

// A replay by each style, and by both side by side, leaves the business the same.
func TestReplayByEachStyle(t *testing.T) {
	t.Parallel()
	file := writeOrders(t, 200)
	var want string
	for _, style := range append(styles, "mixed") {
		dir := t.TempDir()
		got := fmt.Sprint(replayed(t, "replay", file, "--json", "--decline", "10", "--data", dir, "--style", style), business(t, dir))
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("by %s the replay ends with\n%s, want\n%s", style, got, want)
		}
	}
}

// business is how everything stands that a business knows of.
func business(t *testing.T, dir string) (rows []string) {
	t.Helper()
	for _, of := range []struct{ service, query string }{
		{"order", `SELECT id || ' ' || status || ' ' || total FROM orders ORDER BY id`},
		{"order", `SELECT id || ' ' || status || ' ' || refund FROM returns ORDER BY id`},
		{"inventory", `SELECT sku || ' ' || received || ' ' || reserved FROM stock ORDER BY sku`},
		{"inventory", `SELECT order_id || ' ' || status FROM reservations ORDER BY order_id`},
		{"payment", `SELECT order_id || ' ' || status || ' ' || amount FROM payments ORDER BY order_id`},
		{"shipping", `SELECT order_id || ' ' || status FROM shipments WHERE status <> 'pending' ORDER BY order_id`},
		{"customer", `SELECT id || ' ' || spend FROM customers ORDER BY id`},
	} {
		db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(dir, of.service+".db"), store.Config{Owner: of.service, Existing: true})
		if err != nil {
			t.Fatal(err)
		}
		found, err := store.Collect(t.Context(), db.Reader(), func(r store.Rows) (s string, err error) { return s, r.Scan(&s) }, of.query)
		if err = errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, found...)
	}
	return rows
}
