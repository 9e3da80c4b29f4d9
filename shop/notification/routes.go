package notification

import (
	"net/http"
	"strings"

	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/service"
)

type handler struct{ s *service.Service }

// list serves GET /notifications?order=ID. An order that nobody knows has none.
func (h handler) list(w http.ResponseWriter, r *http.Request) error {
	order := r.URL.Query().Get("order")
	if !validID(order) {
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

// validID says whether s can be an id: 1 to 128 printable ASCII characters without
// spaces and slashes.
func validID(s string) bool {
	return len(s) >= 1 && len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '/' })
}
