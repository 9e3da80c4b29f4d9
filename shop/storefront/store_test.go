package storefront

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/shop/catalogv1"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/store"
)

// db is a storefront's database with two products.
type db struct {
	*store.Store
	t *testing.T
}

func open(t *testing.T) db {
	t.Helper()
	s, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "storefront.db"), store.Config{
		Owner: "storefront", Unsynced: true,
		Publishes: map[event.Contract]bool{orderv1.Place{}.Contract(): true},
		Partition: func(string, string) (int32, error) { return 0, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Migrate(t.Context(), migrations); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.TakeLane(t.Context()); err != nil {
		t.Fatal(err)
	}
	d := db{s, t}
	d.list("A1", 255)
	d.list("A2", 295)
	return d
}

// do runs fn in a transaction, and returns what it published.
func (d db) do(fn func(context.Context, *store.Tx) error) (published []string, err error) {
	d.t.Helper()
	tx, err := d.Begin(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	defer tx.Rollback()
	if err := fn(d.t.Context(), tx); err != nil {
		return nil, err
	}
	c, err := tx.Commit(d.t.Context(), store.Books{})
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range c.Events {
		published = append(published, string(e.Record.Value))
	}
	return published, nil
}

func (d db) must(fn func(context.Context, *store.Tx) error) []string {
	d.t.Helper()
	published, err := d.do(fn)
	if err != nil {
		d.t.Fatal(err)
	}
	return published
}

func (d db) list(sku string, price int64) {
	d.t.Helper()
	d.must(func(ctx context.Context, tx *store.Tx) error {
		return listed(ctx, tx, event.Message[catalogv1.Listed]{Body: catalogv1.Listed{SKU: sku, Name: "Product " + sku, Price: price}})
	})
}

func (d db) create(id string) {
	d.t.Helper()
	d.must(func(ctx context.Context, tx *store.Tx) error { return create(ctx, tx, id) })
}

func (d db) put(id, sku string, quantity int64) error {
	d.t.Helper()
	_, err := d.do(func(ctx context.Context, tx *store.Tx) error {
		_, err := put(ctx, tx, id, sku, quantity)
		return err
	})
	return err
}

func (d db) order(id string, r checkout) (published []string, err error) {
	d.t.Helper()
	return d.do(func(ctx context.Context, tx *store.Tx) error { return order(ctx, tx, id, r) })
}

func (d db) expect(id string, total int64, want ...line) {
	d.t.Helper()
	c, err := load(d.t.Context(), d.Reader(), id)
	if err != nil || c.total() != total || !slices.Equal(c.lines, want) {
		d.t.Errorf("load(%s) = %+v, %v, want %+v", id, c, err, want)
	}
}

func TestCartLines(t *testing.T) {
	d := open(t)
	d.create("c1")
	d.expect("c1", 0)
	for _, step := range []struct {
		sku      string
		quantity int64
	}{{"A2", 1}, {"A2", 3}, {"A1", 2}, {"A1", 0}, {"A1", 0}} {
		if err := d.put("c1", step.sku, step.quantity); err != nil {
			t.Fatal(err)
		}
	}
	d.expect("c1", 885, line{"A2", "Product A2", 3, 295, 885})
	d.list("A2", 300)
	d.expect("c1", 900, line{"A2", "Product A2", 3, 300, 900})

	if err := d.put("c1", "A3", 1); problem.KindOf(err) != problem.Missing {
		t.Errorf("put of an unknown product: %v, want not found", err)
	}
	if err := d.put("c2", "A1", 1); problem.KindOf(err) != problem.Missing {
		t.Errorf("put into an unknown cart: %v, want not found", err)
	}
	if _, err := load(t.Context(), d.Reader(), "c2"); problem.KindOf(err) != problem.Missing {
		t.Errorf("load of an unknown cart: %v, want not found", err)
	}
}

func TestCartIsFull(t *testing.T) {
	d := open(t)
	d.create("c1")
	d.must(func(ctx context.Context, tx *store.Tx) error {
		for i := range maxLines {
			err := tx.Exec(ctx, `INSERT INTO cart_lines (cart_id, sku, quantity, added_at) VALUES ($1, $2, 1, 0)`, "c1", fmt.Sprint("X", i))
			if err != nil {
				return err
			}
		}
		return tx.Exec(ctx, `INSERT INTO products (sku, name, price) VALUES ('X1', 'X', 1)`)
	})
	if err := d.put("c1", "A1", 1); problem.KindOf(err) != problem.Unacceptable {
		t.Errorf("put of one product too many: %v", err)
	}
	if err := d.put("c1", "X1", 5); err != nil {
		t.Errorf("put of a product that is there: %v", err)
	}
}

func TestCheckoutOnce(t *testing.T) {
	d := open(t)
	d.create("c1")
	if _, err := d.order("c1", request); problem.KindOf(err) != problem.Unacceptable {
		t.Errorf("checkout of an empty cart: %v", err)
	}
	if err := d.put("c1", "A1", 2); err != nil {
		t.Fatal(err)
	}
	published, err := d.order("c1", request)
	want := `{"orderId":"web-c1","customerId":"ada","lines":[{"sku":"A1","quantity":2,"unitPrice":255}],"paymentToken":"tok_ok",` +
		`"address":{"name":"Ada Lovelace","street":"12 St James's Square","city":"London","country":"United Kingdom"}}`
	if err != nil || !slices.Equal(published, []string{want}) {
		t.Errorf("checkout published %q, %v, want %q", published, err, want)
	}
	if published, err := d.order("c1", request); err != nil || len(published) != 0 {
		t.Errorf("checkout again published %q, %v, want nothing", published, err)
	}
	other := request
	other.PaymentToken = "tok_late"
	if _, err := d.order("c1", other); problem.KindOf(err) != problem.Unacceptable {
		t.Errorf("checkout again with another token: %v", err)
	}
	if err := d.put("c1", "A1", 3); problem.KindOf(err) != problem.Clash {
		t.Errorf("put after the checkout: %v, want a conflict", err)
	}
	d.list("A1", 999)
	d.expect("c1", 510, line{"A1", "Product A1", 2, 255, 510}) // the price of the order stays
	if _, err := d.order("c2", request); problem.KindOf(err) != problem.Missing {
		t.Errorf("checkout of an unknown cart: %v", err)
	}
}

func TestNewCartsSweepOld(t *testing.T) {
	d := open(t)
	for i := range swept + 2 {
		d.create(fmt.Sprint("old", i))
	}
	d.create("young")
	if err := d.put("old0", "A1", 1); err != nil {
		t.Fatal(err)
	}
	d.must(func(ctx context.Context, tx *store.Tx) error {
		return tx.Exec(ctx, `UPDATE carts SET touched_at = $1 WHERE id LIKE 'old%'`, tx.Now().Add(-cartLife-time.Hour).UnixMilli())
	})
	count := func() (carts, lines int) {
		err := d.Reader().QueryRow(t.Context(), `SELECT (SELECT COUNT(*) FROM carts), (SELECT COUNT(*) FROM cart_lines)`).Scan(&carts, &lines)
		if err != nil {
			t.Fatal(err)
		}
		return carts, lines
	}
	d.create("new0")
	if carts, _ := count(); carts != 4 {
		t.Errorf("%d carts after one sweep, want 2 old ones, the young and the new one", carts)
	}
	d.create("new1")
	if carts, lines := count(); carts != 3 || lines != 0 {
		t.Errorf("%d carts and %d lines after two sweeps, want the young and two new ones, without lines", carts, lines)
	}
}

// Two instances of the catalog may send their events the other way round.
func TestLatestRevisionCounts(t *testing.T) {
	d := open(t)
	d.create("c1")
	if err := d.put("c1", "A1", 1); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ revision, price, want int64 }{{2, 20, 20}, {1, 10, 20}, {3, 30, 30}, {0, 40, 40}} {
		p := catalogv1.Listed{SKU: "A1", Name: "A", Price: tc.price, Revision: tc.revision}
		d.must(func(ctx context.Context, tx *store.Tx) error {
			return listed(ctx, tx, event.Message[catalogv1.Listed]{Body: p})
		})
		d.expect("c1", tc.want, line{"A1", "A", 1, tc.want, tc.want})
	}
}

func TestListedIsChecked(t *testing.T) {
	d := open(t)
	for _, p := range []catalogv1.Listed{{SKU: "A1"}, {SKU: "A1", Price: -1}, {SKU: "A1", Price: maxPrice + 1}, {Price: 1}, {SKU: "a/b", Price: 1}} {
		_, err := d.do(func(ctx context.Context, tx *store.Tx) error {
			return listed(ctx, tx, event.Message[catalogv1.Listed]{Body: p})
		})
		if err == nil || !event.Rejected(err) || errors.Is(err, event.ErrMalformed) {
			t.Errorf("listed(%+v) = %v, want a rejection", p, err)
		}
	}
}
