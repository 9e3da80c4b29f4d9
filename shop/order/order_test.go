package order

import (
	"reflect"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/shop/inventoryv1"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/paymentv1"
	"github.com/tutti-go/tutti/shop/shippingv1"
)

func TestDecisions(t *testing.T) {
	ord := func(st status, reason string, freed bool) order {
		return order{id: "o1", customer: "c1", status: st, total: 250, reason: reason, freed: freed}
	}
	isConfirmed := []event.Body{orderv1.Confirmed{OrderID: "o1", CustomerID: "c1", Total: 250}}
	isCancelled := func(reason string) []event.Body {
		return []event.Body{orderv1.Cancelled{OrderID: "o1", CustomerID: "c1", Reason: reason}}
	}
	isUndone := func(reason string) []event.Body {
		return []event.Body{orderv1.CancellationRequested{OrderID: "o1", Reason: reason}}
	}
	scheduled := func(o order) step { return o.onScheduled(shippingv1.Scheduled{Carrier: "Swift"}) }
	unavailable := func(o order) step { return o.onUnavailable(shippingv1.Unavailable{Reason: "no carrier"}) }
	failed := func(o order) step { return o.onPaymentFailed(paymentv1.Failed{Reason: "declined"}) }
	out := func(o order) step {
		return o.onOutOfStock(inventoryv1.OutOfStock{Missing: []inventoryv1.Shortage{{SKU: "A", Wanted: 3, Available: 1}}})
	}
	released := func(o order) step { return o.onReleased(inventoryv1.Released{}) }
	const shortOfA = "out of stock: A (3 wanted, 1 available)"

	for _, c := range []struct {
		name string
		from order
		by   func(order) step
		to   order
		note string
		say  []event.Body
	}{
		{"reserved", ord(placed, "", false), func(o order) step { return o.onReserved(inventoryv1.Reserved{}) }, ord(placed, "", false), "stock reserved", nil},
		{"paid", ord(placed, "", false), func(o order) step { return o.onPaid(paymentv1.Completed{}) }, ord(placed, "", false), "paid", nil},
		{"scheduled", ord(placed, "", false), scheduled, ord(confirmed, "", false), "delivery scheduled: Swift", isConfirmed},
		{"scheduled twice", ord(confirmed, "", false), scheduled, ord(confirmed, "", false), "delivery scheduled: Swift", nil},
		{"scheduled too late", ord(cancelling, "why", false), scheduled, ord(cancelling, "why", false), "delivery scheduled: Swift", nil},
		{"scheduled after the end", ord(cancelled, "why", false), scheduled, ord(cancelled, "why", false), "delivery scheduled: Swift", nil},
		{"scheduled without stock", ord(placed, "", true), scheduled, ord(placed, "", true), "delivery scheduled: Swift", nil},
		{"out of stock", ord(placed, "", false), out, ord(cancelled, shortOfA, false), shortOfA, isCancelled(shortOfA)},
		{"out of stock while undone", ord(cancelling, "why", false), out, ord(cancelled, "why", false), shortOfA, isCancelled("why")},
		{"out of stock after the end", ord(cancelled, "why", false), out, ord(cancelled, "why", false), shortOfA, nil},
		{"declined", ord(placed, "", false), failed, ord(cancelled, "payment failed: declined", false), "payment failed: declined", isCancelled("payment failed: declined")},
		{"declined after the release", ord(placed, "", true), failed, ord(cancelled, "payment failed: declined", true), "payment failed: declined", isCancelled("payment failed: declined")},
		{"payment stopped", ord(cancelling, "why", false), failed, ord(cancelled, "why", false), "payment failed: declined", isCancelled("why")},
		{"no carrier", ord(placed, "", false), unavailable, ord(cancelling, "no delivery: no carrier", false), "no delivery: no carrier", nil},
		{"no carrier, known after the release", ord(placed, "", true), unavailable, ord(cancelled, "no delivery: no carrier", true), "no delivery: no carrier", isCancelled("no delivery: no carrier")},
		{"delivery stopped", ord(cancelling, "why", false), unavailable, ord(cancelling, "why", false), "no delivery: no carrier", nil},
		{"refunded", ord(cancelling, "why", false), func(o order) step { return o.onRefunded(paymentv1.Refunded{}) }, ord(cancelling, "why", false), "payment refunded", nil},
		{"released", ord(cancelling, "why", false), released, ord(cancelled, "why", false), "stock released", isCancelled("why")},
		{"released before it is known why", ord(placed, "", false), released, ord(placed, "", true), "stock released", nil},
		{"released after the end", ord(cancelled, "why", false), released, ord(cancelled, "why", false), "stock released", nil},
		{"time is up", ord(placed, "", false), order.expire, ord(cancelling, "not settled in time", false), "not settled in time", isUndone("not settled in time")},
		{"time is up after the release", ord(placed, "", true), order.expire, ord(cancelled, "not settled in time", true), "not settled in time", isCancelled("not settled in time")},
		{"time is up after the confirmation", ord(confirmed, "", false), order.expire, ord(confirmed, "", false), "", nil},
		{"time is up while undone", ord(cancelling, "why", false), order.expire, ord(cancelling, "why", false), "", nil},
	} {
		got := c.by(c.from)
		if got.order != c.to || got.note != c.note || !reflect.DeepEqual(got.say, c.say) {
			t.Errorf("%s: got %+v, note %q, says %v;\nwant %+v, note %q, says %v", c.name, got.order, got.note, got.say, c.to, c.note, c.say)
		}
	}
}

func TestCancelByCustomer(t *testing.T) {
	for st, want := range map[status]status{placed: cancelling, cancelling: cancelling, cancelled: cancelled} {
		s, err := order{id: "o1", status: st}.cancelByCustomer()
		if err != nil || s.status != want {
			t.Errorf("cancelByCustomer() of a %s order = %s, %v, want %s", st, s.status, err, want)
		}
		if said := len(s.say); said > 0 != (st == placed) {
			t.Errorf("cancelByCustomer() of a %s order says %v", st, s.say)
		}
	}
	if _, err := (order{id: "o1", status: confirmed}).cancelByCustomer(); problem.KindOf(err) != problem.Clash {
		t.Errorf("cancelByCustomer() of a confirmed order = %v, want a conflict", err)
	}
}

func TestShortageIsShort(t *testing.T) {
	var missing []inventoryv1.Shortage
	for range 2000 {
		missing = append(missing, inventoryv1.Shortage{SKU: strings.Repeat("x", 128), Wanted: 2, Available: 1})
	}
	got := shortage(missing)
	if len(got) > 1000 || !strings.HasSuffix(got, " and 1997 more") {
		t.Errorf("shortage() of 2000 lines = %d bytes that end %q", len(got), got[max(0, len(got)-40):])
	}
}

func TestClipIsPrintableText(t *testing.T) {
	for in, want := range map[string]string{
		"no carrier": "no carrier", "a\x00b\nc": "a b c",
		strings.Repeat("é", 150): strings.Repeat("é", 100) + "…",
	} {
		if got := clip(in); got != want {
			t.Errorf("clip(%.20q) = %q, want %q", in, got, want)
		}
	}
}
