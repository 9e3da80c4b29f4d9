package verify

import (
	"maps"
	"slices"
)

// lost checks that every order is there that was acknowledged, or that any event,
// service or gateway knows.
func (j *judgement) lost(acknowledged []string) {
	for _, id := range acknowledged {
		j.check(j.orders[id] != nil, Kept, id, "it was acknowledged, and is not there")
	}
	knows := func(who string, ids []string) {
		for _, id := range ids {
			j.check(j.orders[id] != nil, Kept, id, "%s knows it, and it is not there", who)
		}
	}
	knows("the log", slices.Collect(maps.Keys(j.trail.orders)))
	knows("inventory", slices.Collect(maps.Keys(j.reservations)))
	knows("payment", slices.Collect(maps.Keys(j.payments)))
	knows("shipping", slices.Collect(maps.Keys(j.shipments)))
	knows("fulfilment", slices.Collect(maps.Keys(j.sagas)))
	for _, n := range j.notifications {
		knows("notification", []string{n.order})
	}
	for _, c := range j.charges {
		knows("the payment gateway", []string{c.order})
	}
	for _, b := range j.bookings {
		knows("the carrier", []string{b.order})
	}
	for _, m := range j.mails {
		knows("the mail provider", []string{m.order})
	}
}
