package order

import (
	"github.com/tutti-go/tutti/internal/ident"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/shop/orderv1"
)

// The status of a return: goods came back, and later the customer has the money
// and the stock the goods.
const (
	requested = "requested"
	settled   = "settled"
)

// item is goods that a customer sends back.
type item struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

// giveBack is a request to take goods of an order back. Its JSON identifies it.
type giveBack struct {
	OrderID  string `json:"orderId"`
	ReturnID string `json:"returnId"`
	Items    []item `json:"lines"`
}

// validate reports every rule that the request breaks, whatever the order.
func (g giveBack) validate() error {
	var f faults
	f.check(len(g.Items) >= 1 && len(g.Items) <= maxLines, "%d lines, want 1 to %d", len(g.Items), maxLines)
	for i, it := range g.Items[:min(len(g.Items), maxLines)] {
		f.check(ident.Valid(it.SKU), "line %d: sku %q: %s", i+1, clip(it.SKU), ident.Rule)
		f.check(it.Quantity >= 1 && it.Quantity <= maxQuantity, "line %d: quantity %d, want 1 to %d", i+1, it.Quantity, maxQuantity)
	}
	return f.err("return is not acceptable")
}

// takeBack decides on a return of goods of order o, which was for the ordered
// lines and of which the lines before have been returned already. It prices the
// goods as they were ordered: where lines of one SKU have several prices, the
// first lines go back first.
func (o order) takeBack(g giveBack, ordered, before []orderv1.Line) (orderv1.Returned, error) {
	if o.status != confirmed {
		return orderv1.Returned{}, problem.Conflict("order %s is %s: only goods of a confirmed order can be returned", o.id, o.status)
	}
	bought, gone, wanted := sum(ordered), sum(before), map[string]int64{}
	var never, more faults
	for _, it := range g.Items {
		wanted[it.SKU] += it.Quantity
	}
	for _, it := range g.Items {
		want, counted := wanted[it.SKU]
		if !counted {
			continue // an earlier line of this SKU has taken all
		}
		have, left := bought[it.SKU], bought[it.SKU]-gone[it.SKU]
		never.check(want <= have, "%d of %s, of which %d were ordered", want, it.SKU, have)
		more.check(want <= left, "%d of %s, of which %d are left", want, it.SKU, left)
		delete(wanted, it.SKU)
	}
	switch {
	case len(never) > 0:
		return orderv1.Returned{}, problem.Unprocessable("return is for more than was ordered: %s", never)
	case len(more) > 0:
		return orderv1.Returned{}, problem.Conflict("goods have been returned before: %s", more)
	}
	lines := price(g.Items, ordered, gone)
	return orderv1.Returned{
		OrderID: o.id, ReturnID: g.ReturnID, CustomerID: o.customer, Lines: lines, Refund: total(lines),
	}, nil
}

func sum(lines []orderv1.Line) map[string]int64 {
	out := make(map[string]int64, len(lines))
	for _, l := range lines {
		out[l.SKU] += l.Quantity
	}
	return out
}

// price finds the ordered lines that the items come from, after the units that are
// gone already. There must be enough of them.
func price(items []item, ordered []orderv1.Line, gone map[string]int64) []orderv1.Line {
	want := map[string]int64{}
	for _, it := range items {
		want[it.SKU] += it.Quantity
	}
	skip := make(map[string]int64, len(want))
	for sku := range want {
		skip[sku] = gone[sku]
	}
	var out []orderv1.Line
	for _, l := range ordered {
		skipped := min(skip[l.SKU], l.Quantity)
		skip[l.SKU] -= skipped
		if n := min(want[l.SKU], l.Quantity-skipped); n > 0 {
			want[l.SKU] -= n
			out = append(out, orderv1.Line{SKU: l.SKU, Quantity: n, UnitPrice: l.UnitPrice})
		}
	}
	return out
}
