package verify

import "fmt"

// Invariant is what was found of one invariant.
type Invariant struct {
	OK         bool `json:"ok"`
	Violations int  `json:"violations"`
	// Examples are the first violations, with the offending ids.
	Examples []Violation `json:"examples,omitempty"`
}

// Violation is one thing that is wrong.
type Violation struct {
	ID   string `json:"id"` // of the order, return, product, customer or message
	What string `json:"what"`
}

// String returns the id and what is wrong.
func (v Violation) String() string { return fmt.Sprintf("%s: %s", v.ID, v.What) }

// Report is what Run found.
type Report struct {
	// Missing are databases that are not there, of which some must be. Invariants that
	// need any of them are left out, and what is under way is not counted.
	Missing    []string             `json:"missing,omitempty"`
	Invariants map[string]Invariant `json:"invariants"`
	Orders     int                  `json:"orders"`
	Confirmed  int                  `json:"confirmed"`
	Cancelled  int                  `json:"cancelled"`
	Returns    int                  `json:"returns"` // each of one order
	// Events is how many events the services have published since their data began.
	Events int64 `json:"events"`
	// Unsettled is what is under way. It is no violation in itself: a shop that was
	// killed goes on when it is started again.
	Unsettled Unsettled `json:"unsettled"`
}

// Unsettled counts what is under way.
type Unsettled struct {
	Orders   int `json:"orders"`   // neither confirmed nor cancelled
	Returns  int `json:"returns"`  // not refunded or not back in stock
	Mails    int `json:"mails"`    // not sent
	Jobs     int `json:"jobs"`     // calls and timers that wait, or were given up
	Messages int `json:"messages"` // published, and not consumed by a service that reads their topic
	Parked   int `json:"parked"`   // set aside because their handler failed
	Sagas    int `json:"sagas"`    // of the mediator, neither completed nor compensated
}

// Any reports whether anything is under way.
func (u Unsettled) Any() bool { return u != Unsettled{} }

// String lists what is under way.
func (u Unsettled) String() string {
	return fmt.Sprintf("%d orders, %d returns, %d mails, %d jobs, %d messages, %d parked, %d sagas",
		u.Orders, u.Returns, u.Mails, u.Jobs, u.Messages, u.Parked, u.Sagas)
}

// OK reports whether every invariant holds.
func (r Report) OK() bool {
	for _, inv := range r.Invariants {
		if !inv.OK {
			return false
		}
	}
	return true
}
