package fulfilment

import (
	"cmp"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/shop/inventoryv1"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/paymentv1"
	"github.com/tutti-go/tutti/shop/shippingv1"
)

// purchase is what is known of an order on its way. What no command needs any more is
// forgotten.
type purchase struct {
	OrderID string             `json:"orderId"`
	Lines   []inventoryv1.Line `json:"lines,omitempty"`
	Total   int64              `json:"total"`
	Token   string             `json:"token,omitempty"`
	Address shippingv1.Address `json:"address,omitzero"`
	Reason  string             `json:"reason,omitempty"` // why it is being undone
}

type step = *saga.Node[purchase]

// define is the business process, as each flow has it. The flows are two sagas, and not
// two versions of one: a version follows another, but a setting goes to and fro.
func (f Flow) define(takesNew bool) *saga.Definition[purchase] {
	var process []step
	switch f {
	case ReserveFirst:
		process = []step{order(), stock(), payment(), delivery(), confirmation()}
	case PayFirst:
		process = []step{order(), payment(), stock(), delivery(), confirmation()}
	}
	process = append(process, saga.CancelledBy(cancel))
	if takesNew {
		process = append(process, saga.StartedBy(begin))
	}
	return saga.Define(f.saga(), 1, process...)
}

func (f Flow) saga() string {
	if f == ReserveFirst {
		return "shop.fulfilment"
	}
	return "shop.fulfilment." + string(f)
}

func begin(p *purchase, m event.Message[placed]) {
	b := m.Body
	*p = purchase{OrderID: b.OrderID, Lines: b.Lines, Total: b.Total, Token: b.PaymentToken, Address: b.Address}
}

func cancel(p *purchase, m event.Message[cancellationRequested]) string {
	p.Reason = m.Body.Reason
	return p.Reason
}

// fail notes why the order is undone.
func (p *purchase) fail(what, why string) string {
	if why != "" {
		what += ": " + why
	}
	p.Reason = what
	return what
}

func (p *purchase) why() string { return cmp.Or(p.Reason, "cancelled") }

// A service that is down for a while must not fail orders: they are asked for as long as
// their time is not up, and then their cancellation is.
const patience = 2 * time.Minute

func patient(s step) step { return s.Within(patience).Attempts(0) }

// order stands for what the customer did: what is left to undo when all else is undone.
func order() step {
	return saga.Step("order",
		saga.Undo(func(p *purchase) orderv1.CancelOrder {
			return orderv1.CancelOrder{OrderID: p.OrderID, Reason: p.why()}
		},
			saga.Done(func(*purchase, event.Message[cancelled]) {}))).
		Tries(0, patience)
}

func stock() step {
	return patient(saga.Step("stock",
		saga.Send(func(p *purchase) inventoryv1.ReserveStock {
			return inventoryv1.ReserveStock{OrderID: p.OrderID, Lines: p.Lines}
		}),
		saga.Done(func(p *purchase, _ event.Message[reserved]) { p.Lines = nil }),
		saga.Failed(func(p *purchase, _ event.Message[outOfStock]) string { return p.fail("out of stock", "") }),
		saga.Undo(func(p *purchase) inventoryv1.ReleaseStock { return inventoryv1.ReleaseStock{OrderID: p.OrderID} },
			saga.Done(func(*purchase, event.Message[released]) {})))).
		Tries(0, patience)
}

// payment is undone by giving the money back. If it turns out that nothing was ever
// charged, that is as good.
func payment() step {
	return patient(saga.Step("payment",
		saga.Send(func(p *purchase) paymentv1.ProcessPayment {
			return paymentv1.ProcessPayment{OrderID: p.OrderID, Amount: p.Total, PaymentToken: p.Token}
		}),
		saga.Done(func(p *purchase, _ event.Message[completed]) { p.Token = "" }),
		saga.Failed(func(p *purchase, m event.Message[failed]) string { return p.fail("payment failed", m.Body.Reason) }),
		saga.Undo(func(p *purchase) paymentv1.RefundPayment {
			return paymentv1.RefundPayment{OrderID: p.OrderID, Reason: p.why()}
		},
			saga.Done(func(*purchase, event.Message[refunded]) {}),
			saga.Done(func(*purchase, event.Message[failed]) {})))).
		Tries(0, patience)
}

func delivery() step {
	return patient(saga.Step("delivery",
		saga.Send(func(p *purchase) shippingv1.ScheduleDelivery {
			return shippingv1.ScheduleDelivery{OrderID: p.OrderID, Address: p.Address}
		}),
		saga.Done(func(p *purchase, _ event.Message[scheduled]) { p.Address = shippingv1.Address{} }),
		saga.Failed(func(p *purchase, m event.Message[unavailable]) string { return p.fail("no delivery", m.Body.Reason) }),
		saga.Undo(func(p *purchase) shippingv1.CancelDelivery {
			return shippingv1.CancelDelivery{OrderID: p.OrderID, Reason: p.why()}
		},
			saga.Done(func(*purchase, event.Message[unavailable]) {})))).
		Tries(0, patience)
}

// confirmation is refused where the customer or the clock was faster. A mediator that
// is told to give up meanwhile has to know first that it was not too late: else nothing
// is undone, and a person has to look.
func confirmation() step {
	return patient(saga.Step("confirmation",
		saga.Send(func(p *purchase) orderv1.ConfirmOrder { return orderv1.ConfirmOrder{OrderID: p.OrderID} }),
		saga.Done(func(*purchase, event.Message[confirmed]) {}),
		saga.Failed(func(p *purchase, m event.Message[confirmationRefused]) string { return p.fail(m.Body.Reason, "") }),
		saga.Undo(func(p *purchase) orderv1.StopOrder { return orderv1.StopOrder{OrderID: p.OrderID, Reason: p.why()} },
			saga.Done(func(*purchase, event.Message[confirmationRefused]) {}),
			saga.Failed(func(*purchase, event.Message[confirmed]) string { return "the order is confirmed" }))))
}
