// Package inventory keeps the stock of products. It sets stock aside for each order
// that is placed, for all of its lines or none, frees it when the order is refunded
// or not paid, and takes returned goods back. For orders that a mediator directs it does
// so by command, and always answers. Stock is never promised twice, and
// what comes late or twice changes nothing. It knows no prices, and no orders
// beyond what it has reserved for them.
package inventory

import (
	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/shop/inventoryv1"
)

// Register makes s the inventory service.
func Register(s *service.Service) {
	s.Migrations(migrations)
	event.Publishes[inventoryv1.Reserved](s)
	event.Publishes[inventoryv1.OutOfStock](s)
	event.Publishes[inventoryv1.Released](s)
	event.Publishes[inventoryv1.Restocked](s)

	event.OnBatch(s, onPlaced)
	event.On(s, onPaymentFailed)
	event.On(s, onRefunded)
	event.On(s, onReturned)
	event.OnBatch(s, onReserveStock)
	event.On(s, onReleaseStock)

	rt := routes{s}
	s.Handle("GET /stock", rt.list)
	s.Handle("GET /stock/{sku}", rt.get)
	s.Handle("POST /stock/{sku}/receipts", rt.receive)
}
