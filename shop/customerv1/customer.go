// Package customerv1 is the contract of the customer service, version 1.
package customerv1

import "github.com/tutti-go/tutti/event"

// Topic carries the customers.
var Topic = event.Topic{Name: "shop.customer"}

// Registered says who a customer is. It replaces what was said before.
type Registered struct {
	CustomerID string `json:"customerId"`
	Name       string `json:"name"`
	Email      string `json:"email"`
	Country    string `json:"country"`
	// Revision grows with each change of a customer. Events of two instances of the
	// service may come the other way round: that of the highest revision counts.
	// Without one, as older versions sent it, an event counts as it comes.
	Revision int64 `json:"revision,omitempty"`
}

// Contract implements event.Typed.
func (Registered) Contract() event.Contract {
	return event.Contract{Type: "shop.customer.registered", Version: 1, Topic: Topic}
}

// Key is the customer's id.
func (e Registered) Key() string { return e.CustomerID }
