// Package shippingv1 is the contract of the shipping service, version 1.
//
// Events of an order that a mediator directs are marked as Directed: nobody takes a
// decision from them but the mediator. Those that are Unchanged only answer a command
// that changed nothing: it was so before.
package shippingv1

import "github.com/tutti-go/tutti/event"

// Topic carries what happens to the deliveries of orders, Commands the requests to the
// shipping service.
var (
	Topic    = event.Topic{Name: "shop.shipment"}
	Commands = event.Topic{Name: "shop.shipment.command"}
)

// Address is where an order is delivered.
type Address struct {
	Name    string `json:"name"`
	Street  string `json:"street"`
	City    string `json:"city"`
	Country string `json:"country"`
}

// ScheduleDelivery asks for the delivery of an order. It is answered by Scheduled or
// Unavailable.
type ScheduleDelivery struct {
	OrderID string  `json:"orderId"`
	Address Address `json:"address"`
}

// Contract implements event.Typed.
func (ScheduleDelivery) Contract() event.Contract {
	return event.Contract{Type: "shop.shipment.schedule", Version: 1, Topic: Commands, Kind: event.KindCommand}
}

// Key is the order's id.
func (c ScheduleDelivery) Key() string { return c.OrderID }

// CancelDelivery asks for the delivery of an order to be called off. It is answered by
// Unavailable, also where nothing was booked; then nothing will be.
type CancelDelivery struct {
	OrderID string `json:"orderId"`
	Reason  string `json:"reason"`
}

// Contract implements event.Typed.
func (CancelDelivery) Contract() event.Contract {
	return event.Contract{Type: "shop.shipment.cancel", Version: 1, Topic: Commands, Kind: event.KindCommand}
}

// Key is the order's id.
func (c CancelDelivery) Key() string { return c.OrderID }

// Scheduled says that a carrier will deliver an order.
type Scheduled struct {
	OrderID    string `json:"orderId"`
	ShipmentID string `json:"shipmentId"`
	Carrier    string `json:"carrier"`
	Directed   bool   `json:"directed,omitempty"`
	Unchanged  bool   `json:"unchanged,omitempty"`
}

// Contract implements event.Typed.
func (Scheduled) Contract() event.Contract {
	return event.Contract{Type: "shop.shipment.scheduled", Version: 1, Topic: Topic}
}

// Key is the order's id.
func (e Scheduled) Key() string { return e.OrderID }

// News reports whether it tells anything new.
func (e Scheduled) News() bool { return !e.Unchanged }

// Unavailable says that an order will not be delivered: no carrier takes it, or
// it was stopped. A delivery already booked has been called off.
type Unavailable struct {
	OrderID   string `json:"orderId"`
	Reason    string `json:"reason"`
	Directed  bool   `json:"directed,omitempty"`
	Unchanged bool   `json:"unchanged,omitempty"`
}

// Contract implements event.Typed.
func (Unavailable) Contract() event.Contract {
	return event.Contract{Type: "shop.shipment.unavailable", Version: 1, Topic: Topic}
}

// Key is the order's id.
func (e Unavailable) Key() string { return e.OrderID }

// News reports whether it tells anything new.
func (e Unavailable) News() bool { return !e.Unchanged }
