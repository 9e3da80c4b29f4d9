package replay

import (
	"context"
	"slices"
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

// Invoices are open until maxOpen others have begun, or as many lines as an order may
// have are held.
const maxOpen = 16

// grouper puts the lines of one invoice together, also where lines of others are
// between. What it does follows from the file alone.
type grouper struct {
	reject func(row)
	emit   func(invoice) error

	seen  map[string]bool
	open  []*invoice // in the order in which they begin
	held  int        // their lines
	count int
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
	return g.finish(0, 0)
}

// add takes a line in. One that is rejected neither begins an invoice nor ends one.
func (g *grouper) add(r row) error {
	inv := g.opened(r.invoice)
	switch {
	case r.invoice == "" || r.reason == NotASale:
		g.reject(r)
	case inv == nil && g.seen[r.invoice]:
		g.reject(r.rejected(SeenBefore, r.invoice))
	case r.reason != "":
		g.reject(r)
	case inv != nil && len(inv.lines) == maxLines:
		g.reject(r.rejected(ManyLines, r.invoice))
	default:
		if inv == nil {
			inv = g.begin(r)
		}
		inv.lines = append(inv.lines, r)
		g.held++
	}
	return g.finish(maxOpen, maxLines)
}

// opened is the open invoice of this id, or nil.
func (g *grouper) opened(id string) *invoice {
	for _, inv := range slices.Backward(g.open) { // most likely the last
		if inv.id == id {
			return inv
		}
	}
	return nil
}

func (g *grouper) begin(r row) *invoice {
	id := strings.Clone(r.invoice) // not to keep the whole line
	inv := &invoice{place: g.count, id: id, returned: r.returned}
	g.open = append(g.open, inv)
	g.seen[id] = true
	g.count++
	return inv
}

// finish ends the oldest invoices until at most so many, with so many lines, are open.
func (g *grouper) finish(invoices, lines int) error {
	for len(g.open) > invoices || g.held > lines {
		inv := g.open[0]
		g.open = slices.Delete(g.open, 0, 1)
		g.held -= len(inv.lines)
		if err := g.end(*inv); err != nil {
			return err
		}
	}
	return nil
}

// end ends an invoice. Its customer is the first that its lines name.
func (g *grouper) end(inv invoice) error {
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
