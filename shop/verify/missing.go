package verify

import (
	"slices"
	"strings"
)

// needs is the databases without which an invariant cannot be judged. Those that are
// not listed need all.
var needs = map[string][]string{
	ShippedPaid:    {"order", "payment", "shipping", "gateway-payment", "gateway-carrier"},
	ChargedShipped: {"order", "payment", "gateway-payment", "gateway-carrier"},
	StockLive:      {"order", "inventory"},
	StockPositive:  {"inventory"},
	OrdersEnd:      {"order", "inventory", "payment", "shipping", "notification"},
	Once:           {"order", "notification", "gateway-payment", "gateway-carrier", "gateway-mail"},
	Spend:          {"order", "customer"},
	Amounts:        {"order", "payment", "gateway-payment"},
	Directed:       {"order", "fulfilment"},
}

// caller is the service whose process has the ledger of a gateway.
var caller = map[string]string{"gateway-payment": "payment", "gateway-carrier": "shipping", "gateway-mail": "notification"}

// missing lists the databases that are not there, if any of them must be: a shop may
// be killed before it has made them.
func (j *judgement) missing() []string {
	var names []string
	needed := false
	for _, b := range slices.Concat(j.services, j.gateways) {
		if !b.there {
			names = append(names, b.service)
			needed = needed || j.existed(b)
		}
	}
	if !needed {
		return nil
	}
	return names
}

// existed reports whether anything shows that a database was there.
func (j *judgement) existed(b *books) bool {
	if service := caller[b.service]; service != "" { // the ledger is made first
		return slices.ContainsFunc(j.services, func(s *books) bool { return s.service == service && s.there })
	}
	called := map[string]bool{"payment": len(j.charges) > 0, "shipping": len(j.bookings) > 0, "notification": len(j.mails) > 0}
	if called[b.service] {
		return true
	}
	for lane := range j.trail.lanes {
		if owner, _, _ := strings.Cut(lane.Lane, "."); owner == b.service {
			return true
		}
	}
	if j.settled {
		for p := range j.trail.ends {
			if b.reads(p.Topic) {
				return true
			}
		}
	}
	return false
}

// leaveOut drops what was found of invariants that need databases which are missing:
// most of it would be false.
func (f findings) leaveOut(missing []string) {
	for name := range f {
		of, some := needs[name]
		if !some || slices.ContainsFunc(missing, func(db string) bool { return slices.Contains(of, db) }) {
			delete(f, name)
		}
	}
	for _, db := range missing {
		f.add(Agree, db, "its database is not there")
	}
}
