package replay

import "slices"

// order is an order that was read from the file.
type order struct {
	place   int // in the file, counted in invoices
	id      string
	account *account // nil for guests: nothing of theirs comes back
	lines   int
	state   orderState
}

type orderState uint8

const (
	orderOpen orderState = iota // sent, or to be sent
	orderConfirmed
	orderCancelled
	orderRefused
)

// account is what a customer has ordered, and the returns that wait for it.
type account struct {
	open    []*order // not settled, in the order of the file
	shelves map[string]*shelf
	waiting []*giveBack
}

// shelf is what a customer has of one product.
type shelf struct {
	holdings  []holding // in the order of the file
	bought    bool      // an order of it was confirmed, even if all is back
	cancelled bool      // an order of it was cancelled
}

// holding is what is left of a product from one order.
type holding struct {
	order *order
	left  int64
}

// giveBack is an invoice that takes goods back, and where they come from.
type giveBack struct {
	invoice
	parts []*part
	why   map[int]Reason // the lines that are rejected, by their place in the invoice
}

// buy puts an order's lines on the shelves.
func (a *account) buy(o *order, lines []row, intern func(string) string) {
	a.open = append(a.open, o)
	for _, r := range lines {
		s := a.shelves[r.sku]
		if s == nil {
			s = &shelf{}
			a.shelves[intern(r.sku)] = s
		}
		if n := len(s.holdings); n > 0 && s.holdings[n-1].order == o {
			s.holdings[n-1].left += r.quantity
			continue
		}
		s.holdings = append(s.holdings, holding{o, r.quantity})
	}
}

// settled takes an order from the open ones, and returns the returns that waited
// for it and for nothing else.
func (a *account) settled(o *order) []*giveBack {
	a.open = slices.DeleteFunc(a.open, func(other *order) bool { return other == o })
	return a.ready()
}

// ready takes the returns before which no order is open, and matches them in the
// order of the file, whatever the order in which the shop settles.
func (a *account) ready() []*giveBack {
	n := 0
	for n < len(a.waiting) && (len(a.open) == 0 || a.open[0].place > a.waiting[n].place) {
		a.match(a.waiting[n])
		n++
	}
	ready := a.waiting[:n:n]
	a.waiting = a.waiting[n:]
	return ready
}

// part is goods of one order that come back together.
type part struct {
	orderID string
	lines   []returnLine
	rows    []int // of the invoice's lines, those that have goods in it
}

type returnLine struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

// match finds the orders that the goods of a return come from: confirmed ones
// before it, the newest first. A line that they do not cover is rejected as a
// whole.
func (a *account) match(g *giveBack) {
	g.why = map[int]Reason{}
	byOrder := map[*order]*part{}
	for i, r := range g.lines {
		s := a.shelves[r.sku]
		if s == nil {
			g.why[i] = NoOrder
			continue
		}
		taken, reason := s.take(r.quantity, g.place)
		if reason != "" {
			g.why[i] = reason
			continue
		}
		for _, t := range taken {
			p := byOrder[t.order]
			if p == nil {
				p = &part{orderID: t.order.id}
				byOrder[t.order] = p
				g.parts = append(g.parts, p)
			}
			p.add(i, r.sku, t.left)
		}
	}
}

// add adds goods, to a line that has room for them, if there is one.
func (p *part) add(line int, sku string, quantity int64) {
	p.rows = append(p.rows, line)
	for i := range p.lines {
		if p.lines[i].SKU == sku && p.lines[i].Quantity+quantity <= maxQuantity {
			p.lines[i].Quantity += quantity
			return
		}
	}
	p.lines = append(p.lines, returnLine{sku, quantity})
}

// take takes a quantity from the orders before a place in the file, all or
// nothing. These are settled.
func (s *shelf) take(quantity int64, before int) ([]holding, Reason) {
	var found []int // in s.holdings
	first, have := len(s.holdings), int64(0)
	for first > 0 && have < quantity {
		first--
		h := s.holdings[first]
		switch {
		case h.order.place > before:
		case h.order.state == orderConfirmed:
			s.bought = true
			found = append(found, first)
			have += h.left
		case h.order.state == orderCancelled:
			s.cancelled = true
		}
	}
	defer s.tidy(first, before)
	switch {
	case have >= quantity:
	case s.bought:
		return nil, TooMuch
	case s.cancelled:
		return nil, Cancelled
	default:
		return nil, NoOrder
	}
	taken := make([]holding, len(found))
	for i, at := range found {
		h := &s.holdings[at]
		n := min(h.left, quantity)
		taken[i] = holding{h.order, n}
		h.left -= n
		quantity -= n
	}
	return taken, ""
}

// tidy drops what can never be taken, so that no later return looks at it again.
func (s *shelf) tidy(first, before int) {
	kept := slices.DeleteFunc(s.holdings[first:], func(h holding) bool {
		return h.order.place <= before && (h.order.state != orderConfirmed || h.left == 0)
	})
	s.holdings = s.holdings[:first+len(kept)]
}
