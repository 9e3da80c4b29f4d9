package order

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tutti-go/tutti/internal/ident"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/store"
)

// How many orders a page has.
const (
	defaultLimit = 50
	maxLimit     = 500
)

type routes struct {
	s *service.Service
	c Config
}

// accepted is the answer to what was taken on. Refund is in pence.
type accepted struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Refund int64  `json:"refund,omitempty"`
}

func (rt routes) place(w http.ResponseWriter, r *http.Request) error {
	id, err := idempotencyKey(r)
	if err != nil {
		return err
	}
	var body struct {
		CustomerID   string          `json:"customerId"`
		Lines        []orderv1.Line  `json:"lines"`
		PaymentToken string          `json:"paymentToken"`
		Address      orderv1.Address `json:"address"`
		Style        orderv1.Style   `json:"style"`
	}
	if err := service.ReadJSON(w, r, &body); err != nil {
		return err
	}
	p := orderv1.Place{
		OrderID: id, CustomerID: body.CustomerID, Lines: body.Lines, PaymentToken: body.PaymentToken, Address: body.Address, Style: body.Style,
	}
	if err := validate(p); err != nil {
		return err
	}
	var st status
	err = rt.s.Write(r.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
		st, err = rt.c.place(ctx, tx, p)
		return err
	})
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/orders/"+url.PathEscape(id))
	return service.WriteJSON(w, http.StatusAccepted, accepted{ID: id, Status: string(st)})
}

// idempotencyKey is the id that the client chose for what it asks for, so that
// asking again asks for the same.
func idempotencyKey(r *http.Request) (string, error) {
	if n := len(r.Header.Values("Idempotency-Key")); n > 1 {
		return "", problem.BadRequest("%d headers Idempotency-Key, want one", n)
	}
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		return "", problem.BadRequest("header Idempotency-Key is missing: choose a value for each request, and send the same again if you repeat it")
	}
	if !ident.Valid(key) {
		return "", problem.BadRequest("Idempotency-Key %q: %s", clip(key), ident.Rule)
	}
	return key, nil
}

// pathID is an id in the request's path. What cannot be an id is not there.
func pathID(r *http.Request, name, what string) (string, error) {
	id := r.PathValue(name)
	if !ident.Valid(id) {
		return "", problem.NotFound("there is no %s %q", what, clip(id))
	}
	return id, nil
}

func (rt routes) get(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id", "order")
	if err != nil {
		return err
	}
	v, err := find(r.Context(), rt.s.Read(), id)
	if err != nil {
		return err
	}
	return service.WriteJSON(w, http.StatusOK, v)
}

// cancel answers 202 while the order is being undone, 200 once it is cancelled.
func (rt routes) cancel(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id", "order")
	if err != nil {
		return err
	}
	var o order
	err = rt.s.Write(r.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
		o, err = decide(ctx, tx, id, order.cancelByCustomer)
		return err
	})
	if err != nil {
		return err
	}
	code := http.StatusAccepted
	if o.status == cancelled {
		code = http.StatusOK
	}
	return service.WriteJSON(w, code, accepted{ID: id, Status: string(o.status)})
}

func (rt routes) list(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	customer := q.Get("customer")
	if !ident.Valid(customer) {
		return problem.BadRequest("customer is %q: %s", clip(customer), ident.Rule)
	}
	limit := defaultLimit
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxLimit {
			return problem.BadRequest("limit is %q, want 1 to %d", clip(text), maxLimit)
		}
		limit = n
	}
	after, err := parseCursor(q.Get("after"))
	if err != nil {
		return err
	}
	pg, err := list(r.Context(), rt.s.Read(), customer, after, limit)
	if err != nil {
		return err
	}
	return service.WriteJSON(w, http.StatusOK, pg)
}

func (rt routes) giveBack(w http.ResponseWriter, r *http.Request) error {
	orderID, err := pathID(r, "id", "order")
	if err != nil {
		return err
	}
	id, err := idempotencyKey(r)
	if err != nil {
		return err
	}
	var body struct {
		Lines []item `json:"lines"`
	}
	if err := service.ReadJSON(w, r, &body); err != nil {
		return err
	}
	g := giveBack{OrderID: orderID, ReturnID: id, Items: body.Lines}
	if err := g.validate(); err != nil {
		return err
	}
	var ret returned
	err = rt.s.Write(r.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
		ret, err = takeGoodsBack(ctx, tx, g)
		return err
	})
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/orders/"+url.PathEscape(orderID)+"/returns/"+url.PathEscape(id))
	return service.WriteJSON(w, http.StatusAccepted, accepted{ID: id, Status: ret.status, Refund: ret.refund})
}

func (rt routes) getReturn(w http.ResponseWriter, r *http.Request) error {
	orderID, err := pathID(r, "id", "order")
	if err != nil {
		return err
	}
	id, err := pathID(r, "returnId", "return")
	if err != nil {
		return err
	}
	ret, known, err := findReturn(r.Context(), rt.s.Read(), id)
	if err != nil {
		return err
	}
	if !known || ret.orderID != orderID {
		return problem.NotFound("there is no return %s of order %s", id, orderID)
	}
	lines, err := decodeLines(ret.lines)
	if err != nil {
		return err
	}
	return service.WriteJSON(w, http.StatusOK, struct {
		ID        string         `json:"id"`
		OrderID   string         `json:"orderId"`
		Status    string         `json:"status"`
		Refund    int64          `json:"refund"`
		CreatedAt time.Time      `json:"createdAt"`
		Lines     []orderv1.Line `json:"lines"`
	}{id, orderID, ret.status, ret.refund, instant(ret.createdAt), lines})
}
