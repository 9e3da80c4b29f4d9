package customer

import (
	"context"
	"fmt"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/ident"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/store"
)

// What customer reads of the events of orders: no more than it needs.
type (
	confirmed struct {
		CustomerID string `json:"customerId"`
		Total      int64  `json:"total"`
		Unchanged  bool   `json:"unchanged"`
	}
	returned struct {
		CustomerID string `json:"customerId"`
		Refund     int64  `json:"refund"`
	}
)

func (confirmed) Contract() event.Contract { return orderv1.Confirmed{}.Contract() }
func (returned) Contract() event.Contract  { return orderv1.Returned{}.Contract() }

func (e returned) spending() (spending, error) {
	if e.Refund <= 0 {
		return spending{}, fmt.Errorf("refund is %d pence, want more than 0", e.Refund)
	}
	return spending{e.CustomerID, -e.Refund}, nil
}

// spending is nothing where the confirmation was counted before.
func (e confirmed) spending() (spending, error) {
	if e.Unchanged {
		return spending{e.CustomerID, 0}, nil
	}
	if e.Total <= 0 {
		return spending{}, fmt.Errorf("total is %d pence, want more than 0", e.Total)
	}
	return spending{e.CustomerID, e.Total}, nil
}

// counting makes a handler of events that change what customers have spent.
func counting[T interface{ spending() (spending, error) }](ctx context.Context, tx *store.Tx, ms []event.Message[T]) error {
	all := make([]spending, len(ms))
	for i, m := range ms {
		s, err := m.Body.spending()
		if err == nil {
			err = ident.Check("customer", s.id)
		}
		if err != nil {
			return event.Reject(fmt.Errorf("change what a customer has spent: %w", err))
		}
		all[i] = s
	}
	return spend(ctx, tx, all)
}
