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

func (e returned) spending() spending { return spending{e.CustomerID, -e.Refund} }

// spending is nothing where the confirmation was counted before.
func (e confirmed) spending() spending {
	if e.Unchanged {
		return spending{e.CustomerID, 0}
	}
	return spending{e.CustomerID, e.Total}
}

// counting makes a handler of events that change what customers have spent.
func counting[T interface{ spending() spending }](ctx context.Context, tx *store.Tx, ms []event.Message[T]) error {
	all := make([]spending, len(ms))
	for i, m := range ms {
		all[i] = m.Body.spending()
		if !ident.Valid(all[i].id) {
			return event.Reject(fmt.Errorf("change the spend of customer %q: that is no id", clip(all[i].id)))
		}
	}
	return spend(ctx, tx, all)
}
