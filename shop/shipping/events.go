package shipping

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/ident"
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

// fact is what is learned of the delivery of an order, and from what.
type fact struct {
	order string
	cause event.Cause
	learn func(Shipment) (Shipment, Effect) // nil: nothing
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
	return addressed(b.OrderID, b.Address, Shipment.Place)
}

func scheduleDeliverySays(b shippingv1.ScheduleDelivery) (fact, error) {
	return addressed(b.OrderID, b.Address, func(d Shipment, address string) (Shipment, Effect) {
		return answered(d.Schedule(address))
	})
}

// addressed is what is learned with the address, as it is kept.
func addressed(order string, to any, learn func(Shipment, string) (Shipment, Effect)) (fact, error) {
	address, err := json.Marshal(to)
	if err != nil {
		return fact{}, event.Reject(fmt.Errorf("keep address of order %s: %w", order, err))
	}
	return fact{order: order, learn: func(d Shipment) (Shipment, Effect) { return learn(d, string(address)) }}, nil
}

func completedSays(b completed) (fact, error) {
	if b.Directed {
		return fact{}, nil
	}
	return fact{order: b.OrderID, learn: Shipment.Pay}, nil
}

func cancellationRequestedSays(b orderv1.CancellationRequested) (fact, error) {
	if b.Directed {
		return fact{}, nil
	}
	return fact{order: b.OrderID, learn: func(d Shipment) (Shipment, Effect) { return d.Stop(b.Reason) }}, nil
}

func cancelDeliverySays(b shippingv1.CancelDelivery) (fact, error) {
	return fact{order: b.OrderID, learn: func(d Shipment) (Shipment, Effect) { return answered(d.Cancel(b.Reason)) }}, nil
}
