package customer

import (
	"context"
	"net/http"
	"net/url"

	"github.com/tutti-go/tutti/internal/ident"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

type routes struct{ s *service.Service }

func (rt routes) put(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if !ident.Valid(id) {
		return problem.BadRequest("customer id %q: %s", clip(id), ident.Rule)
	}
	var p profile
	if err := service.ReadJSON(w, r, &p); err != nil {
		return err
	}
	if err := p.validate(); err != nil {
		return err
	}
	var c customer
	var created bool
	err := rt.s.Write(r.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
		c, created, err = register(ctx, tx, id, p)
		return err
	})
	if err != nil {
		return err
	}
	code := http.StatusOK
	if created {
		code = http.StatusCreated
		w.Header().Set("Location", "/customers/"+url.PathEscape(id))
	}
	return service.WriteJSON(w, code, c)
}

func (rt routes) get(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if !ident.Valid(id) {
		return problem.NotFound("there is no customer %q", clip(id))
	}
	c, found, err := find(r.Context(), rt.s.Read(), id)
	if err != nil {
		return err
	}
	if !found {
		return problem.NotFound("there is no customer %q", id)
	}
	return service.WriteJSON(w, http.StatusOK, c)
}

// clip bounds what an error quotes.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
