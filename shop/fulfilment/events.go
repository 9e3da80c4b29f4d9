package fulfilment

import (
	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/shop/inventoryv1"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/paymentv1"
	"github.com/tutti-go/tutti/shop/shippingv1"
)

// ofOrder is what fulfilment reads of every event.
type ofOrder struct {
	OrderID  string `json:"orderId"`
	Directed bool   `json:"directed"`
}

// SagaID implements saga.Correlated: others' orders are none of fulfilment's business.
func (e ofOrder) SagaID() (string, bool) { return e.OrderID, e.Directed }

// What it reads of each: no more than it needs.
type (
	placed struct {
		ofOrder
		Lines        []inventoryv1.Line `json:"lines"`
		Total        int64              `json:"total"`
		PaymentToken string             `json:"paymentToken"`
		Address      shippingv1.Address `json:"address"`
	}
	because struct {
		ofOrder
		Reason string `json:"reason"`
	}
	cancellationRequested struct{ because }
	confirmed             struct{ ofOrder }
	confirmationRefused   struct{ because }
	cancelled             struct{ ofOrder }
	reserved              struct{ ofOrder }
	outOfStock            struct{ ofOrder }
	released              struct{ ofOrder }
	completed             struct{ ofOrder }
	failed                struct{ because }
	refunded              struct{ ofOrder }
	scheduled             struct{ ofOrder }
	unavailable           struct{ because }
)

// Contract implements event.Typed, as the others do.
func (placed) Contract() event.Contract { return orderv1.Placed{}.Contract() }
func (cancellationRequested) Contract() event.Contract {
	return orderv1.CancellationRequested{}.Contract()
}
func (confirmed) Contract() event.Contract { return orderv1.Confirmed{}.Contract() }
func (confirmationRefused) Contract() event.Contract {
	return orderv1.ConfirmationRefused{}.Contract()
}
func (cancelled) Contract() event.Contract   { return orderv1.Cancelled{}.Contract() }
func (reserved) Contract() event.Contract    { return inventoryv1.Reserved{}.Contract() }
func (outOfStock) Contract() event.Contract  { return inventoryv1.OutOfStock{}.Contract() }
func (released) Contract() event.Contract    { return inventoryv1.Released{}.Contract() }
func (completed) Contract() event.Contract   { return paymentv1.Completed{}.Contract() }
func (failed) Contract() event.Contract      { return paymentv1.Failed{}.Contract() }
func (refunded) Contract() event.Contract    { return paymentv1.Refunded{}.Contract() }
func (scheduled) Contract() event.Contract   { return shippingv1.Scheduled{}.Contract() }
func (unavailable) Contract() event.Contract { return shippingv1.Unavailable{}.Contract() }
