// Package shippingv1 is the contract of the shipping service, version 1.
package shippingv1

import "github.com/tutti-go/tutti/event"

// Topic carries what happens to the deliveries of orders.
var Topic = event.Topic{Name: "shop.shipment"}

// Scheduled says that a carrier will deliver an order.
type Scheduled struct {
	OrderID    string `json:"orderId"`
	ShipmentID string `json:"shipmentId"`
	Carrier    string `json:"carrier"`
}

// Contract implements event.Typed.
func (Scheduled) Contract() event.Contract {
	return event.Contract{Type: "shop.shipment.scheduled", Version: 1, Topic: Topic}
}

// Key is the order's id.
func (e Scheduled) Key() string { return e.OrderID }

// Unavailable says that an order will not be delivered: no carrier takes it, or
// it was stopped. A delivery already booked has been called off.
type Unavailable struct {
	OrderID string `json:"orderId"`
	Reason  string `json:"reason"`
}

// Contract implements event.Typed.
func (Unavailable) Contract() event.Contract {
	return event.Contract{Type: "shop.shipment.unavailable", Version: 1, Topic: Topic}
}

// Key is the order's id.
func (e Unavailable) Key() string { return e.OrderID }
