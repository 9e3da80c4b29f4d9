package notification

import (
	"context"
	"errors"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/ident"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/shop/customerv1"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/store"
)

// registered is what notification reads of customerv1.Registered.
type registered struct {
	CustomerID string `json:"customerId"`
	Email      string `json:"email"`
	Revision   int64  `json:"revision"`
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
	if err := ident.Check("customer", m.Body.CustomerID); err != nil {
		return event.Reject(err)
	}
	return setRecipient(ctx, tx, m.Body)
}

func confirmedSays(b confirmed) Notification {
	return Notification{Order: b.OrderID, Customer: b.CustomerID, Kind: Confirmed}
}

func cancelledSays(b orderv1.Cancelled) Notification {
	return Notification{Order: b.OrderID, Customer: b.CustomerID, Kind: Cancelled, Reason: b.Reason}
}

// notifying makes a handler that queues the notification of each message and its mail,
// the first time.
func notifying[T event.Typed](says func(T) Notification) func(context.Context, *store.Tx, []event.Message[T]) error {
	return func(ctx context.Context, tx *store.Tx, ms []event.Message[T]) error {
		ns, customers := make([]Notification, len(ms)), make([]string, len(ms))
		for i, m := range ms {
			ns[i] = says(m.Body)
			customers[i] = ns[i].Customer
			if err := errors.Join(ident.Check("order", ns[i].Order), ident.Check("customer", ns[i].Customer)); err != nil {
				return event.Reject(err)
			}
		}
		known, err := add(ctx, tx, ns)
		if err != nil {
			return err
		}
		email, err := addresses(ctx, tx, customers)
		if err != nil {
			return err
		}
		for i, n := range ns {
			if known[n.ID()] {
				continue
			}
			known[n.ID()] = true
			tx.Handling(ms[i].Cause())
			if err := job.Start(ctx, tx, n.ID(), mailJob{Order: n.Order, To: n.recipient(email[n.Customer]), Text: n.Text()}); err != nil {
				return err
			}
		}
		return nil
	}
}
