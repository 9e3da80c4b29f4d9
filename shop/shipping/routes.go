package shipping

import (
	"encoding/json"
	"net/http"

	"github.com/tutti-go/tutti/internal/ident"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/service"
)

type handler struct{ s *service.Service }

// view is a delivery as clients see it.
type view struct {
	OrderID    string          `json:"orderId"`
	Status     Status          `json:"status"`
	Address    json.RawMessage `json:"address,omitempty"`
	ShipmentID string          `json:"shipmentId,omitempty"`
	Carrier    string          `json:"carrier,omitempty"`
	Reason     string          `json:"reason,omitempty"`
}

// show serves GET /shipments/{order}.
func (h handler) show(w http.ResponseWriter, r *http.Request) error {
	order := r.PathValue("order")
	if !ident.Valid(order) {
		return problem.NotFound("no delivery of that order")
	}
	d, known, err := load(r.Context(), h.s.Read(), order)
	if err != nil {
		return err
	}
	if !known {
		return problem.NotFound("no delivery of order %s", order)
	}
	return service.WriteJSON(w, http.StatusOK, view{
		OrderID: d.Order, Status: d.Status, Address: json.RawMessage(d.Address), ShipmentID: d.ShipmentID, Carrier: d.Carrier, Reason: d.Reason,
	})
}
