package order

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/shop/orderv1"
)

func TestTakeBack(t *testing.T) {
	ordered := []orderv1.Line{
		{SKU: "A", Quantity: 2, UnitPrice: 100}, {SKU: "B", Quantity: 1, UnitPrice: 50}, {SKU: "A", Quantity: 3, UnitPrice: 70},
	}
	for _, c := range []struct {
		name   string
		status status
		before []orderv1.Line
		items  []item
		want   []orderv1.Line
		refund int64
		kind   problem.Kind
		says   string
	}{
		{name: "one", status: confirmed, items: []item{{"A", 1}}, want: []orderv1.Line{{SKU: "A", Quantity: 1, UnitPrice: 100}}, refund: 100},
		{name: "over two lines", status: confirmed, items: []item{{"A", 3}},
			want: []orderv1.Line{{SKU: "A", Quantity: 2, UnitPrice: 100}, {SKU: "A", Quantity: 1, UnitPrice: 70}}, refund: 270},
		{name: "twice named", status: confirmed, items: []item{{"A", 1}, {"A", 2}},
			want: []orderv1.Line{{SKU: "A", Quantity: 2, UnitPrice: 100}, {SKU: "A", Quantity: 1, UnitPrice: 70}}, refund: 270},
		{name: "after others", status: confirmed, before: []orderv1.Line{{SKU: "A", Quantity: 2, UnitPrice: 100}}, items: []item{{"A", 3}, {"B", 1}},
			want: []orderv1.Line{{SKU: "B", Quantity: 1, UnitPrice: 50}, {SKU: "A", Quantity: 3, UnitPrice: 70}}, refund: 260},
		{name: "more than left", status: confirmed, before: []orderv1.Line{{SKU: "A", Quantity: 2, UnitPrice: 100}}, items: []item{{"A", 4}},
			kind: problem.Clash, says: "4 of A, of which 3 are left"},
		{name: "more than ordered", status: confirmed, items: []item{{"A", 3}, {"A", 3}, {"C", 1}}, kind: problem.Unacceptable, says: "6 of A, of which 5 were ordered; 1 of C, of which 0"},
		{name: "not confirmed", status: placed, items: []item{{"A", 1}}, kind: problem.Clash, says: "is placed"},
		{name: "cancelled", status: cancelled, items: []item{{"A", 1}}, kind: problem.Clash, says: "is cancelled"},
	} {
		o := order{id: "o1", customer: "c1", status: c.status}
		got, err := o.takeBack(giveBack{OrderID: "o1", ReturnID: "r1", Items: c.items}, ordered, c.before)
		if c.says != "" {
			if problem.KindOf(err) != c.kind || !strings.Contains(fmt.Sprint(err), c.says) {
				t.Errorf("%s: takeBack() = %v, want %q", c.name, err, c.says)
			}
			continue
		}
		if err != nil || !slices.Equal(got.Lines, c.want) || got.Refund != c.refund || got.ReturnID != "r1" || got.CustomerID != "c1" {
			t.Errorf("%s: takeBack() = %+v, %v, want %v for %d", c.name, got, err, c.want, c.refund)
		}
	}
}

// However an order is taken back, in the end all of its price is refunded, and no
// unit twice.
func TestReturnsAddUp(t *testing.T) {
	for seed := range uint64(2000) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		var ordered []orderv1.Line
		for range 1 + rnd.IntN(6) {
			ordered = append(ordered, orderv1.Line{SKU: string(rune('A' + rnd.IntN(3))), Quantity: 1 + rnd.Int64N(5), UnitPrice: 1 + rnd.Int64N(100)})
		}
		o := order{id: "o1", status: confirmed}
		var before []orderv1.Line
		var refunded int64
		for refunded < total(ordered) {
			var items []item
			for range 1 + rnd.IntN(3) {
				items = append(items, item{string(rune('A' + rnd.IntN(3))), 1 + rnd.Int64N(6)})
			}
			ev, err := o.takeBack(giveBack{Items: items}, ordered, before)
			if err != nil {
				continue
			}
			before = append(before, ev.Lines...)
			refunded += ev.Refund
		}
		if refunded != total(ordered) {
			t.Fatalf("seed %d: %d refunded of %d for %v", seed, refunded, total(ordered), ordered)
		}
		got, want := sum(before), sum(ordered)
		for sku := range want {
			if got[sku] != want[sku] {
				t.Fatalf("seed %d: %d of %s came back, want %d", seed, got[sku], sku, want[sku])
			}
		}
	}
}

func TestValidateReturn(t *testing.T) {
	err := giveBack{Items: []item{{"", 0}, {"A", 1_000_001}}}.validate()
	for _, want := range []string{"line 1: sku", "line 1: quantity 0", "line 2: quantity 1000001"} {
		if problem.KindOf(err) != problem.Unacceptable || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("validate() = %v, want it to name %q", err, want)
		}
	}
	if err := (giveBack{}).validate(); problem.KindOf(err) != problem.Unacceptable {
		t.Errorf("validate() of nothing = %v, want unacceptable", err)
	}
}
