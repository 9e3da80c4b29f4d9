package verify

import (
	"slices"
	"strings"

	"github.com/tutti-go/tutti/store"
)

// published says which events of an order were published if something of it has a
// status, and which were not.
type published struct{ yes, no []int }

var orderPublished = map[string]published{
	"placed":     {yes: []int{placed}, no: []int{cancellation, confirmed, cancelled}},
	"cancelling": {yes: []int{placed}, no: []int{confirmed, cancelled}},
	"confirmed":  {yes: []int{placed, confirmed, reserved, completed, scheduled}, no: []int{cancelled}},
	"cancelled":  {yes: []int{placed, cancelled}, no: []int{confirmed}},
}

var reservationPublished = map[string]published{
	"reserved": {yes: []int{reserved}, no: []int{released, outOfStock}},
	"released": {yes: []int{reserved, released}, no: []int{outOfStock}},
	"refused":  {yes: []int{outOfStock}, no: []int{reserved, released}},
	"stopped":  {no: []int{reserved, released, outOfStock}},
}

var paymentPublished = map[string]published{
	"pending":   {no: []int{completed, failed, refunded}},
	"charging":  {no: []int{completed, failed, refunded}},
	"charged":   {yes: []int{completed}, no: []int{failed, refunded}},
	"failed":    {yes: []int{failed}, no: []int{completed, refunded}},
	"refunding": {no: []int{failed, refunded}},
	"refunded":  {yes: []int{refunded}, no: []int{failed}},
}

var shipmentPublished = map[string]published{
	"pending":     {no: []int{scheduled, unavailable}},
	"booking":     {no: []int{scheduled, unavailable}},
	"scheduled":   {yes: []int{scheduled}, no: []int{unavailable}},
	"calling_off": {no: []int{unavailable}},
	"unavailable": {yes: []int{unavailable}},
}

// agreement checks each service's database against what it published, both ways,
// and the log against what the services have numbered and read.
func (j *judgement) agreement() {
	for id, o := range j.orders {
		j.agree(id, "it", o.status, orderPublished)
	}
	for id, r := range j.reservations {
		j.agree(id, "its reservation", r.status, reservationPublished)
	}
	for id, p := range j.payments {
		j.agree(id, "its payment", p.status, paymentPublished)
	}
	for id, d := range j.shipments {
		j.agree(id, "its delivery", d.status, shipmentPublished)
		j.agreePaid(id, d)
	}
	j.rows()
	j.agreeReturns()
	j.numbers()
}

func (j *judgement) agree(id, what, status string, table map[string]published) {
	want := table[status]
	for _, e := range want.yes {
		j.check(j.trail.has(id, e), Agree, id, "%s %s, and %s is neither in the log nor in an outbox", what, statusOr(status), name(ofOrder[e]))
	}
	for _, e := range want.no {
		j.check(!j.trail.has(id, e), Agree, id, "%s %s, and %s was published", what, statusOr(status), name(ofOrder[e]))
	}
}

// agreePaid checks what shipping holds of the payment: it is told by the event, or by
// the mediator, which schedules nothing that is not paid.
func (j *judgement) agreePaid(id string, d shipment) {
	told, by := j.trail.has(id, completed), name(ofOrder[completed])
	if o := j.orders[id]; o != nil && o.directed {
		told, by = j.trail.commanded[id], "command "+scheduleDelivery.Type
	}
	j.check(told || !d.paid, Agree, id, "shipping knows it as paid, and %s is neither in the log nor in an outbox", by)
	if j.settled {
		j.check(d.paid || !told, Agree, id, "%s was published, and shipping does not know it as paid", by)
	}
}

// rows checks that what was published is of something that is stored.
func (j *judgement) rows() {
	for id, t := range j.trail.orders {
		missing := func(events []int, stored bool, what string) {
			if i := slices.IndexFunc(events, func(e int) bool { return t[e] > 0 }); i >= 0 && !stored {
				j.add(Agree, id, "%s was published, and %s is not stored", name(ofOrder[events[i]]), what)
			}
		}
		_, claimed := j.reservations[id]
		_, paying := j.payments[id]
		_, shipping := j.shipments[id]
		missing([]int{reserved, outOfStock, released}, claimed, "its reservation")
		missing([]int{completed, failed, refunded}, paying, "its payment")
		missing([]int{scheduled, unavailable}, shipping, "its delivery")
	}
}

func (j *judgement) agreeReturns() {
	for id, g := range j.returns {
		j.check(j.trail.returnHas(id, returned), Agree, id, "it is %s, and %s is neither in the log nor in an outbox", g.status, name(ofReturn[returned]))
		if g.status == "settled" {
			_, back := j.restocks[id]
			j.check(back && j.refunds[id].status == "refunded", Agree, id, "it is settled, and not both refunded and back in stock")
		}
	}
	for id, v := range j.refunds {
		done := v.status == "refunded"
		j.check(done == j.trail.returnHas(id, returnRefunded), Agree, id, "its refund is %s, and whether %s was published does not fit", v.status, name(ofReturn[returnRefunded]))
	}
	for id := range j.restocks {
		j.check(j.trail.returnHas(id, restocked), Agree, id, "its goods are back in stock, and %s is neither in the log nor in an outbox", name(ofReturn[restocked]))
	}
	for id, r := range j.trail.returns {
		_, back := j.restocks[id]
		j.check(j.returns[id] != nil, Agree, id, "events of this return of order %s were published, and it is not stored", r.order)
		j.check(back || r.counts[restocked] == 0, Agree, id, "%s was published, and its restock is not stored", name(ofReturn[restocked]))
	}
}

// named is the part of a lane's name that all lanes of a database share.
func named(lane string) string { return lane[:max(strings.LastIndexByte(lane, '.'), 0)] }

// numbers checks that the log and the outboxes have all that lanes have numbered,
// and that nobody has read what is not there.
func (j *judgement) numbers() {
	numbered := j.lanes()
	for lane, last := range numbered {
		have := j.trail.lanes[lane]
		j.check(have >= last, Agree, lane.Lane, "it has numbered %d events of %s, and log and outbox have %d", last, lane.Partition, have)
		j.check(have <= last, Agree, lane.Lane, "it has numbered %d events of %s, and the log has %d", last, lane.Partition, have)
	}
	for lane, have := range j.trail.lanes {
		if _, known := numbered[lane]; !known {
			mine := slices.ContainsFunc(j.services, func(b *books) bool { return b.there && b.name == named(lane.Lane) })
			j.check(!mine, Agree, lane.Lane, "it has numbered no event of %s, and the log has %d", lane.Partition, have)
		}
	}
	for _, b := range j.services {
		for p, at := range b.positions {
			j.check(at.Next <= j.trail.ends[p], Agree, b.service, "it has read up to %d of %s, which ends at %d", at.Next, p, j.trail.ends[p])
			for lane, seq := range b.seen[p] {
				have := j.trail.lanes[store.LanePartition{Lane: lane, Partition: p}]
				j.check(seq <= have, Agree, b.service, "it has read number %d of lane %s in %s, of which there are %d", seq, lane, p, have)
			}
		}
	}
}
