package shipping

import (
	"encoding/json"
	"net/http"
	"strings"

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
	if !validID(order) {
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

// validID says whether s can be an id: 1 to 128 printable ASCII characters without
// spaces and slashes.
func validID(s string) bool {
	return len(s) >= 1 && len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '/' })
}
