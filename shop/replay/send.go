package replay

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/url"
	"sync"
	"time"

	"github.com/tutti-go/tutti/shop/orderv1"
)

// introduce makes products, their stock and customers known to the shop. All of
// it may be repeated.
func (r *run) introduce(ctx context.Context) error {
	var group sync.WaitGroup
	for _, p := range r.plan.products {
		if !r.spawn(ctx, &group, func() error { return r.stock(ctx, p) }) {
			break
		}
	}
	for _, c := range r.plan.customers {
		if !r.spawn(ctx, &group, func() error { return r.register(ctx, c) }) {
			break
		}
	}
	group.Wait()
	return ctx.Err()
}

// spawn runs fn beside others, within the limit of orders in flight. Its error
// ends the replay. It reports false if the replay has ended.
func (r *run) spawn(ctx context.Context, group *sync.WaitGroup, fn func() error) bool {
	select {
	case r.flight <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	group.Go(func() {
		defer func() { <-r.flight }()
		if err := fn(); err != nil {
			r.cancel(err)
		}
	})
	return true
}

func (r *run) stock(ctx context.Context, p product) error {
	sku := url.PathEscape(p.sku)
	err := r.client.send(ctx, "PUT", "/products/"+sku, "", map[string]any{"name": p.name, "price": p.price})
	if err := r.shrug(err, "product", p.sku); err != nil {
		return err
	}
	err = r.client.send(ctx, "POST", "/stock/"+sku+"/receipts", "replay-"+p.sku, map[string]any{"quantity": r.cfg.Stock})
	if refused, ok := errors.AsType[refusal](err); ok {
		return fmt.Errorf("receive %d pieces of %s: %w (was this file replayed on the same data with another initial stock?)",
			r.cfg.Stock, p.sku, refused)
	}
	return err
}

func (r *run) register(ctx context.Context, c customer) error {
	err := r.client.send(ctx, "PUT", "/customers/"+url.PathEscape(c.id), "", map[string]any{
		"name": "Customer " + c.id, "email": "customer-" + c.id + "@example.com", "country": orElsewhere(c.country),
	})
	return r.shrug(err, "customer", c.id)
}

// shrug takes a refusal of a product or customer as no reason to stop: the shop
// decides about the orders themselves.
func (r *run) shrug(err error, kind, id string) error {
	if refused, ok := errors.AsType[refusal](err); ok {
		r.cfg.Logger.Warn("the shop refuses a "+kind, "id", id, "answer", refused.Error())
		return nil
	}
	return err
}

// place sends an order on its way, when there is room for it and its time has come.
func (r *run) place(ctx context.Context, inv invoice) error {
	if err := r.pace(ctx); err != nil {
		return err
	}
	select {
	case r.flight <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	r.ledger.begin(inv, time.Now())
	r.work.Go(func() {
		err := r.client.send(ctx, "POST", "/orders", inv.id, r.request(inv))
		if refused, ok := errors.AsType[refusal](err); ok {
			if r.client.send(ctx, "GET", "/orders/"+url.PathEscape(inv.id), "", nil) == nil {
				r.cancel(fmt.Errorf("place order %s: %w (there is another order of this id: was this data begun with another file or other options?)", inv.id, refused))
				return
			}
			for _, line := range inv.lines {
				r.reject(line.rejected(Refused, refused.Error()))
			}
			<-r.flight
			r.takeBack(ctx, r.ledger.refuse(inv.id))
			return
		}
		if err != nil {
			r.cancel(err)
			return
		}
		ready, ended := r.ledger.accept(inv.id)
		if ended {
			<-r.flight
		}
		r.takeBack(ctx, ready)
	})
	return nil
}

// pace waits for the time of the next order.
func (r *run) pace(ctx context.Context) error {
	if r.cfg.Rate == 0 {
		return ctx.Err()
	}
	const longest = 100 * 365 * 24 * time.Hour // more than a Duration may be far too long
	due := r.start.Add(time.Duration(min(float64(r.orders)/r.cfg.Rate*float64(time.Second), float64(longest))))
	r.orders++
	if d := time.Until(due); d > 0 {
		return sleep(ctx, d)
	}
	return ctx.Err()
}

// placement is the body of POST /orders.
type placement struct {
	CustomerID   string          `json:"customerId"`
	Lines        []orderv1.Line  `json:"lines"`
	PaymentToken string          `json:"paymentToken"`
	Address      orderv1.Address `json:"address"`
	Style        orderv1.Style   `json:"style,omitempty"`
}

func (r *run) request(inv invoice) placement {
	buyer, name := inv.customer, "Customer "+inv.customer
	if buyer == "" {
		buyer, name = "guest-"+inv.id, "Guest"
	}
	p := placement{
		CustomerID: buyer, Lines: make([]orderv1.Line, len(inv.lines)), PaymentToken: r.token(inv.id),
		Address: orderv1.Address{Name: name, Street: "1 High Street", City: "Anytown", Country: orElsewhere(inv.country)},
		Style:   r.style(inv.id),
	}
	for i, l := range inv.lines {
		p.Lines[i] = orderv1.Line{SKU: l.sku, Quantity: l.quantity, UnitPrice: l.price}
	}
	return p
}

// token is declined for the wanted share of orders, the same ones each time.
func (r *run) token(id string) string {
	// Numbers that follow each other differ in FNV's low bits too little.
	if mixed := hashOf(id) * 0x9e3779b1 >> 16 % 10_000; float64(mixed) < r.cfg.Decline*100 {
		return "tok_decline"
	}
	return "tok_ok"
}

// style is that of an order, the same each time; empty where it is up to the shop.
func (r *run) style(id string) orderv1.Style {
	switch {
	case !r.cfg.Mixed:
		return ""
	case hashOf(id)*0x85ebca6b>>31 == 0: // by another bit than whether it is declined
		return orderv1.Choreography
	}
	return orderv1.Orchestration
}

func hashOf(id string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	return h.Sum32()
}

func orElsewhere(country string) string {
	if country == "" {
		return "Unspecified"
	}
	return country
}

// takeBack sends returns on their way.
func (r *run) takeBack(ctx context.Context, ready []*giveBack) {
	for _, g := range ready {
		r.work.Go(func() {
			if err := r.giveBack(ctx, g); err != nil {
				r.cancel(err)
			}
		})
	}
}

// giveBack asks for one return for each order that the goods come from. A line is
// returned if all of its goods are.
func (r *run) giveBack(ctx context.Context, g *giveBack) error {
	why := make([]row, len(g.lines)) // rejected, where a reason is set
	for i, reason := range g.why {
		why[i] = g.lines[i].rejected(reason, g.id)
	}
	for _, p := range g.parts {
		err := r.client.send(ctx, "POST", "/orders/"+url.PathEscape(p.orderID)+"/returns", g.id+"-"+p.orderID, map[string]any{"lines": p.lines})
		refused, ok := errors.AsType[refusal](err)
		switch {
		case ok:
			for _, i := range p.rows {
				why[i] = g.lines[i].rejected(Refused, refused.Error())
			}
		case err != nil:
			return err
		}
	}
	back := 0
	for _, w := range why {
		if w.reason == "" {
			back++
			continue
		}
		r.reject(w)
	}
	r.ledger.returned(back)
	return nil
}
