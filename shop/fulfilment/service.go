// Package fulfilment is the mediator of orders that are placed to be directed: it
// knows the whole way of an order, and has the other services go it by commands. What
// was done is undone in reverse order as soon as anything fails, the customer wants
// the order no more or its time is up. It decides and keeps where each order stands; it
// knows no stock, no payment and no carrier.
//
//	order placed ─► reserve stock ─► charge ─► book delivery ─► confirm
//	cancel order ◄─ release stock ◄─ refund ◄─ call off     ◄─┘ any failure
//
// Orders that are placed without a mediator are none of its business, though their
// events travel on the same topics.
package fulfilment

import (
	"cmp"
	"fmt"

	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/service"
)

// Flow is the order in which things are done for an order.
type Flow string

// Stock is reserved before anything is charged, or the other way round.
const (
	ReserveFirst Flow = "reserve-first"
	PayFirst     Flow = "pay-first"
)

// Flows lists the flows that there are.
var Flows = []Flow{ReserveFirst, PayFirst}

// Config tunes the mediator. Its zero value is the documented default.
type Config struct {
	// Flow is that of orders that are placed from now on; default ReserveFirst. Orders
	// on their way end by the flow that they began with.
	Flow Flow
}

// Register makes a service the mediator. It panics if the flow is none: a fault of the
// program's text.
func Register(c Config) func(*service.Service) {
	sagas := Sagas(c)
	return func(s *service.Service) { saga.Register(s, saga.Config{}, sagas...) }
}

// Sagas returns the definitions of all flows, of which the configured one takes new
// orders.
func Sagas(c Config) []saga.Saga {
	c.Flow = cmp.Or(c.Flow, ReserveFirst)
	var sagas []saga.Saga
	known := false
	for _, f := range Flows {
		known = known || f == c.Flow
		sagas = append(sagas, f.define(f == c.Flow))
	}
	if !known {
		panic(fmt.Sprintf("fulfilment: Flow is %q, want one of %v", c.Flow, Flows))
	}
	return sagas
}
