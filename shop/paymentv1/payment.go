// Package paymentv1 is the contract of the payment service, version 1. Amounts
// are in pence. No card number appears in it.
package paymentv1

import "github.com/tutti-go/tutti/event"

// Topic carries what happens to the payments of orders.
var Topic = event.Topic{Name: "shop.payment"}

// Completed says that an order is paid.
type Completed struct {
	OrderID   string `json:"orderId"`
	PaymentID string `json:"paymentId"`
	Amount    int64  `json:"amount"`
}

// Contract implements event.Typed.
func (Completed) Contract() event.Contract {
	return event.Contract{Type: "shop.payment.completed", Version: 1, Topic: Topic}
}

// Key is the order's id.
func (e Completed) Key() string { return e.OrderID }

// Failed says that an order will not be paid: the payment was declined, or
// stopped before anything was charged.
type Failed struct {
	OrderID string `json:"orderId"`
	Reason  string `json:"reason"`
}

// Contract implements event.Typed.
func (Failed) Contract() event.Contract {
	return event.Contract{Type: "shop.payment.failed", Version: 1, Topic: Topic}
}

// Key is the order's id.
func (e Failed) Key() string { return e.OrderID }

// Refunded says that the whole payment of an order was given back.
type Refunded struct {
	OrderID   string `json:"orderId"`
	PaymentID string `json:"paymentId"`
	Amount    int64  `json:"amount"`
}

// Contract implements event.Typed.
func (Refunded) Contract() event.Contract {
	return event.Contract{Type: "shop.payment.refunded", Version: 1, Topic: Topic}
}

// Key is the order's id.
func (e Refunded) Key() string { return e.OrderID }

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
