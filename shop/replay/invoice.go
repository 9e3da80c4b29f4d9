package replay

import (
	"context"
	"strings"
)

// invoice is the lines of one invoice that can go to the shop.
type invoice struct {
	place    int // in the file, counted in invoices
	id       string
	returned bool
	customer string // empty if the file names none
	country  string
	lines    []row
}

// grouper puts adjacent lines of one invoice together.
type grouper struct {
	reject func(row)
	emit   func(invoice) error

	seen    map[string]bool
	current invoice
	again   bool // the current invoice has been seen before
	count   int
}

// eachInvoice calls emit with every invoice of the file that has lines left, in
// order, and reject with every line that is rejected by itself or within its
// invoice. It can be stopped at each line: a long file may have no invoice.
func eachInvoice(ctx context.Context, src *source, reject func(row), emit func(invoice) error) error {
	g := grouper{reject: reject, emit: emit, seen: map[string]bool{}}
	add := func(r row) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return g.add(r)
	}
	if err := src.each(add); err != nil {
		return err
	}
	return g.flush()
}

func (g *grouper) add(r row) error {
	if r.invoice != "" && r.invoice != g.current.id {
		if err := g.flush(); err != nil {
			return err
		}
		id := strings.Clone(r.invoice) // not to keep the whole line
		g.current = invoice{place: g.count, id: id, returned: r.returned}
		g.again = g.seen[id]
		g.seen[id] = true
		g.count++
	}
	switch {
	case r.invoice == "" || r.reason == NotASale:
		g.reject(r)
	case g.again:
		g.reject(r.rejected(SeenBefore, r.invoice))
	case r.reason != "":
		g.reject(r)
	case len(g.current.lines) == maxLines:
		g.reject(r.rejected(ManyLines, r.invoice))
	default:
		g.current.lines = append(g.current.lines, r)
	}
	return nil
}

// flush ends the current invoice. Its customer is the first that its lines name.
func (g *grouper) flush() error {
	inv := g.current
	g.current = invoice{}
	for _, r := range inv.lines {
		if inv.customer == "" {
			inv.customer = r.customer
		}
		if inv.country == "" {
			inv.country = r.country
		}
	}
	kept := inv.lines[:0]
	for _, r := range inv.lines {
		switch {
		case r.customer != "" && r.customer != inv.customer:
			g.reject(r.rejected(TwoBuyers, r.customer))
		case inv.returned && inv.customer == "":
			g.reject(r.rejected(NoCustomer, inv.id))
		default:
			kept = append(kept, r)
		}
	}
	if inv.lines = kept; len(kept) == 0 {
		return nil
	}
	return g.emit(inv)
}
