package payment

import (
	"context"
	"fmt"

	"github.com/tutti-go/tutti/event"
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

func onPlaced(ctx context.Context, tx *store.Tx, m event.Message[placed]) error {
	if m.Body.Directed {
		return nil
	}
	if m.Body.Total <= 0 {
		return event.Reject(fmt.Errorf("total of order %s is %d, want more than 0", m.Body.OrderID, m.Body.Total))
	}
	return change(ctx, tx, m.Body.OrderID, unknown, func(p Payment) (Payment, Effect) {
		return p.Place(m.Body.Total, m.Body.PaymentToken)
	})
}

func onReserved(ctx context.Context, tx *store.Tx, m event.Message[inventoryv1.Reserved]) error {
	if m.Body.Directed {
		return nil
	}
	return change(ctx, tx, m.Body.OrderID, waiting, Payment.Reserve)
}

func onUnavailable(ctx context.Context, tx *store.Tx, m event.Message[shippingv1.Unavailable]) error {
	if m.Body.Directed {
		return nil
	}
	return change(ctx, tx, m.Body.OrderID, unusual, func(p Payment) (Payment, Effect) {
		return p.Stop(m.Body.Reason)
	})
}

func onProcessPayment(ctx context.Context, tx *store.Tx, m event.Message[paymentv1.ProcessPayment]) error {
	if m.Body.Amount <= 0 {
		return event.Reject(fmt.Errorf("amount of order %s is %d, want more than 0", m.Body.OrderID, m.Body.Amount))
	}
	return change(ctx, tx, m.Body.OrderID, unknown, func(p Payment) (Payment, Effect) {
		return answered(p.Process(m.Body.Amount, m.Body.PaymentToken))
	})
}

func onRefundPayment(ctx context.Context, tx *store.Tx, m event.Message[paymentv1.RefundPayment]) error {
	return change(ctx, tx, m.Body.OrderID, unusual, func(p Payment) (Payment, Effect) {
		return answered(p.GiveBack(m.Body.Reason))
	})
}

func onReturned(ctx context.Context, tx *store.Tx, m event.Message[returned]) error {
	j := returnJob{Return: m.Body.ReturnID, Order: m.Body.OrderID, Amount: m.Body.Refund}
	if j.Amount <= 0 {
		return event.Reject(fmt.Errorf("refund of return %s is %d, want more than 0", j.Return, j.Amount))
	}
	first, err := addRefund(ctx, tx, j)
	if err != nil || !first {
		return err
	}
	return job.Start(ctx, tx, j.id(), j)
}
