package inventory

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/shop/inventoryv1"
)

// status is what became of an order's claim to stock:
//
//	(none) ──► reserved ──► released
//	   ├─────► refused                 out of stock
//	   └─────► stopped                 given up before the order was known here
type status string

const (
	none     status = ""
	reserved status = "reserved"
	released status = "released"
	refused  status = "refused"
	stopped  status = "stopped"
)

// level is the stock of a product, in units.
type level struct {
	SKU      string
	Received int64
	Reserved int64
}

func (l level) available() int64 { return l.Received - l.Reserved }

// line is a number of units of a product.
type line struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

// bySKU adds up the lines of each product, in the order of SKUs: the order in
// which rows are written, so that transactions never wait for each other in a ring.
func bySKU(lines []line) []line {
	out := slices.Clone(lines)
	slices.SortFunc(out, func(a, b line) int { return strings.Compare(a.SKU, b.SKU) })
	kept := out[:0]
	for _, l := range out {
		if n := len(kept); n > 0 && kept[n-1].SKU == l.SKU {
			kept[n-1].Quantity += l.Quantity
			continue
		}
		kept = append(kept, l)
	}
	return kept
}

// sound checks lines that came in an event: they must not turn stock around, or
// add up beyond what a number holds.
func sound(lines []line) error {
	for i, l := range lines {
		if l.Quantity < 1 || l.Quantity > maxReceipt {
			return fmt.Errorf("line %d: quantity %d, want 1 to %d", i+1, l.Quantity, maxReceipt)
		}
	}
	return nil
}

// negative turns lines around: what goes back.
func negative(lines []line) []line {
	out := make([]line, len(lines))
	for i, l := range lines {
		out[i] = line{l.SKU, -l.Quantity}
	}
	return out
}

// shelf is the stock of some products, as a transaction goes on. Products that
// were never received are not in it.
type shelf map[string]level

// claim decides on an order for lines, each SKU once: it reserves all of them, or
// returns what is missing and reserves nothing.
func (s shelf) claim(lines []line) []inventoryv1.Shortage {
	if missing := s.missing(lines); missing != nil {
		return missing
	}
	for _, l := range lines {
		have := s[l.SKU]
		have.Reserved += l.Quantity
		s[l.SKU] = have
	}
	return nil
}

// missing returns what of some lines stock does not cover.
func (s shelf) missing(lines []line) []inventoryv1.Shortage {
	var missing []inventoryv1.Shortage
	for _, l := range lines {
		if has := s[l.SKU].available(); has < l.Quantity {
			missing = append(missing, inventoryv1.Shortage{SKU: l.SKU, Wanted: l.Quantity, Available: has})
		}
	}
	return missing
}

func (s shelf) clone() shelf { return maps.Clone(s) }

// since returns what was reserved since before, in the order of SKUs.
func (s shelf) since(before shelf) []line {
	var out []line
	for sku, l := range s {
		if n := l.Reserved - before[sku].Reserved; n != 0 {
			out = append(out, line{sku, n})
		}
	}
	return bySKU(out)
}

// reserve decides on an order whose claim stands at st: only a first one counts.
// It returns st itself if there is nothing to do, and what is missing, now, for an
// order that was refused.
func (st status) reserve(s shelf, lines []line) (status, []inventoryv1.Shortage) {
	switch st {
	case none:
	case refused:
		return st, s.missing(lines)
	default:
		return st, nil
	}
	if missing := s.claim(lines); missing != nil {
		return refused, missing
	}
	return reserved, nil
}

// undo decides on an order that is given up, as one that will not be paid: what is
// reserved is freed, and what is not known yet shall never be reserved.
func (st status) undo() status {
	switch st {
	case none:
		return stopped
	case reserved:
		return released
	}
	return st
}

// restock decides on goods of an order that were returned: they are available
// again, and the rest of the order stays reserved.
func (st status) restock(orderID string) error {
	if st != reserved {
		return fmt.Errorf("goods of order %s are returned, but nothing is reserved for it", orderID)
	}
	return nil
}

// Limits of a goods receipt and of what is received of a product altogether.
const (
	maxReceipt  = 1_000_000_000
	maxReceived = 1_000_000_000_000_000
)

// receipt is goods that came in. ID is the key of the request.
type receipt struct {
	ID       string
	SKU      string
	Quantity int64
}

func (r receipt) validate() error {
	if r.Quantity < 1 || r.Quantity > maxReceipt {
		return problem.Unprocessable("quantity is %d, want 1 to %d", r.Quantity, maxReceipt)
	}
	return nil
}

// fits decides on a receipt that brings a product's stock to l.
func (r receipt) fits(l level) error {
	if l.Received > maxReceived {
		return problem.Conflict("%d units of %s would have been received, which is over %d", l.Received, r.SKU, int64(maxReceived))
	}
	return nil
}

// repeats tells the repetition of a request from another with the same key.
func (r receipt) repeats(first receipt) error {
	if r != first {
		return problem.Unprocessable("receipt %s was made by another request with the same key", r.ID)
	}
	return nil
}
