package storefront

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"

	"github.com/tutti-go/tutti/internal/ident"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

type routes struct{ s *service.Service }

// view is a cart as clients see it.
type view struct {
	ID      string `json:"id"`
	Lines   []line `json:"lines"`
	Total   int64  `json:"total"`
	OrderID string `json:"orderId,omitempty"`
}

func show(c cart) view {
	v := view{ID: c.id, Lines: c.lines, Total: c.total(), OrderID: c.order}
	if v.Lines == nil {
		v.Lines = []line{} // an array in JSON, even if empty
	}
	return v
}

func (rt routes) create(w http.ResponseWriter, r *http.Request) error {
	id := strings.ToLower(rand.Text()) // who knows it owns the cart: it must not be guessed
	err := rt.s.Write(r.Context(), func(ctx context.Context, tx *store.Tx) error { return create(ctx, tx, id) })
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/carts/"+id)
	return service.WriteJSON(w, http.StatusCreated, show(cart{id: id}))
}

func (rt routes) get(w http.ResponseWriter, r *http.Request) error {
	id, err := cartID(r)
	if err != nil {
		return err
	}
	c, err := load(r.Context(), rt.s.Read(), id)
	if err != nil {
		return err
	}
	return service.WriteJSON(w, http.StatusOK, show(c))
}

func cartID(r *http.Request) (string, error) {
	id := r.PathValue("id")
	if !ident.Valid(id) {
		return "", noCart(id)
	}
	return id, nil
}

func (rt routes) putLine(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Quantity *int64 `json:"quantity"`
	}
	if err := service.ReadJSON(w, r, &body); err != nil {
		return err
	}
	if body.Quantity == nil {
		return problem.BadRequest("quantity is missing")
	}
	if err := checkQuantity(*body.Quantity); err != nil {
		return err
	}
	return rt.setLine(w, r, *body.Quantity)
}

func (rt routes) deleteLine(w http.ResponseWriter, r *http.Request) error { return rt.setLine(w, r, 0) }

func (rt routes) setLine(w http.ResponseWriter, r *http.Request, quantity int64) error {
	id, err := cartID(r)
	if err != nil {
		return err
	}
	sku := r.PathValue("sku")
	if !ident.Valid(sku) {
		return problem.NotFound("there is no product %q", clip(sku))
	}
	var c cart
	err = rt.s.Write(r.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
		c, err = put(ctx, tx, id, sku, quantity)
		return err
	})
	if err != nil {
		return err
	}
	return service.WriteJSON(w, http.StatusOK, show(c))
}

func (rt routes) checkOut(w http.ResponseWriter, r *http.Request) error {
	id, err := cartID(r)
	if err != nil {
		return err
	}
	var req checkout
	if err := service.ReadJSON(w, r, &req); err != nil {
		return err
	}
	if err := req.validate(); err != nil {
		return err
	}
	err = rt.s.Write(r.Context(), func(ctx context.Context, tx *store.Tx) error { return order(ctx, tx, id, req) })
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/orders/"+url.PathEscape(orderID(id)))
	return service.WriteJSON(w, http.StatusAccepted, struct {
		OrderID string `json:"orderId"`
	}{orderID(id)})
}
