package order

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/shop/inventoryv1"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/paymentv1"
	"github.com/tutti-go/tutti/shop/shippingv1"
)

// status is where an order stands:
//
//	placed ──► confirmed
//	   ├─────► cancelling ──► cancelled
//	   └────────────────────► cancelled
type status string

const (
	placed     status = "placed"     // accepted, and not settled yet
	confirmed  status = "confirmed"  // reserved, paid and on its way
	cancelling status = "cancelling" // will not be delivered; what was done is being undone
	cancelled  status = "cancelled"  // will not be delivered
)

// order is what decisions are made on.
type order struct {
	id       string
	customer string
	status   status
	total    int64
	directed bool   // by a mediator, who alone decides how it ends
	reason   string // why it is being or was cancelled
	// freed says that the stock was released while the order was placed still:
	// topics are not ordered among each other, so that may be known here before
	// why it happened.
	freed bool
}

// step is what a decision leads to: the order as it is then, a line of its history
// (none if empty), and what is published.
type step struct {
	order
	note string
	say  []event.Body
}

func (o order) stay(note string) step { return step{order: o, note: note} }

// confirm ends the order well.
func (o order) confirm(note string) step {
	o.status = confirmed
	return step{o, note, []event.Body{o.confirmation(false)}}
}

func (o order) confirmation(unchanged bool) orderv1.Confirmed {
	return orderv1.Confirmed{OrderID: o.id, CustomerID: o.customer, Total: o.total, Directed: o.directed, Unchanged: unchanged}
}

// cancel ends the order without delivery. The first reason stands.
func (o order) cancel(reason, note string) step {
	if o.reason == "" {
		o.reason = reason
	}
	o.status = cancelled
	return step{o, note, []event.Body{o.cancellation(false)}}
}

func (o order) cancellation(unchanged bool) orderv1.Cancelled {
	return orderv1.Cancelled{OrderID: o.id, CustomerID: o.customer, Reason: o.reason, Directed: o.directed, Unchanged: unchanged}
}

// undo decides on what an order must wait for before it is cancelled: that its
// stock is released, unless that is known already.
func (o order) undo(reason, note string) step {
	if o.freed {
		return o.cancel(reason, note)
	}
	o.status, o.reason = cancelling, reason
	return o.stay(note)
}

func (o order) onReserved(inventoryv1.Reserved) step { return o.stay("stock reserved") }

func (o order) onPaid(paymentv1.Completed) step { return o.stay("paid") }

func (o order) onOutOfStock(e inventoryv1.OutOfStock) step {
	reason := shortage(e.Missing)
	if o.status == placed || o.status == cancelling {
		return o.cancel(reason, reason)
	}
	return o.stay(reason)
}

func (o order) onPaymentFailed(e paymentv1.Failed) step {
	note := because("payment failed", e.Reason)
	if o.status == placed || o.status == cancelling {
		return o.cancel(note, note)
	}
	return o.stay(note)
}

// onScheduled confirms an order that nobody has begun to undo. A delivery that was
// scheduled too late is called off by shipping, which was told to.
func (o order) onScheduled(e shippingv1.Scheduled) step {
	note := because("delivery scheduled", e.Carrier)
	if o.status == placed && !o.freed {
		return o.confirm(note)
	}
	return o.stay(note)
}

func (o order) onUnavailable(e shippingv1.Unavailable) step {
	note := because("no delivery", e.Reason)
	if o.status == placed {
		return o.undo(note, note)
	}
	return o.stay(note)
}

func (o order) onRefunded(paymentv1.Refunded) step { return o.stay("payment refunded") }

// onReleased ends an order that is being undone. If nothing is known of that yet,
// the event that says why is on its way, and ends the order.
func (o order) onReleased(inventoryv1.Released) step {
	const note = "stock released"
	switch o.status {
	case cancelling:
		return o.cancel(o.reason, note)
	case placed:
		o.freed = true
	}
	return o.stay(note)
}

// onConfirm is told by the mediator that all is done. It is too late where the order
// was withdrawn meanwhile.
func (o order) onConfirm(orderv1.ConfirmOrder) step {
	switch o.status {
	case placed:
		return o.confirm("order confirmed")
	case confirmed:
		return step{order: o, say: []event.Body{o.confirmation(true)}}
	}
	return o.refuse("")
}

// refuse says that the order will not be confirmed.
func (o order) refuse(note string) step {
	return step{o, note, []event.Body{orderv1.ConfirmationRefused{OrderID: o.id, Reason: o.reason, Directed: o.directed}}}
}

// onStop is told by the mediator to confirm the order no more, before it undoes what
// only an order that is not confirmed can do without.
func (o order) onStop(c orderv1.StopOrder) step {
	switch o.status {
	case placed:
		o.status, o.reason = cancelling, clip(c.Reason)
		return o.refuse(o.reason)
	case confirmed:
		return step{order: o, say: []event.Body{o.confirmation(true)}}
	}
	return o.refuse("")
}

// onCancel is told by the mediator that nothing is done for the order any more.
func (o order) onCancel(c orderv1.CancelOrder) step {
	switch o.status {
	case confirmed:
		return step{order: o, say: []event.Body{o.confirmation(true)}}
	case cancelled:
		return step{order: o, say: []event.Body{o.cancellation(true)}}
	}
	return o.cancel(clip(c.Reason), "order cancelled")
}

// withdraw undoes an order before it is confirmed: the customer wants it, or its
// time is up. What is being undone or has ended stays as it is.
func (o order) withdraw(reason string) step {
	if o.status != placed {
		return o.stay("")
	}
	s := o.undo(reason, reason)
	if s.status == cancelling {
		s.say = append(s.say, orderv1.CancellationRequested{OrderID: o.id, Reason: reason, Directed: o.directed})
	}
	return s
}

// cancelByCustomer is withdraw for a customer, who is told if it is too late.
func (o order) cancelByCustomer() (step, error) {
	if o.status == confirmed {
		return step{}, problem.Conflict("order %s is confirmed, and can no longer be cancelled", o.id)
	}
	return o.withdraw("cancelled by the customer"), nil
}

// expire is withdraw at the deadline. An order that was confirmed in time stays.
func (o order) expire() step { return o.withdraw("not settled in time") }

func because(what, why string) string {
	if why == "" {
		return what
	}
	return what + ": " + clip(why)
}

// shortage says what is missing, as far as a person wants to read.
func shortage(missing []inventoryv1.Shortage) string {
	const most = 3
	var b strings.Builder
	b.WriteString("out of stock")
	for i, m := range missing {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(missing)-most)
			break
		}
		b.WriteString([]string{": ", ", "}[min(i, 1)])
		fmt.Fprintf(&b, "%s (%d wanted, %d available)", clip(m.SKU), m.Wanted, m.Available)
	}
	return b.String()
}

// clip bounds what is quoted of what others said, and leaves out what would not
// be text in a log or a database.
func clip(s string) string {
	const most = 200 // bytes
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}
