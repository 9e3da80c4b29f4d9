// Package paymentv1 is the contract of the payment service, version 1. Amounts
// are in pence. No card number appears in it.
//
// Events of an order that a mediator directs are marked as Directed: nobody takes a
// decision from them but the mediator. Those that are Unchanged only answer a command
// that changed nothing: it was so before.
package paymentv1

import "github.com/tutti-go/tutti/event"

// Topic carries what happens to the payments of orders, Commands the requests to the
// payment service.
var (
	Topic    = event.Topic{Name: "shop.payment"}
	Commands = event.Topic{Name: "shop.payment.command"}
)

// ProcessPayment asks for an order to be charged. It is answered by Completed or
// Failed.
type ProcessPayment struct {
	OrderID      string `json:"orderId"`
	Amount       int64  `json:"amount"`
	PaymentToken string `json:"paymentToken"`
}

// Contract implements event.Typed.
func (ProcessPayment) Contract() event.Contract {
	return event.Contract{Type: "shop.payment.process", Version: 1, Topic: Commands, Kind: event.KindCommand}
}

// Key is the order's id.
func (c ProcessPayment) Key() string { return c.OrderID }

// RefundPayment asks for the whole payment of an order to be given back. It is answered
// by Refunded, or by Failed where nothing was ever charged; then nothing will be.
type RefundPayment struct {
	OrderID string `json:"orderId"`
	Reason  string `json:"reason"`
}

// Contract implements event.Typed.
func (RefundPayment) Contract() event.Contract {
	return event.Contract{Type: "shop.payment.refund", Version: 1, Topic: Commands, Kind: event.KindCommand}
}

// Key is the order's id.
func (c RefundPayment) Key() string { return c.OrderID }

// Completed says that an order is paid.
type Completed struct {
	OrderID   string `json:"orderId"`
	PaymentID string `json:"paymentId"`
	Amount    int64  `json:"amount"`
	Directed  bool   `json:"directed,omitempty"`
	Unchanged bool   `json:"unchanged,omitempty"`
}

// Contract implements event.Typed.
func (Completed) Contract() event.Contract {
	return event.Contract{Type: "shop.payment.completed", Version: 1, Topic: Topic}
}

// Key is the order's id.
func (e Completed) Key() string { return e.OrderID }

// News reports whether it tells anything new.
func (e Completed) News() bool { return !e.Unchanged }

// Failed says that an order will not be paid: the payment was declined, or
// stopped before anything was charged.
type Failed struct {
	OrderID   string `json:"orderId"`
	Reason    string `json:"reason"`
	Directed  bool   `json:"directed,omitempty"`
	Unchanged bool   `json:"unchanged,omitempty"`
}

// Contract implements event.Typed.
func (Failed) Contract() event.Contract {
	return event.Contract{Type: "shop.payment.failed", Version: 1, Topic: Topic}
}

// Key is the order's id.
func (e Failed) Key() string { return e.OrderID }

// News reports whether it tells anything new.
func (e Failed) News() bool { return !e.Unchanged }

// Refunded says that the whole payment of an order was given back.
type Refunded struct {
	OrderID   string `json:"orderId"`
	PaymentID string `json:"paymentId"`
	Amount    int64  `json:"amount"`
	Directed  bool   `json:"directed,omitempty"`
	Unchanged bool   `json:"unchanged,omitempty"`
}

// Contract implements event.Typed.
func (Refunded) Contract() event.Contract {
	return event.Contract{Type: "shop.payment.refunded", Version: 1, Topic: Topic}
}

// Key is the order's id.
func (e Refunded) Key() string { return e.OrderID }

// News reports whether it tells anything new.
func (e Refunded) News() bool { return !e.Unchanged }

// ReturnRefunded says that the price of returned goods was given back.
type ReturnRefunded struct {
	OrderID  string `json:"orderId"`
	ReturnID string `json:"returnId"`
	Amount   int64  `json:"amount"`
}

// Contract implements event.Typed.
func (ReturnRefunded) Contract() event.Contract {
	return event.Contract{Type: "shop.payment.return-refunded", Version: 1, Topic: Topic}
}

// Key is the order's id.
func (e ReturnRefunded) Key() string { return e.OrderID }
