package verify

import (
	"slices"
)

// The statuses that there are.
var statuses = struct{ order, giveBack, reservation, payment, refund, shipment, notification []string }{
	order:        []string{"placed", "confirmed", "cancelling", "cancelled"},
	giveBack:     []string{"requested", "settled"},
	reservation:  []string{"reserved", "released", "refused", "stopped"},
	payment:      []string{"pending", "charging", "charged", "failed", "refunding", "refunded"},
	refund:       []string{"refunding", "refunded"},
	shipment:     []string{"pending", "booking", "scheduled", "calling_off", "unavailable"},
	notification: []string{"queued", "sent", "failed"},
}

// ends checks that orders and what belongs to them are in one state, and end in
// one way.
func (j *judgement) ends() {
	for id, o := range j.orders {
		j.status(statuses.order, o.status, id, "its status")
		if j.settled {
			j.check(o.status == "confirmed" || o.status == "cancelled", OrdersEnd, id, "it %s", statusOr(o.status))
		}
	}
	for id, t := range j.trail.orders {
		if t[confirmed] > 0 {
			j.check(t[cancelled] == 0, OrdersEnd, id, "it was confirmed and cancelled")
			j.check(t[cancellation] == 0, OrdersEnd, id, "it was confirmed, and its cancellation asked for")
		}
	}
	for id, r := range j.reservations {
		j.status(statuses.reservation, r.status, id, "its reservation")
	}
	for id, p := range j.payments {
		j.status(statuses.payment, p.status, id, "its payment")
	}
	for id, v := range j.refunds {
		j.status(statuses.refund, v.status, id, "its refund")
	}
	for id, d := range j.shipments {
		j.status(statuses.shipment, d.status, id, "its delivery")
	}
	for id, n := range j.notifications {
		j.status(statuses.notification, n.status, id, "it")
	}
	j.givenBack()
}

func (j *judgement) status(known []string, status, id, what string) {
	j.check(slices.Contains(known, status), OrdersEnd, id, "%s is %q, which is none that there is", what, status)
}

// givenBack checks that no more came back than was delivered.
func (j *judgement) givenBack() {
	back := map[string]map[string]int64{}
	for id, g := range j.returns {
		j.status(statuses.giveBack, g.status, id, "its status")
		if j.settled {
			j.check(g.status == "settled", OrdersEnd, id, "the return %s", statusOr(g.status))
		}
		o := j.orders[g.order]
		if o == nil {
			j.add(Kept, id, "it is a return of order %s, which is not there", g.order)
			continue
		}
		j.check(o.status == "confirmed", OrdersEnd, id, "it is a return of order %s, which %s", o.id, statusOr(o.status))
		if back[o.id] == nil {
			back[o.id] = map[string]int64{}
			count(o.lines, -1, back[o.id])
		}
		count(g.lines, 1, back[o.id])
	}
	for id, rest := range back {
		for sku, n := range rest {
			j.check(n <= 0, Amounts, id, "%d more of %s came back than were ordered", n, sku)
		}
	}
}
