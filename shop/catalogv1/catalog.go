// Package catalogv1 is the contract of the catalog service, version 1.
package catalogv1

import "github.com/tutti-go/tutti/event"

// Topic carries the products.
var Topic = event.Topic{Name: "shop.product"}

// Listed says that a product is on sale, and its name and price in pence. It
// replaces what was said of the product before.
type Listed struct {
	SKU   string `json:"sku"`
	Name  string `json:"name"`
	Price int64  `json:"price"`
	// Revision grows with each change of a product. Events of two instances of the
	// service may come the other way round: that of the highest revision counts.
	// Without one, as older versions sent it, an event counts as it comes.
	Revision int64 `json:"revision,omitempty"`
}

// Contract implements event.Typed.
func (Listed) Contract() event.Contract {
	return event.Contract{Type: "shop.product.listed", Version: 1, Topic: Topic}
}

// Key is the product's stock-keeping unit.
func (e Listed) Key() string { return e.SKU }
