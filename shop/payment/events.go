package payment

import (
	"context"
	"errors"
	"fmt"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/ident"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/shop/inventoryv1"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/paymentv1"
	"github.com/tutti-go/tutti/shop/shippingv1"
	"github.com/tutti-go/tutti/store"
)

// placed is what payment reads of orderv1.Placed.
type placed struct {
	OrderID      string `json:"orderId"`
	Total        int64  `json:"total"`
	PaymentToken string `json:"paymentToken"`
	Directed     bool   `json:"directed"`
}

// Contract implements event.Typed.
func (placed) Contract() event.Contract { return orderv1.Placed{}.Contract() }

// returned is what payment reads of orderv1.Returned.
type returned struct {
	OrderID  string `json:"orderId"`
	ReturnID string `json:"returnId"`
	Refund   int64  `json:"refund"`
}

// Contract implements event.Typed.
func (returned) Contract() event.Contract { return orderv1.Returned{}.Contract() }

// fact is what is learned of the payment of an order, and from what.
type fact struct {
	order string
	cause event.Cause
	learn func(Payment) (Payment, Effect) // nil: nothing
}

// learning makes a handler of what messages say. Those that come together are stored
// together.
func learning[T event.Typed](says func(T) (fact, error)) func(context.Context, *store.Tx, []event.Message[T]) error {
	return func(ctx context.Context, tx *store.Tx, ms []event.Message[T]) error {
		facts := make([]fact, 0, len(ms))
		for _, m := range ms {
			f, err := says(m.Body)
			if err != nil {
				return err
			}
			if f.learn == nil {
				continue
			}
			if err := ident.Check("order", f.order); err != nil {
				return event.Reject(err)
			}
			f.cause = m.Cause()
			facts = append(facts, f)
		}
		return change(ctx, tx, facts)
	}
}

func placedSays(b placed) (fact, error) {
	if b.Directed {
		return fact{}, nil
	}
	if b.Total <= 0 {
		return fact{}, event.Reject(fmt.Errorf("total of order %s is %d, want more than 0", b.OrderID, b.Total))
	}
	return fact{order: b.OrderID, learn: func(p Payment) (Payment, Effect) { return p.Place(b.Total, b.PaymentToken) }}, nil
}

func reservedSays(b inventoryv1.Reserved) (fact, error) {
	if b.Directed {
		return fact{}, nil
	}
	return fact{order: b.OrderID, learn: Payment.Reserve}, nil
}

func unavailableSays(b shippingv1.Unavailable) (fact, error) {
	if b.Directed {
		return fact{}, nil
	}
	return fact{order: b.OrderID, learn: func(p Payment) (Payment, Effect) { return p.Stop(b.Reason) }}, nil
}

func processPaymentSays(b paymentv1.ProcessPayment) (fact, error) {
	if b.Amount <= 0 {
		return fact{}, event.Reject(fmt.Errorf("amount of order %s is %d, want more than 0", b.OrderID, b.Amount))
	}
	return fact{order: b.OrderID, learn: func(p Payment) (Payment, Effect) {
		return answered(p.Process(b.Amount, b.PaymentToken))
	}}, nil
}

func refundPaymentSays(b paymentv1.RefundPayment) (fact, error) {
	return fact{order: b.OrderID, learn: func(p Payment) (Payment, Effect) { return answered(p.GiveBack(b.Reason)) }}, nil
}

func onReturned(ctx context.Context, tx *store.Tx, m event.Message[returned]) error {
	j := returnJob{Return: m.Body.ReturnID, Order: m.Body.OrderID, Amount: m.Body.Refund}
	if j.Amount <= 0 {
		return event.Reject(fmt.Errorf("refund of return %s is %d, want more than 0", j.Return, j.Amount))
	}
	if err := errors.Join(ident.Check("order", j.Order), ident.Check("return", j.Return)); err != nil {
		return event.Reject(err)
	}
	first, err := addRefund(ctx, tx, j)
	if err != nil || !first {
		return err
	}
	return job.Start(ctx, tx, j.id(), j)
}
