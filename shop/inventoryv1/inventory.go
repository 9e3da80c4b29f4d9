// Package inventoryv1 is the contract of the inventory service, version 1.
package inventoryv1

import "github.com/tutti-go/tutti/event"

// Topic carries what happens to the stock of orders.
var Topic = event.Topic{Name: "shop.stock"}

// Shortage is a line of an order that stock does not cover.
type Shortage struct {
	SKU       string `json:"sku"`
	Wanted    int64  `json:"wanted"`
	Available int64  `json:"available"`
}

// Reserved says that stock is set aside for all lines of an order.
type Reserved struct {
	OrderID string `json:"orderId"`
}

// Contract implements event.Typed.
func (Reserved) Contract() event.Contract {
	return event.Contract{Type: "shop.stock.reserved", Version: 1, Topic: Topic}
}

// Key is the order's id.
func (e Reserved) Key() string { return e.OrderID }

// OutOfStock says that an order cannot be covered; nothing is set aside for it.
type OutOfStock struct {
	OrderID string     `json:"orderId"`
	Missing []Shortage `json:"missing"`
}

// Contract implements event.Typed.
func (OutOfStock) Contract() event.Contract {
	return event.Contract{Type: "shop.stock.out", Version: 1, Topic: Topic}
}

// Key is the order's id.
func (e OutOfStock) Key() string { return e.OrderID }

// Released says that the stock set aside for an order is free again.
type Released struct {
	OrderID string `json:"orderId"`
}

// Contract implements event.Typed.
func (Released) Contract() event.Contract {
	return event.Contract{Type: "shop.stock.released", Version: 1, Topic: Topic}
}

// Key is the order's id.
func (e Released) Key() string { return e.OrderID }

// Restocked says that returned goods are back in stock.
type Restocked struct {
	OrderID  string `json:"orderId"`
	ReturnID string `json:"returnId"`
}

// Contract implements event.Typed.
func (Restocked) Contract() event.Contract {
	return event.Contract{Type: "shop.stock.restocked", Version: 1, Topic: Topic}
}

// Key is the order's id.
func (e Restocked) Key() string { return e.OrderID }
