package storefront

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tutti-go/tutti/internal/card"
	"github.com/tutti-go/tutti/internal/ident"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/shop/orderv1"
)

const maxField = 200 // characters of a part of an address

// checkout is what a customer sends to order a cart.
type checkout struct {
	CustomerID   string          `json:"customerId"`
	PaymentToken string          `json:"paymentToken"`
	Address      orderv1.Address `json:"address"`
	// Total is what the customer was shown, in pence; 0 if they do not mind.
	Total int64 `json:"total,omitempty"`
}

// validate reports the first rule that the request breaks. The order service would
// refuse what breaks them, when nobody waits for the answer any more.
func (r checkout) validate() error {
	if !ident.Valid(r.CustomerID) {
		return problem.Unprocessable("customerId %q: %s", clip(r.CustomerID), ident.Rule)
	}
	if card.In(r.PaymentToken) { // and never quote it
		return problem.Unprocessable("paymentToken looks like a card number: send the token that the payment provider gave for it")
	}
	if !ident.Valid(r.PaymentToken) {
		return problem.Unprocessable("paymentToken: %s", ident.Rule)
	}
	if r.Address.City == "" {
		return problem.Unprocessable("address.city is missing")
	}
	for _, f := range []struct{ name, value string }{
		{"name", r.Address.Name}, {"street", r.Address.Street}, {"city", r.Address.City}, {"country", r.Address.Country},
	} {
		if n := utf8.RuneCountInString(f.value); n > maxField {
			return problem.Unprocessable("address.%s has %d characters, want at most %d", f.name, n, maxField)
		}
		if strings.ContainsFunc(f.value, unicode.IsControl) {
			return problem.Unprocessable("address.%s has control characters", f.name)
		}
	}
	if r.Total < 0 {
		return problem.Unprocessable("total is %d pence, want what the cart shows, or nothing", r.Total)
	}
	return nil
}

// hash tells one request from another.
func (r checkout) hash() string {
	text, _ := json.Marshal(r) // strings and a number: cannot fail
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// orderID follows from the cart's id, so that a cart becomes one order, however
// often it is checked out.
func orderID(cartID string) string { return "web-" + cartID }

// checkOut turns the cart into the command that places its order. Done says that
// the same request did so before.
func (c cart) checkOut(r checkout) (cmd orderv1.Place, done bool, err error) {
	if c.order != "" {
		if c.hash != r.hash() {
			return cmd, false, problem.Unprocessable("cart %s was checked out with another request, as order %s", c.id, c.order)
		}
		return cmd, true, nil
	}
	if len(c.lines) == 0 {
		return cmd, false, problem.Unprocessable("cart %s is empty", c.id)
	}
	if total := c.total(); r.Total != 0 && r.Total != total {
		return cmd, false, problem.Conflict("prices have changed: the total is %d pence now, not %d", total, r.Total)
	}
	cmd = orderv1.Place{OrderID: orderID(c.id), CustomerID: r.CustomerID, PaymentToken: r.PaymentToken, Address: r.Address}
	for _, l := range c.lines {
		cmd.Lines = append(cmd.Lines, orderv1.Line{SKU: l.SKU, Quantity: l.Quantity, UnitPrice: l.UnitPrice})
	}
	text, _ := json.Marshal(cmd.Lines) // strings and numbers: cannot fail
	if len(text) > maxData {
		return orderv1.Place{}, false, problem.Unprocessable("cart %s has too much in it: order some of it by another one", c.id)
	}
	return cmd, false, nil
}
