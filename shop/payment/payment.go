package payment

import (
	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/shop/paymentv1"
)

// Status is how far a payment is.
type Status string

// A payment is pending until the order is known and its stock reserved, and ends
// failed, charged or refunded. Refunding leads to refunded, or to failed where it
// never became known that the charge had succeeded.
const (
	Pending   Status = "pending"
	Charging  Status = "charging"
	Charged   Status = "charged"
	Failed    Status = "failed"
	Refunding Status = "refunding"
	Refunded  Status = "refunded"
)

// State is what decisions depend on.
type State struct {
	Status   Status
	Placed   bool // the order is known, and with it amount and token
	Reserved bool // its stock is set aside
	Stopped  bool // it will not be shipped: nothing may stay charged
}

// Payment is the payment of one order. Facts about it come in any order, and more
// than once; a fact that is known already changes nothing.
type Payment struct {
	Order string
	State
	Amount    int64 // in pence
	Token     string
	PaymentID string // the gateway's, once it has charged
	Reason    string // why it failed or is undone
}

// Effect is what a decision asks for beside the new state: an event, a job, or
// neither.
type Effect struct {
	Publish event.Body
	Start   task
}

// New returns the payment of an order of which nothing is known.
func New(order string) Payment { return Payment{Order: order, State: State{Status: Pending}} }

// Place learns what is to be paid.
func (p Payment) Place(amount int64, token string) (Payment, Effect) {
	if p.Placed {
		return p, Effect{}
	}
	p.Placed, p.Amount, p.Token = true, amount, token
	return p.chargeIfDue()
}

// Reserve learns that the order's stock is set aside.
func (p Payment) Reserve() (Payment, Effect) {
	if p.Reserved {
		return p, Effect{}
	}
	p.Reserved = true
	return p.chargeIfDue()
}

func (p Payment) chargeIfDue() (Payment, Effect) {
	if p.Status != Pending || !p.Placed || !p.Reserved || p.Stopped {
		return p, Effect{}
	}
	p.Status = Charging
	return p, Effect{Start: chargeJob{Order: p.Order, Token: p.Token, Amount: p.Amount}}
}

// Stop learns that the order will not be shipped. What is charged is refunded;
// what is being charged, once the outcome is known.
func (p Payment) Stop(reason string) (Payment, Effect) {
	if p.Stopped {
		return p, Effect{}
	}
	p.Stopped = true
	switch p.Status {
	case Pending:
		return p.fail(reason)
	case Charged:
		return p.undo(reason)
	case Charging:
		p.Reason = reason
	}
	return p, Effect{}
}

// Charge learns that the gateway has charged.
func (p Payment) Charge(paymentID string) (Payment, Effect) {
	if p.Status != Charging {
		return p, Effect{}
	}
	p.PaymentID = paymentID
	if p.Stopped {
		return p.undo(p.Reason)
	}
	p.Status = Charged
	return p, Effect{Publish: paymentv1.Completed{OrderID: p.Order, PaymentID: paymentID, Amount: p.Amount}}
}

// Decline learns that the gateway has not charged, and never will.
func (p Payment) Decline(reason string) (Payment, Effect) {
	if p.Status != Charging {
		return p, Effect{}
	}
	return p.fail(reason)
}

// Lose gives up a charge whose outcome is unknown: it is undone, in case it was
// made.
func (p Payment) Lose(reason string) (Payment, Effect) {
	if p.Status != Charging {
		return p, Effect{}
	}
	return p.undo(reason)
}

// Refund learns that nothing is charged any more.
func (p Payment) Refund() (Payment, Effect) {
	if p.Status != Refunding {
		return p, Effect{}
	}
	if p.PaymentID == "" {
		return p.fail(p.Reason)
	}
	p.Status = Refunded
	return p, Effect{Publish: paymentv1.Refunded{OrderID: p.Order, PaymentID: p.PaymentID, Amount: p.Amount}}
}

func (p Payment) fail(reason string) (Payment, Effect) {
	p.Status, p.Reason = Failed, reason
	return p, Effect{Publish: paymentv1.Failed{OrderID: p.Order, Reason: reason}}
}

func (p Payment) undo(reason string) (Payment, Effect) {
	p.Status, p.Reason = Refunding, reason
	return p, Effect{Start: refundJob{Order: p.Order}}
}
