package catalog

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tutti-go/tutti/internal/ident"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// How many products a page has.
const (
	defaultLimit = 50
	maxLimit     = 500
)

type routes struct{ s *service.Service }

func (rt routes) put(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Name  string `json:"name"`
		Price int64  `json:"price"`
	}
	if err := service.ReadJSON(w, r, &body); err != nil {
		return err
	}
	p := product{SKU: r.PathValue("sku"), Name: body.Name, Price: body.Price}
	if err := p.validate(); err != nil {
		return err
	}
	var created bool
	err := rt.s.Write(r.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
		created, err = list(ctx, tx, p)
		return err
	})
	if err != nil {
		return err
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
		w.Header().Set("Location", "/products/"+url.PathEscape(p.SKU))
	}
	return service.WriteJSON(w, status, p)
}

func (rt routes) get(w http.ResponseWriter, r *http.Request) error {
	sku := r.PathValue("sku")
	if !ident.Valid(sku) {
		return problem.NotFound("there is no product %q", clip(sku))
	}
	p, found, err := find(r.Context(), rt.s.Read(), sku)
	if err != nil {
		return err
	}
	if !found {
		return problem.NotFound("there is no product %q", clip(sku))
	}
	return service.WriteJSON(w, http.StatusOK, p)
}

func (rt routes) browse(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	limit := defaultLimit
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxLimit {
			return problem.BadRequest("limit is %q, want 1 to %d", clip(text), maxLimit)
		}
		limit = n
	}
	ws, err := words(q.Get("q"))
	if err != nil {
		return err
	}
	after := q.Get("after")
	if after != "" && !ident.Valid(after) {
		return problem.BadRequest("after is %q, want the SKU that ended the page before", clip(after))
	}
	pg, err := browse(r.Context(), rt.s.Read(), after, limit, ws)
	if err != nil {
		return err
	}
	return service.WriteJSON(w, http.StatusOK, pg)
}
