package inventory

import (
	"context"
	"net/http"
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

// view is the stock of a product as it is shown, in units.
type view struct {
	SKU       string `json:"sku"`
	Received  int64  `json:"received"`
	Reserved  int64  `json:"reserved"`
	Available int64  `json:"available"`
}

func (l level) view() view { return view{l.SKU, l.Received, l.Reserved, l.available()} }

func (rt routes) get(w http.ResponseWriter, r *http.Request) error {
	sku := r.PathValue("sku")
	if !ident.Valid(sku) {
		return problem.NotFound("there is no stock of %q", clip(sku))
	}
	l, err := find(r.Context(), rt.s.Read(), sku)
	if err != nil {
		return err
	}
	return service.WriteJSON(w, http.StatusOK, l.view())
}

// list answers with a page of products in the order of SKUs. Next is the SKU to
// pass as after to go on; it is left out at the end.
func (rt routes) list(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	limit := defaultLimit
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxLimit {
			return problem.BadRequest("limit is %q, want 1 to %d", clip(text), maxLimit)
		}
		limit = n
	}
	after := q.Get("after")
	if after != "" && !ident.Valid(after) {
		return problem.BadRequest("after is %q: %s", clip(after), ident.Rule)
	}
	levels, err := list(r.Context(), rt.s.Read(), after, limit+1) // one more tells whether there is a next page
	if err != nil {
		return err
	}
	page := struct {
		Stock []view `json:"stock"`
		Next  string `json:"next,omitempty"`
	}{Stock: []view{}}
	if len(levels) > limit {
		levels = levels[:limit]
		page.Next = levels[limit-1].SKU
	}
	for _, l := range levels {
		page.Stock = append(page.Stock, l.view())
	}
	return service.WriteJSON(w, http.StatusOK, page)
}

// receive answers 201 to a new goods receipt, 200 to its repetition.
func (rt routes) receive(w http.ResponseWriter, r *http.Request) error {
	sku, key, keys := r.PathValue("sku"), r.Header.Get("Idempotency-Key"), len(r.Header.Values("Idempotency-Key"))
	switch {
	case !ident.Valid(sku):
		return problem.BadRequest("SKU %q: %s", clip(sku), ident.Rule)
	case keys > 1:
		return problem.BadRequest("%d headers Idempotency-Key, want one", keys)
	case key == "":
		return problem.BadRequest("header Idempotency-Key is missing: choose a value for each request, and send the same again if you repeat it")
	case !ident.Valid(key):
		return problem.BadRequest("Idempotency-Key %q: %s", clip(key), ident.Rule)
	}
	var body struct {
		Quantity int64 `json:"quantity"`
	}
	if err := service.ReadJSON(w, r, &body); err != nil {
		return err
	}
	in := receipt{ID: key, SKU: sku, Quantity: body.Quantity}
	if err := in.validate(); err != nil {
		return err
	}
	var l level
	var fresh bool
	err := rt.s.Write(r.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
		l, fresh, err = receive(ctx, tx, in)
		return err
	})
	if err != nil {
		return err
	}
	code := http.StatusOK
	if fresh {
		code = http.StatusCreated
	}
	return service.WriteJSON(w, code, l.view())
}

// clip bounds what an error quotes.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
