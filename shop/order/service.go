// Package order takes orders, and decides how each ends: confirmed, once it is
// reserved, paid and on its way; cancelled, once anything of that fails, its time
// is up or the customer no longer wants it. It tells the others what it decided
// and asks nobody. Exactly one of Confirmed and Cancelled is ever published for an
// order, whatever comes in whatever order. Of an order that a mediator directs, it
// decides on that one's command, and only notes what else it hears. It knows prices and quantities as they
// were ordered, no stock, no payment and no carrier, and keeps neither payment
// tokens nor addresses.
//
// It trusts whoever places an order to have agreed on the prices with the customer:
// they may be those of last year, or of an offer, and only the caller knows. So
// POST /orders is for programs of the shop's own. Customers order through the
// storefront, which prices their carts itself.
package order

import (
	"cmp"
	"fmt"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/shop/orderv1"
)

// Config tunes the order service. Its zero value is the documented default.
type Config struct {
	// Deadline is how long an order may take to be confirmed before it is undone;
	// default 30 minutes.
	Deadline time.Duration
	// Style is that of orders that name none; default choreography.
	Style orderv1.Style
}

func (c Config) directs(s orderv1.Style) bool { return cmp.Or(s, c.Style) == orderv1.Orchestration }

// Register makes a service the order service. It panics if the deadline is
// negative or the style is none: faults of the program's text.
func Register(c Config) func(*service.Service) {
	c.Deadline = cmp.Or(c.Deadline, 30*time.Minute)
	if c.Deadline < 0 {
		panic(fmt.Sprintf("order: Deadline is %v, want 0 or more", c.Deadline))
	}
	c.Style = cmp.Or(c.Style, orderv1.Choreography)
	if !validStyle(c.Style) {
		panic(fmt.Sprintf("order: Style is %q, want %s", c.Style, styleRule))
	}
	return func(s *service.Service) {
		s.Migrations(migrations)
		event.Publishes[orderv1.Placed](s)
		event.Publishes[orderv1.CancellationRequested](s)
		event.Publishes[orderv1.Confirmed](s)
		event.Publishes[orderv1.ConfirmationRefused](s)
		event.Publishes[orderv1.Cancelled](s)
		event.Publishes[orderv1.Returned](s)

		event.On(s, c.onPlace)
		event.OnBatch(s, following(order.onReserved))
		event.OnBatch(s, following(order.onOutOfStock))
		event.OnBatch(s, following(order.onPaid))
		event.OnBatch(s, following(order.onPaymentFailed))
		event.OnBatch(s, following(order.onScheduled))
		event.OnBatch(s, following(order.onUnavailable))
		event.OnBatch(s, following(order.onRefunded))
		event.OnBatch(s, following(order.onReleased))
		event.OnBatch(s, obeying(order.onConfirm))
		event.OnBatch(s, obeying(order.onStop))
		event.OnBatch(s, obeying(order.onCancel))
		event.On(s, onReturnRefunded)
		event.On(s, onRestocked)
		job.OnDue(s, onDeadline)

		rt := routes{s, c}
		s.Handle("POST /orders", rt.place)
		s.Handle("GET /orders", rt.list)
		s.Handle("GET /orders/{id}", rt.get)
		s.Handle("DELETE /orders/{id}", rt.cancel)
		s.Handle("POST /orders/{id}/returns", rt.giveBack)
		s.Handle("GET /orders/{id}/returns/{returnId}", rt.getReturn)
	}
}
