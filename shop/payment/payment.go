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
	Directed  bool  // by a mediator, whose commands are always answered
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

// Process is told by a mediator to charge: it has seen to all else.
func (p Payment) Process(amount int64, token string) (Payment, Effect) {
	p.Directed = true
	p, _ = p.Place(amount, token)
	return p.Reserve()
}

// GiveBack is told by a mediator to stop.
func (p Payment) GiveBack(reason string) (Payment, Effect) {
	p.Directed = true
	return p.Stop(reason)
}

// answered makes sure that a command is answered: where it changes nothing, and
// nothing is under way, by how the payment stands.
func answered(p Payment, e Effect) (Payment, Effect) {
	if e.Publish == nil && e.Start == nil {
		e.Publish = p.standing(true)
	}
	return p, e
}

// standing says how the payment stands; nil while that is about to change.
func (p Payment) standing(unchanged bool) event.Body {
	switch p.Status {
	case Charged:
		return paymentv1.Completed{OrderID: p.Order, PaymentID: p.PaymentID, Amount: p.Amount, Directed: p.Directed, Unchanged: unchanged}
	case Failed:
		return paymentv1.Failed{OrderID: p.Order, Reason: p.Reason, Directed: p.Directed, Unchanged: unchanged}
	case Refunded:
		return paymentv1.Refunded{OrderID: p.Order, PaymentID: p.PaymentID, Amount: p.Amount, Directed: p.Directed, Unchanged: unchanged}
	}
	return nil
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
	return p, Effect{Publish: p.standing(false)}
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
	return p, Effect{Publish: p.standing(false)}
}

func (p Payment) fail(reason string) (Payment, Effect) {
	p.Status, p.Reason = Failed, reason
	return p, Effect{Publish: p.standing(false)}
}

func (p Payment) undo(reason string) (Payment, Effect) {
	p.Status, p.Reason = Refunding, reason
	return p, Effect{Start: refundJob{Order: p.Order}}
}
