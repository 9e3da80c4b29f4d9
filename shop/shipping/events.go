package shipping

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/paymentv1"
	"github.com/tutti-go/tutti/store"
)

// placed is what shipping reads of orderv1.Placed.
type placed struct {
	OrderID string          `json:"orderId"`
	Address orderv1.Address `json:"address"`
}

// Contract implements event.Typed.
func (placed) Contract() event.Contract { return orderv1.Placed{}.Contract() }

// completed is what shipping reads of paymentv1.Completed.
type completed struct {
	OrderID string `json:"orderId"`
}

// Contract implements event.Typed.
func (completed) Contract() event.Contract { return paymentv1.Completed{}.Contract() }

func onPlaced(ctx context.Context, tx *store.Tx, m event.Message[placed]) error {
	address, err := json.Marshal(m.Body.Address)
	if err != nil {
		return event.Reject(fmt.Errorf("keep address of order %s: %w", m.Body.OrderID, err))
	}
	return change(ctx, tx, m.Body.OrderID, unknown, func(d Shipment) (Shipment, Effect) {
		return d.Place(string(address))
	})
}

func onCompleted(ctx context.Context, tx *store.Tx, m event.Message[completed]) error {
	return change(ctx, tx, m.Body.OrderID, waiting, Shipment.Pay)
}

func onCancellationRequested(ctx context.Context, tx *store.Tx, m event.Message[orderv1.CancellationRequested]) error {
	return change(ctx, tx, m.Body.OrderID, unusual, func(d Shipment) (Shipment, Effect) {
		return d.Stop(m.Body.Reason)
	})
}
