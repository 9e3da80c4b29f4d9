// Package customer knows who the shop's customers are and what they have spent. It
// publishes each change of who they are, so that others keep copies and need not
// ask, and adds up what confirmed orders cost less what was returned. Who orders
// without having registered is a customer without a name.
package customer

import (
	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/shop/customerv1"
)

// Register makes s the customer service.
func Register(s *service.Service) {
	s.Migrations(migrations)
	event.Publishes[customerv1.Registered](s)

	event.OnBatch(s, counting[confirmed])
	event.OnBatch(s, counting[returned])

	rt := routes{s}
	s.Handle("PUT /customers/{id}", rt.put)
	s.Handle("GET /customers/{id}", rt.get)
}
