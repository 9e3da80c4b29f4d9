package shipping

import (
	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/shop/shippingv1"
)

// Status is how far a delivery is.
type Status string

// A delivery is pending until the order is known and paid, and ends scheduled or
// unavailable. It is called off where it was booked, or may have been, and is not
// wanted any more.
const (
	Pending     Status = "pending"
	Booking     Status = "booking"
	Scheduled   Status = "scheduled"
	CallingOff  Status = "calling_off"
	Unavailable Status = "unavailable"
)

// State is what decisions depend on.
type State struct {
	Status  Status
	Placed  bool // the order is known, and with it the address
	Paid    bool
	Stopped bool // the order is cancelled: nothing may stay booked
}

// Shipment is the delivery of one order. Facts about it come in any order, and
// more than once; a fact that is known already changes nothing.
type Shipment struct {
	Order string
	State
	Directed   bool   // by a mediator, whose commands are always answered
	Address    string // JSON
	ShipmentID string // the carrier's, once it is booked
	Carrier    string
	Reason     string // why it is not delivered
}

// Effect is what a decision asks for beside the new state: an event, a job, or
// neither.
type Effect struct {
	Publish event.Body
	Start   task
}

// New returns the delivery of an order of which nothing is known.
func New(order string) Shipment { return Shipment{Order: order, State: State{Status: Pending}} }

// Place learns where the order goes.
func (d Shipment) Place(address string) (Shipment, Effect) {
	if d.Placed {
		return d, Effect{}
	}
	d.Placed, d.Address = true, address
	return d.bookIfDue()
}

// Pay learns that the order is paid.
func (d Shipment) Pay() (Shipment, Effect) {
	if d.Paid {
		return d, Effect{}
	}
	d.Paid = true
	return d.bookIfDue()
}

func (d Shipment) bookIfDue() (Shipment, Effect) {
	if d.Status != Pending || !d.Placed || !d.Paid || d.Stopped {
		return d, Effect{}
	}
	d.Status = Booking
	return d, Effect{Start: bookJob{Order: d.Order, Address: []byte(d.Address)}}
}

// Stop learns that the order is being cancelled. What is booked is called off;
// what is being booked, once the outcome is known.
func (d Shipment) Stop(reason string) (Shipment, Effect) {
	if d.Stopped {
		return d, Effect{}
	}
	d.Stopped = true
	switch d.Status {
	case Pending:
		return d.end(reason)
	case Scheduled:
		return d.callOff(reason)
	case Booking:
		d.Reason = reason
	}
	return d, Effect{}
}

// Schedule is told by a mediator to book: it has seen to all else.
func (d Shipment) Schedule(address string) (Shipment, Effect) {
	d.Directed = true
	d, _ = d.Place(address)
	return d.Pay()
}

// Cancel is told by a mediator to stop.
func (d Shipment) Cancel(reason string) (Shipment, Effect) {
	d.Directed = true
	return d.Stop(reason)
}

// answered makes sure that a command is answered: where it changes nothing, and
// nothing is under way, by how the delivery stands.
func answered(d Shipment, e Effect) (Shipment, Effect) {
	if e.Publish == nil && e.Start == nil {
		e.Publish = d.standing(true)
	}
	return d, e
}

// standing says how the delivery stands; nil while that is about to change.
func (d Shipment) standing(unchanged bool) event.Body {
	switch d.Status {
	case Scheduled:
		return shippingv1.Scheduled{OrderID: d.Order, ShipmentID: d.ShipmentID, Carrier: d.Carrier, Directed: d.Directed, Unchanged: unchanged}
	case Unavailable:
		return shippingv1.Unavailable{OrderID: d.Order, Reason: d.Reason, Directed: d.Directed, Unchanged: unchanged}
	}
	return nil
}

// Book learns that a carrier will deliver.
func (d Shipment) Book(shipmentID, carrier string) (Shipment, Effect) {
	if d.Status != Booking {
		return d, Effect{}
	}
	d.ShipmentID, d.Carrier = shipmentID, carrier
	if d.Stopped {
		return d.callOff(d.Reason)
	}
	d.Status = Scheduled
	return d, Effect{Publish: d.standing(false)}
}

// Refuse learns that no carrier has booked, and none will.
func (d Shipment) Refuse(reason string) (Shipment, Effect) {
	if d.Status != Booking {
		return d, Effect{}
	}
	return d.end(reason)
}

// Lose gives up a booking whose outcome is unknown: it is called off, in case it
// was made.
func (d Shipment) Lose(reason string) (Shipment, Effect) {
	if d.Status != Booking {
		return d, Effect{}
	}
	return d.callOff(reason)
}

// CallOff learns that nothing is booked any more.
func (d Shipment) CallOff() (Shipment, Effect) {
	if d.Status != CallingOff {
		return d, Effect{}
	}
	return d.end(d.Reason)
}

func (d Shipment) end(reason string) (Shipment, Effect) {
	d.Status, d.Reason = Unavailable, reason
	return d, Effect{Publish: d.standing(false)}
}

func (d Shipment) callOff(reason string) (Shipment, Effect) {
	d.Status, d.Reason = CallingOff, reason
	return d, Effect{Start: callOffJob{Order: d.Order}}
}
