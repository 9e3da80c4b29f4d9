// Package storefront is the shop's front: carts, the checkout, and the web page.
// It prices carts with a copy of the catalog that the catalog's events keep, and
// asks for orders by a command, so customers can fill carts and check out while
// any other service is down. A cart becomes one order at most.
package storefront

import (
	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/shop/orderv1"
)

// Register makes s the storefront.
func Register(s *service.Service) {
	s.Migrations(migrations)
	event.Publishes[orderv1.Place](s)
	event.On(s, listed)

	rt := routes{s}
	s.Handle("POST /carts", rt.create)
	s.Handle("GET /carts/{id}", rt.get)
	s.Handle("PUT /carts/{id}/lines/{sku}", rt.putLine)
	s.Handle("DELETE /carts/{id}/lines/{sku}", rt.deleteLine)
	s.Handle("POST /carts/{id}/checkout", rt.checkOut)

	page := loadFiles()
	s.Handle("GET /{$}", page.index)
	s.Handle("GET /assets/{file}", page.asset)
}
