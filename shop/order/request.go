package order

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tutti-go/tutti/internal/card"
	"github.com/tutti-go/tutti/internal/ident"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/shop/orderv1"
)

// Limits of an order. With them, no total exceeds 2e17 pence, far within int64.
const (
	maxLines     = 2_000
	maxQuantity  = 1_000_000
	maxUnitPrice = 100_000_000 // pence
	maxText      = 200         // characters of a field of the address
	maxData      = 500_000     // bytes of its lines as JSON: with all else of it, they fit into an event and the state of a saga
)

// faults gathers what is wrong with a request, to say all of it at once.
type faults []string

func (f *faults) check(ok bool, format string, args ...any) {
	if !ok {
		*f = append(*f, fmt.Sprintf(format, args...))
	}
}

// String lists the faults, as many as anyone would read.
func (f faults) String() string {
	const most = 50
	if len(f) > most {
		return fmt.Sprintf("%s; and %d more", strings.Join(f[:most], "; "), len(f)-most)
	}
	return strings.Join(f, "; ")
}

// err is nil, or a problem that lists the faults.
func (f faults) err(what string) error {
	if len(f) == 0 {
		return nil
	}
	return problem.Unprocessable("%s: %s", what, f)
}

const styleRule = string(orderv1.Choreography + " or " + orderv1.Orchestration)

func validStyle(s orderv1.Style) bool {
	return s == orderv1.Choreography || s == orderv1.Orchestration
}

// validate reports every rule that a request for an order breaks. It never quotes
// the payment token, which may be what must not be written anywhere.
func validate(p orderv1.Place) error {
	var f faults
	f.check(ident.Valid(p.OrderID), "order id %q: %s", clip(p.OrderID), ident.Rule)
	f.check(ident.Valid(p.CustomerID), "customerId %q: %s", clip(p.CustomerID), ident.Rule)
	f.check(len(p.Lines) >= 1 && len(p.Lines) <= maxLines, "%d lines, want 1 to %d", len(p.Lines), maxLines)
	for i, l := range p.Lines[:min(len(p.Lines), maxLines)] {
		f.check(ident.Valid(l.SKU), "line %d: sku %q: %s", i+1, clip(l.SKU), ident.Rule)
		f.check(l.Quantity >= 1 && l.Quantity <= maxQuantity, "line %d: quantity %d, want 1 to %d", i+1, l.Quantity, maxQuantity)
		f.check(l.UnitPrice >= 1 && l.UnitPrice <= maxUnitPrice, "line %d: unitPrice %d pence, want 1 to %d", i+1, l.UnitPrice, maxUnitPrice)
	}
	f.check(ident.Valid(p.PaymentToken), "paymentToken: %s", ident.Rule)
	f.check(!card.In(p.PaymentToken), "paymentToken looks like a card number, want a token of the payment gateway")
	f.check(p.Style == "" || validStyle(p.Style), "style %q: want %s", clip(string(p.Style)), styleRule)
	f.check(p.Address.City != "", "address.city is empty")
	for _, a := range []struct{ name, value string }{
		{"name", p.Address.Name}, {"street", p.Address.Street}, {"city", p.Address.City}, {"country", p.Address.Country},
	} {
		n := utf8.RuneCountInString(a.value)
		f.check(n <= maxText, "address.%s has %d characters, want at most %d", a.name, n, maxText)
		f.check(!strings.ContainsFunc(a.value, unicode.IsControl), "address.%s has control characters", a.name)
	}
	return f.err("order is not acceptable")
}

func total(lines []orderv1.Line) int64 {
	var sum int64
	for _, l := range lines {
		sum += l.Quantity * l.UnitPrice
	}
	return sum
}

// accept turns a valid request into the event that starts the order.
func (c Config) accept(p orderv1.Place, now time.Time) orderv1.Placed {
	return orderv1.Placed{
		OrderID: p.OrderID, CustomerID: p.CustomerID, Lines: p.Lines, Total: total(p.Lines),
		PaymentToken: p.PaymentToken, Address: p.Address, Deadline: now.Add(c.Deadline).Truncate(time.Millisecond),
		Directed: c.directs(p.Style),
	}
}

// fingerprint identifies the content of a request, so that its repetition is told
// from another request with the same key. Spelling of the JSON does not matter.
// Parts that are encoded already are not encoded again.
func fingerprint(request any, encoded ...[]byte) string {
	b, _ := json.Marshal(request) // strings and numbers: cannot fail
	for _, e := range encoded {
		b = append(b, e...)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
