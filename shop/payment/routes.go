package payment

import (
	"context"
	"net/http"

	"github.com/tutti-go/tutti/internal/ident"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

type handler struct{ s *service.Service }

// view is a payment as clients see it. Tokens stay inside.
type view struct {
	OrderID   string   `json:"orderId"`
	Status    Status   `json:"status"`
	Amount    int64    `json:"amount"`
	PaymentID string   `json:"paymentId,omitempty"`
	Reason    string   `json:"reason,omitempty"`
	Refunds   []refund `json:"refunds"`
}

// show serves GET /payments/{order}.
func (h handler) show(w http.ResponseWriter, r *http.Request) error {
	order := r.PathValue("order")
	if !ident.Valid(order) {
		return problem.NotFound("no payment of that order")
	}
	p, known, err := load(r.Context(), h.s.Read(), order)
	if err != nil {
		return err
	}
	if !known {
		return problem.NotFound("no payment of order %s", order)
	}
	refunds, err := refundsOf(r.Context(), h.s.Read(), order)
	if err != nil {
		return err
	}
	return service.WriteJSON(w, http.StatusOK, view{
		OrderID: p.Order, Status: p.Status, Amount: p.Amount, PaymentID: p.PaymentID, Reason: p.Reason,
		Refunds: append([]refund{}, refunds...), // an empty list, not null
	})
}

// report stores the gateway's report of a charge.
func (h handler) report(ctx context.Context, key, paymentID string) error {
	return h.s.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		ours, err := reported(ctx, tx, key, paymentID)
		if err == nil && !ours {
			return problem.NotFound("no charge has the key %s", key)
		}
		return err
	})
}
