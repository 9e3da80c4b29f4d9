package replay

import (
	"cmp"
	"context"
	"strings"
)

// plan is what a first look at the file finds: what has to be known to the shop
// before the orders.
type plan struct {
	products  []product
	customers []customer
	orders    map[string]bool // the ids of all orders
	invoices  int             // orders and returns
	lines     int
}

type product struct {
	sku   string
	name  string
	price int64 // of its first sale
}

type customer struct{ id, country string }

// read makes the plan. Faults of the whole file are found here, before anything is
// sent.
func read(ctx context.Context, src *source) (*plan, error) {
	p := &plan{orders: map[string]bool{}}
	at, known := map[string]int{}, map[string]bool{}
	err := eachInvoice(ctx, src, func(row) { p.lines++ }, func(inv invoice) error {
		p.lines += len(inv.lines)
		p.invoices++
		if inv.customer != "" && !known[inv.customer] {
			c := customer{strings.Clone(inv.customer), strings.Clone(inv.country)}
			known[c.id] = true
			p.customers = append(p.customers, c)
		}
		if inv.returned {
			return nil
		}
		p.orders[inv.id] = true
		for _, r := range inv.lines {
			i, found := at[r.sku]
			if !found {
				i = len(p.products)
				p.products = append(p.products, product{sku: strings.Clone(r.sku), price: r.price})
				at[p.products[i].sku] = i
			}
			if p.products[i].name == "" {
				p.products[i].name = strings.Clone(r.name)
			}
		}
		return nil
	})
	for i, pr := range p.products {
		p.products[i].name = cmp.Or(pr.name, pr.sku)
	}
	return p, err
}
