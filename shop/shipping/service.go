// Package shipping books deliveries for orders that are paid, and calls them off
// for orders that are cancelled. It listens to orders and payments, or to the commands
// of a mediator, and reaches the carrier by jobs only. What it hears may come in any
// order and more than once; a delivery is published as scheduled and as unavailable at
// most once each, but for answers to commands that changed nothing, and as unavailable
// only when nothing is booked any more.
package shipping

import (
	"embed"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/shop/shippingv1"
)

//go:embed migrations
var migrations embed.FS

// Register returns what sets up the service with its carrier.
func Register(carrier Carrier) func(*service.Service) {
	return func(s *service.Service) {
		s.Migrations(migrations)
		event.Publishes[shippingv1.Scheduled](s)
		event.Publishes[shippingv1.Unavailable](s)
		event.OnBatch(s, learning(placedSays))
		event.OnBatch(s, learning(completedSays))
		event.OnBatch(s, learning(cancellationRequestedSays))
		event.OnBatch(s, learning(scheduleDeliverySays))
		event.OnBatch(s, learning(cancelDeliverySays))
		handleJobs(s, carrier)
		s.Handle("GET /shipments/{order}", handler{s}.show)
	}
}
