package storefront

import (
	"github.com/tutti-go/tutti/problem"
)

// Limits of a cart: those of an order. They keep every total far below the
// largest int64: 2,000 lines of 1,000,000 at 100,000,000 pence are 2e17.
const (
	maxLines    = 2000
	maxQuantity = 1_000_000
	maxPrice    = 100_000_000 // pence
	maxData     = 500_000     // bytes of an order's lines as JSON
)

// cart is what somebody is about to order, at today's prices; once it is checked
// out, at the prices of the order.
type cart struct {
	id    string
	lines []line
	order string // the order it became; empty while it is open
	hash  string // of the request that checked it out
}

// line is one product of a cart. Prices are in pence.
type line struct {
	SKU       string `json:"sku"`
	Name      string `json:"name"`
	Quantity  int64  `json:"quantity"`
	UnitPrice int64  `json:"unitPrice"`
	Total     int64  `json:"total"`
}

func (c cart) total() int64 {
	var sum int64
	for _, l := range c.lines {
		sum += l.Total
	}
	return sum
}

// change says whether the cart's lines may change.
func (c cart) change() error {
	if c.order != "" {
		return problem.Conflict("cart %s is checked out as order %s: start a new one", c.id, c.order)
	}
	return nil
}

// checkQuantity says whether a line may have that many; none removes it.
func checkQuantity(n int64) error {
	if n < 0 || n > maxQuantity {
		return problem.Unprocessable("quantity is %d, want 0 to %d", n, maxQuantity)
	}
	return nil
}

// clip bounds what an error quotes.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
