package shipping

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/paymentv1"
	"github.com/tutti-go/tutti/shop/shippingv1"
	"github.com/tutti-go/tutti/store"
)

// placed is what shipping reads of orderv1.Placed.
type placed struct {
	OrderID  string          `json:"orderId"`
	Address  orderv1.Address `json:"address"`
	Directed bool            `json:"directed"`
}

// Contract implements event.Typed.
func (placed) Contract() event.Contract { return orderv1.Placed{}.Contract() }

// completed is what shipping reads of paymentv1.Completed.
type completed struct {
	OrderID  string `json:"orderId"`
	Directed bool   `json:"directed"`
}

// Contract implements event.Typed.
func (completed) Contract() event.Contract { return paymentv1.Completed{}.Contract() }

func onPlaced(ctx context.Context, tx *store.Tx, m event.Message[placed]) error {
	if m.Body.Directed {
		return nil
	}
	return addressed(ctx, tx, m.Body.OrderID, m.Body.Address, Shipment.Place)
}

func onScheduleDelivery(ctx context.Context, tx *store.Tx, m event.Message[shippingv1.ScheduleDelivery]) error {
	return addressed(ctx, tx, m.Body.OrderID, m.Body.Address, func(d Shipment, address string) (Shipment, Effect) {
		return answered(d.Schedule(address))
	})
}

// addressed applies a decision to a delivery of which mostly nothing is known yet, with
// its address as it is kept.
func addressed(ctx context.Context, tx *store.Tx, order string, to any, decide func(Shipment, string) (Shipment, Effect)) error {
	address, err := json.Marshal(to)
	if err != nil {
		return event.Reject(fmt.Errorf("keep address of order %s: %w", order, err))
	}
	return change(ctx, tx, order, unknown, func(d Shipment) (Shipment, Effect) { return decide(d, string(address)) })
}

func onCompleted(ctx context.Context, tx *store.Tx, m event.Message[completed]) error {
	if m.Body.Directed {
		return nil
	}
	return change(ctx, tx, m.Body.OrderID, waiting, Shipment.Pay)
}

func onCancellationRequested(ctx context.Context, tx *store.Tx, m event.Message[orderv1.CancellationRequested]) error {
	if m.Body.Directed {
		return nil
	}
	return change(ctx, tx, m.Body.OrderID, unusual, func(d Shipment) (Shipment, Effect) {
		return d.Stop(m.Body.Reason)
	})
}

func onCancelDelivery(ctx context.Context, tx *store.Tx, m event.Message[shippingv1.CancelDelivery]) error {
	return change(ctx, tx, m.Body.OrderID, unusual, func(d Shipment) (Shipment, Effect) {
		return answered(d.Cancel(m.Body.Reason))
	})
}
