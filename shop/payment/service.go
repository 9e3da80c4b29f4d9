// Package payment charges orders whose stock is reserved, and gives the money back
// for orders that are not shipped and for goods that are returned. It listens to
// orders, stock and shipments, or to the commands of a mediator, and reaches the payment gateway by jobs only. What
// it hears may come in any order and more than once; no charge is left of an order
// that is not shipped, and a payment is published as completed, failed or refunded
// at most once each, but for answers to commands that changed nothing.
package payment

import (
	"embed"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/shop/paymentv1"
)

//go:embed migrations
var migrations embed.FS

// Register returns what sets up the service with its gateway. A gateway that is a
// [Notifier] gets the service as its listener.
func Register(gw Gateway) func(*service.Service) {
	return func(s *service.Service) {
		s.Migrations(migrations)
		event.Publishes[paymentv1.Completed](s)
		event.Publishes[paymentv1.Failed](s)
		event.Publishes[paymentv1.Refunded](s)
		event.Publishes[paymentv1.ReturnRefunded](s)
		event.OnBatch(s, learning(placedSays))
		event.OnBatch(s, learning(reservedSays))
		event.OnBatch(s, learning(unavailableSays))
		event.On(s, onReturned)
		event.OnBatch(s, learning(processPaymentSays))
		event.OnBatch(s, learning(refundPaymentSays))
		handleJobs(s, gw)
		h := handler{s}
		s.Handle("GET /payments/{order}", h.show)
		if n, ok := gw.(Notifier); ok {
			n.Notify(h.report)
		}
	}
}
