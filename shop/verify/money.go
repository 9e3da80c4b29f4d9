package verify

import (
	"cmp"
	"maps"
	"math/big"
	"strings"
)

// money checks that what is delivered is paid, and what is paid is delivered or
// given back.
func (j *judgement) money() {
	for _, c := range j.charges {
		if c.taken() {
			j.taken[c.order] = c
		}
	}
	for _, b := range j.bookings {
		if b.booked {
			j.booked[b.order] = true
			_, paid := j.taken[b.order]
			j.check(paid, ShippedPaid, b.order, "the carrier delivers it, and the payment gateway has nothing for it")
		}
	}
	for id, d := range j.shipments {
		if d.status == "booking" || d.status == "scheduled" || d.status == "calling_off" {
			j.check(d.paid, ShippedPaid, id, "its delivery is %s, and shipping does not know it as paid", d.status)
		}
		if d.status == "scheduled" {
			j.check(j.payments[id].status == "charged", ShippedPaid, id, "its delivery is scheduled, and its payment %s", statusOr(j.payments[id].status))
			j.check(j.booked[id], ShippedPaid, id, "its delivery is scheduled, and the carrier does not know it")
		}
	}
	for id, o := range j.orders {
		if o.status != "confirmed" {
			continue
		}
		_, paid := j.taken[id]
		j.check(paid, ShippedPaid, id, "it is confirmed, and the payment gateway has nothing for it")
		j.check(j.payments[id].status == "charged", ShippedPaid, id, "it is confirmed, and its payment %s", statusOr(j.payments[id].status))
		j.check(j.shipments[id].status == "scheduled", ShippedPaid, id, "it is confirmed, and its delivery %s", statusOr(j.shipments[id].status))
	}
	j.dropped()
}

// dropped looks for money that was kept for nothing.
func (j *judgement) dropped() {
	for id, c := range j.taken {
		switch o := j.orders[id]; {
		case o == nil:
			j.add(ChargedShipped, id, "%d pence were charged, and there is no such order", c.amount)
		case o.status == "cancelled":
			j.add(ChargedShipped, id, "%d pence were charged and not given back, and it is cancelled", c.amount)
		case o.status == "confirmed":
			j.check(j.booked[id], ChargedShipped, id, "%d pence were charged, and the carrier does not deliver it", c.amount)
		}
		status := j.payments[id].status
		j.check(status != "refunded" && status != "failed", ChargedShipped, id, "%d pence were charged and not given back, and its payment %s", c.amount, statusOr(status))
		j.check(status != "", ChargedShipped, id, "%d pence were charged, and payment does not know it", c.amount)
	}
	for _, c := range j.charges {
		if c.void {
			j.check(c.refunded == c.amount, ChargedShipped, c.order, "charge %s was taken back, but for %d of %d pence", c.key, c.amount-c.refunded, c.amount)
		}
	}
	for id, v := range j.refunds {
		_, paid := j.chargeParts["return-"+id]
		j.check(paid || v.status != "refunded", ChargedShipped, v.order, "return %s is refunded, and the payment gateway has not done it", id)
	}
}

// amounts checks that everybody means the same money.
func (j *judgement) amounts() {
	for id, o := range j.orders {
		if sum := worth(o.lines); sum != o.total {
			j.add(Amounts, id, "its total is %d, and its lines are worth %d", o.total, sum)
		}
		if p, known := j.payments[id]; known && p.amount != 0 {
			j.check(p.amount == o.total, Amounts, id, "its total is %d, and payment knows %d", o.total, p.amount)
		}
		if c, paid := j.taken[id]; paid {
			j.check(c.amount == o.total, Amounts, id, "its total is %d, and %d were charged", o.total, c.amount)
		}
	}
	for id, g := range j.returns {
		if sum := worth(g.lines); sum != g.refund {
			j.add(Amounts, id, "its refund is %d, and its lines are worth %d", g.refund, sum)
		}
		if v, known := j.refunds[id]; known {
			j.check(v.amount == g.refund && v.order == g.order, Amounts, id, "its refund is %d for order %s, and payment's %d for %s", g.refund, g.order, v.amount, v.order)
		}
		if p, known := j.chargeParts["return-"+id]; known {
			j.check(p.amount == g.refund, Amounts, id, "its refund is %d, and the payment gateway gave back %d", g.refund, p.amount)
		}
	}
	for id := range j.refunds {
		j.check(j.returns[id] != nil, Amounts, id, "payment refunds it, and there is no such return")
	}
	back := map[string]int64{}
	for key, p := range j.chargeParts {
		back[p.charge] += p.amount
		id := strings.TrimPrefix(key, "return-")
		g := j.returns[id]
		j.check(g != nil && p.charge == "charge-"+g.order, Amounts, id, "the payment gateway gave %d of %s back for it, of which it is no return", p.amount, p.charge)
	}
	for _, c := range j.charges {
		if !c.void {
			j.check(c.refunded == back[c.key], Amounts, c.order, "of charge %s %d were given back, and its parts are %d", c.key, c.refunded, back[c.key])
		}
		j.check(c.refunded >= 0 && c.refunded <= c.amount, Amounts, c.order, "of charge %s %d of %d were given back", c.key, c.refunded, c.amount)
	}
}

// spending checks what customers have spent against the events that the customer
// service has read, and, once all is settled, against the orders.
func (j *judgement) spending() {
	for id := range union(j.spend, j.trail.spend) {
		has, want := j.spend.of(id), j.trail.spend.of(id)
		j.check(has.Cmp(want) == 0, Spend, id, "it has spent %d, and the events that customer has read make %d", has, want)
	}
	if !j.settled {
		return
	}
	made := sums{}
	for _, o := range j.orders {
		if o.status == "confirmed" {
			made.add(o.customer, o.total)
		}
	}
	for _, g := range j.returns {
		if o := j.orders[g.order]; o != nil {
			made.take(o.customer, g.refund)
		}
	}
	for id := range union(j.spend, made) {
		has, want := j.spend.of(id), made.of(id)
		j.check(has.Cmp(want) == 0, Spend, id, "it has spent %d, and its orders and returns make %d", has, want)
	}
}

// sums is what is added up for each customer: orders that are accepted may make more
// than an int64 holds.
type sums map[string]*big.Int

func (s sums) add(id string, n int64)  { s[id] = new(big.Int).Add(s.of(id), big.NewInt(n)) }
func (s sums) take(id string, n int64) { s[id] = new(big.Int).Sub(s.of(id), big.NewInt(n)) }

// of is the sum of one of them.
func (s sums) of(id string) *big.Int { return cmp.Or(s[id], new(big.Int)) }

func union[V any](a, b map[string]V) map[string]V {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// statusOr is a status in a sentence.
func statusOr(status string) string {
	if status == "" {
		return "is not known"
	}
	return "is " + status
}
