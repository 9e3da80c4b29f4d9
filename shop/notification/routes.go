package notification

import (
	"net/http"

	"github.com/tutti-go/tutti/internal/ident"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/service"
)

type handler struct{ s *service.Service }

// list serves GET /notifications?order=ID. An order that nobody knows has none.
func (h handler) list(w http.ResponseWriter, r *http.Request) error {
	order := r.URL.Query().Get("order")
	if !ident.Valid(order) {
		return problem.BadRequest("query parameter order is missing or no order's id")
	}
	views, err := list(r.Context(), h.s.Read(), order)
	if err != nil {
		return err
	}
	return service.WriteJSON(w, http.StatusOK, struct {
		Notifications []view `json:"notifications"`
	}{append([]view{}, views...)}) // an empty list, not null
}
