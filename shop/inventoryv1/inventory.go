// Package inventoryv1 is the contract of the inventory service, version 1.
//
// Events of an order that a mediator directs are marked as Directed: nobody takes a
// decision from them but the mediator. Those that are Unchanged only answer a command
// that changed nothing: it was so before.
package inventoryv1

import "github.com/tutti-go/tutti/event"

// Topic carries what happens to the stock of orders, Commands the requests to the
// inventory service.
var (
	Topic    = event.Topic{Name: "shop.stock"}
	Commands = event.Topic{Name: "shop.stock.command"}
)

// Line is a number of units of a product.
type Line struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

// ReserveStock asks for stock to be set aside for all lines of an order. It is
// answered by Reserved or OutOfStock.
type ReserveStock struct {
	OrderID string `json:"orderId"`
	Lines   []Line `json:"lines"`
}

// Contract implements event.Typed.
func (ReserveStock) Contract() event.Contract {
	return event.Contract{Type: "shop.stock.reserve", Version: 1, Topic: Commands, Kind: event.KindCommand}
}

// Key is the order's id.
func (c ReserveStock) Key() string { return c.OrderID }

// ReleaseStock asks for the stock of an order to be freed. It is answered by Released,
// also where nothing was set aside; then nothing will be.
type ReleaseStock struct {
	OrderID string `json:"orderId"`
}

// Contract implements event.Typed.
func (ReleaseStock) Contract() event.Contract {
	return event.Contract{Type: "shop.stock.release", Version: 1, Topic: Commands, Kind: event.KindCommand}
}

// Key is the order's id.
func (c ReleaseStock) Key() string { return c.OrderID }

// Shortage is a line of an order that stock does not cover.
type Shortage struct {
	SKU       string `json:"sku"`
	Wanted    int64  `json:"wanted"`
	Available int64  `json:"available"`
}

// Reserved says that stock is set aside for all lines of an order.
type Reserved struct {
	OrderID   string `json:"orderId"`
	Directed  bool   `json:"directed,omitempty"`
	Unchanged bool   `json:"unchanged,omitempty"`
}

// Contract implements event.Typed.
func (Reserved) Contract() event.Contract {
	return event.Contract{Type: "shop.stock.reserved", Version: 1, Topic: Topic}
}

// Key is the order's id.
func (e Reserved) Key() string { return e.OrderID }

// News reports whether it tells anything new.
func (e Reserved) News() bool { return !e.Unchanged }

// OutOfStock says that an order cannot be covered; nothing is set aside for it.
type OutOfStock struct {
	OrderID   string     `json:"orderId"`
	Missing   []Shortage `json:"missing"`
	Directed  bool       `json:"directed,omitempty"`
	Unchanged bool       `json:"unchanged,omitempty"`
}

// Contract implements event.Typed.
func (OutOfStock) Contract() event.Contract {
	return event.Contract{Type: "shop.stock.out", Version: 1, Topic: Topic}
}

// Key is the order's id.
func (e OutOfStock) Key() string { return e.OrderID }

// News reports whether it tells anything new.
func (e OutOfStock) News() bool { return !e.Unchanged }

// Released says that the stock set aside for an order is free again.
type Released struct {
	OrderID   string `json:"orderId"`
	Directed  bool   `json:"directed,omitempty"`
	Unchanged bool   `json:"unchanged,omitempty"`
}

// Contract implements event.Typed.
func (Released) Contract() event.Contract {
	return event.Contract{Type: "shop.stock.released", Version: 1, Topic: Topic}
}

// Key is the order's id.
func (e Released) Key() string { return e.OrderID }

// News reports whether it tells anything new.
func (e Released) News() bool { return !e.Unchanged }

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
