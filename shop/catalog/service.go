// Package catalog is what the shop sells: products by stock-keeping unit, with
// their names and prices. It publishes each change, so that others keep copies and
// need not ask. It knows no stock; that is inventory's.
package catalog

import (
	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/shop/catalogv1"
)

// Register makes s the catalog service.
func Register(s *service.Service) {
	s.Migrations(migrations)
	event.Publishes[catalogv1.Listed](s)

	rt := routes{s}
	s.Handle("PUT /products/{sku}", rt.put)
	s.Handle("GET /products/{sku}", rt.get)
	s.Handle("GET /products", rt.browse)
}
