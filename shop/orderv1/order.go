// Package orderv1 is the contract of the order service, version 1.
//
// Events of an order that a mediator directs are marked as Directed: nobody takes a
// decision from them but the mediator. Those that are Unchanged only answer a command
// that changed nothing: it was so before.
package orderv1

import (
	"time"

	"github.com/tutti-go/tutti/event"
)

// Topic carries the events of orders, Commands the requests to the order service.
var (
	Topic    = event.Topic{Name: "shop.order"}
	Commands = event.Topic{Name: "shop.order.command"}
)

// Line is one line of an order. Prices are in pence.
type Line struct {
	SKU       string `json:"sku"`
	Quantity  int64  `json:"quantity"`
	UnitPrice int64  `json:"unitPrice"`
}

// Address is where an order is delivered.
type Address struct {
	Name    string `json:"name"`
	Street  string `json:"street"`
	City    string `json:"city"`
	Country string `json:"country"`
}

// Style says how an order gets to its end.
type Style string

// Under choreography the services follow each other's events, under orchestration they
// follow the commands of a mediator.
const (
	Choreography  Style = "choreography"
	Orchestration Style = "orchestration"
)

// Place asks for an order. The order id is chosen by the sender; the same id
// again has no effect.
type Place struct {
	OrderID      string  `json:"orderId"`
	CustomerID   string  `json:"customerId"`
	Lines        []Line  `json:"lines"`
	PaymentToken string  `json:"paymentToken"`
	Address      Address `json:"address"`
	// Style, if it is empty, is as the order service is set up.
	Style Style `json:"style,omitempty"`
}

// Contract implements event.Typed.
func (Place) Contract() event.Contract {
	return event.Contract{Type: "shop.order.place", Version: 1, Topic: Commands, Kind: event.KindCommand}
}

// Key is the order's id.
func (c Place) Key() string { return c.OrderID }

// Placed says that an order was accepted. It is to be settled by Deadline.
type Placed struct {
	OrderID      string    `json:"orderId"`
	CustomerID   string    `json:"customerId"`
	Lines        []Line    `json:"lines"`
	Total        int64     `json:"total"`
	PaymentToken string    `json:"paymentToken"`
	Address      Address   `json:"address"`
	Deadline     time.Time `json:"deadline"`
	Directed     bool      `json:"directed,omitempty"`
}

// Contract implements event.Typed.
func (Placed) Contract() event.Contract {
	return event.Contract{Type: "shop.order.placed", Version: 1, Topic: Topic}
}

// Key is the order's id.
func (e Placed) Key() string { return e.OrderID }

// CancellationRequested says that an order is to be undone before it is
// confirmed: the customer cancelled it, or it was not settled in time.
type CancellationRequested struct {
	OrderID  string `json:"orderId"`
	Reason   string `json:"reason"`
	Directed bool   `json:"directed,omitempty"`
}

// Contract implements event.Typed.
func (CancellationRequested) Contract() event.Contract {
	return event.Contract{Type: "shop.order.cancellation-requested", Version: 1, Topic: Topic}
}

// Key is the order's id.
func (e CancellationRequested) Key() string { return e.OrderID }

// Confirmed says that an order is reserved, paid and on its way.
type Confirmed struct {
	OrderID    string `json:"orderId"`
	CustomerID string `json:"customerId"`
	Total      int64  `json:"total"`
	Directed   bool   `json:"directed,omitempty"`
	Unchanged  bool   `json:"unchanged,omitempty"`
}

// Contract implements event.Typed.
func (Confirmed) Contract() event.Contract {
	return event.Contract{Type: "shop.order.confirmed", Version: 1, Topic: Topic}
}

// Key is the order's id.
func (e Confirmed) Key() string { return e.OrderID }

// ConfirmOrder asks for an order that a mediator directs to be confirmed: it is
// reserved, paid and on its way. It is answered by Confirmed or ConfirmationRefused.
type ConfirmOrder struct {
	OrderID string `json:"orderId"`
}

// Contract implements event.Typed.
func (ConfirmOrder) Contract() event.Contract {
	return event.Contract{Type: "shop.order.confirm", Version: 1, Topic: Commands, Kind: event.KindCommand}
}

// Key is the order's id.
func (c ConfirmOrder) Key() string { return c.OrderID }

// ConfirmationRefused says that an order will not be confirmed, because it is being or
// was cancelled.
type ConfirmationRefused struct {
	OrderID  string `json:"orderId"`
	Reason   string `json:"reason"`
	Directed bool   `json:"directed,omitempty"`
}

// Contract implements event.Typed.
func (ConfirmationRefused) Contract() event.Contract {
	return event.Contract{Type: "shop.order.confirmation-refused", Version: 1, Topic: Topic}
}

// Key is the order's id.
func (e ConfirmationRefused) Key() string { return e.OrderID }

// StopOrder asks for an order that a mediator directs not to be confirmed any more. It
// is answered by ConfirmationRefused, or by Confirmed where that is too late.
type StopOrder struct {
	OrderID string `json:"orderId"`
	Reason  string `json:"reason"`
}

// Contract implements event.Typed.
func (StopOrder) Contract() event.Contract {
	return event.Contract{Type: "shop.order.stop", Version: 1, Topic: Commands, Kind: event.KindCommand}
}

// Key is the order's id.
func (c StopOrder) Key() string { return c.OrderID }

// CancelOrder asks for an order that a mediator directs, and for which nothing is done
// any more, to be cancelled. It is answered by Cancelled.
type CancelOrder struct {
	OrderID string `json:"orderId"`
	Reason  string `json:"reason"`
}

// Contract implements event.Typed.
func (CancelOrder) Contract() event.Contract {
	return event.Contract{Type: "shop.order.cancel", Version: 1, Topic: Commands, Kind: event.KindCommand}
}

// Key is the order's id.
func (c CancelOrder) Key() string { return c.OrderID }

// Cancelled says that an order ended without delivery, and that what was done for
// it is being or has been undone.
type Cancelled struct {
	OrderID    string `json:"orderId"`
	CustomerID string `json:"customerId"`
	Reason     string `json:"reason"`
	Directed   bool   `json:"directed,omitempty"`
	Unchanged  bool   `json:"unchanged,omitempty"`
}

// Contract implements event.Typed.
func (Cancelled) Contract() event.Contract {
	return event.Contract{Type: "shop.order.cancelled", Version: 1, Topic: Topic}
}

// Key is the order's id.
func (e Cancelled) Key() string { return e.OrderID }

// Returned says that goods of a confirmed order came back. Refund is what the
// customer gets for them.
type Returned struct {
	OrderID    string `json:"orderId"`
	ReturnID   string `json:"returnId"`
	CustomerID string `json:"customerId"`
	Lines      []Line `json:"lines"`
	Refund     int64  `json:"refund"`
}

// Contract implements event.Typed.
func (Returned) Contract() event.Contract {
	return event.Contract{Type: "shop.order.returned", Version: 1, Topic: Topic}
}

// Key is the order's id.
func (e Returned) Key() string { return e.OrderID }
