package notification

import (
	"context"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/shop/customerv1"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/store"
)

// registered is what notification reads of customerv1.Registered.
type registered struct {
	CustomerID string `json:"customerId"`
	Email      string `json:"email"`
}

// Contract implements event.Typed.
func (registered) Contract() event.Contract { return customerv1.Registered{}.Contract() }

// confirmed is what notification reads of orderv1.Confirmed.
type confirmed struct {
	OrderID    string `json:"orderId"`
	CustomerID string `json:"customerId"`
}

// Contract implements event.Typed.
func (confirmed) Contract() event.Contract { return orderv1.Confirmed{}.Contract() }

func onRegistered(ctx context.Context, tx *store.Tx, m event.Message[registered]) error {
	return setRecipient(ctx, tx, m.Body.CustomerID, m.Body.Email)
}

func onConfirmed(ctx context.Context, tx *store.Tx, m event.Message[confirmed]) error {
	return notify(ctx, tx, Notification{Order: m.Body.OrderID, Customer: m.Body.CustomerID, Kind: Confirmed})
}

func onCancelled(ctx context.Context, tx *store.Tx, m event.Message[orderv1.Cancelled]) error {
	return notify(ctx, tx, Notification{Order: m.Body.OrderID, Customer: m.Body.CustomerID, Kind: Cancelled, Reason: m.Body.Reason})
}

// notify queues a notification and its mail, the first time.
func notify(ctx context.Context, tx *store.Tx, n Notification) error {
	email, first, err := add(ctx, tx, n)
	if err != nil || !first {
		return err
	}
	return job.Start(ctx, tx, n.ID(), mailJob{Order: n.Order, To: n.recipient(email), Text: n.Text()})
}
