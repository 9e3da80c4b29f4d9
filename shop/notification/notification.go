package notification

import "fmt"

// Kind says what a notification is about.
type Kind string

// The kinds.
const (
	Confirmed Kind = "confirmed"
	Cancelled Kind = "cancelled"
)

// Status is how far a notification is.
type Status string

// A notification is queued until the provider has taken it; it ends sent, or
// failed where the provider refuses it or is not to be reached for long.
const (
	Queued Status = "queued"
	Sent   Status = "sent"
	Failed Status = "failed"
)

// Notification is one mail about an order. There is at most one of each kind.
type Notification struct {
	Order    string
	Customer string
	Kind     Kind
	Reason   string // of a cancellation
}

// ID names the notification.
func (n Notification) ID() string { return string(n.Kind) + ":" + n.Order }

// Text is what the mail says.
func (n Notification) Text() string {
	if n.Kind == Cancelled {
		return fmt.Sprintf("Your order %s was cancelled: %s. If you paid for it, your money is on its way back.", n.Order, n.Reason)
	}
	return fmt.Sprintf("Your order %s is confirmed and on its way to you.", n.Order)
}

// recipient is where the mail goes: to the address, or, as long as the customer's
// address has not been announced, to the customer's name at the provider.
func (n Notification) recipient(email string) string {
	if email == "" {
		return "customer:" + n.Customer
	}
	return email
}
