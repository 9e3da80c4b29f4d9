package verify

import "maps"

// stock checks what is set aside against what orders hold.
func (j *judgement) stock() {
	held := map[string]int64{} // by reservations, minus what came back
	for id, r := range j.reservations {
		if r.status == "reserved" {
			count(r.lines, 1, held)
			j.claim(id, r)
		}
	}
	for id, of := range j.restocks {
		g := j.returns[id]
		if g == nil || g.order != of {
			j.add(StockLive, id, "its goods are back in stock for order %s, which has no such return", of)
			continue
		}
		count(g.lines, -1, held)
	}
	for sku := range union(j.reservedLevels(), held) {
		l := j.levels[sku]
		j.check(l.reserved == held[sku], StockLive, sku, "%d are set aside, and reservations hold %d", l.reserved, held[sku])
	}
	for sku, l := range j.levels {
		j.check(l.reserved >= 0, StockPositive, sku, "%d are set aside", l.reserved)
		j.check(l.received >= l.reserved, StockPositive, sku, "%d are set aside of %d received", l.reserved, l.received)
		j.check(l.received == j.receipts[sku], StockPositive, sku, "%d were received, and its receipts make %d", l.received, j.receipts[sku])
	}
	for sku, n := range j.receipts {
		_, known := j.levels[sku]
		j.check(known, StockPositive, sku, "its receipts make %d, and there is no stock of it", n)
	}
	for id, o := range j.orders {
		r := j.reservations[id]
		j.check(o.status != "confirmed" || r.status == "reserved", StockLive, id, "it is confirmed, and its stock %s", statusOr(r.status))
		j.check(o.status != "cancelled" || r.status != "reserved" || !j.settled, StockLive, id, "it is cancelled, and its stock is reserved")
	}
}

// claim checks a reservation against its order.
func (j *judgement) claim(id string, r reservation) {
	o := j.orders[id]
	if o == nil {
		j.add(StockLive, id, "stock is reserved, and there is no such order")
		return
	}
	want, have := map[string]int64{}, map[string]int64{}
	count(o.lines, 1, want)
	count(r.lines, 1, have)
	if !maps.Equal(want, have) {
		j.add(StockLive, id, "what is reserved is not what is ordered")
	}
}

func (j *judgement) reservedLevels() map[string]int64 {
	out := map[string]int64{}
	for sku, l := range j.levels {
		out[sku] = l.reserved
	}
	return out
}
