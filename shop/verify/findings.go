package verify

import (
	"cmp"
	"fmt"
	"slices"
)

// The invariants, by the names that a report has.
const (
	// ShippedPaid: what the carrier delivers, and every confirmed order, is paid.
	ShippedPaid = "no_order_shipped_unpaid"
	// ChargedShipped: what is charged is being delivered, given back, or under way.
	ChargedShipped = "no_order_charged_and_dropped"
	// StockLive: the stock set aside is what live orders hold.
	StockLive = "reserved_stock_is_of_live_orders"
	// StockPositive: nothing is set aside that was not received.
	StockPositive = "stock_never_negative"
	// OrdersEnd: orders are in one state, and do not end in two ways.
	OrdersEnd = "orders_end_confirmed_or_cancelled"
	// Once: no charge, booking, mail, refund or event is there twice.
	Once = "effects_happen_once"
	// Spend: what customers have spent is what was confirmed minus what came back.
	Spend = "spend_is_confirmed_orders"
	// Amounts: totals, payments, charges and refunds of an order agree.
	Amounts = "amounts_agree"
	// Agree: what a database says is in the log or an outbox, and the other way
	// round.
	Agree = "log_and_databases_agree"
	// Kept: every order that was acknowledged, or that anybody knows of, is there.
	Kept = "no_order_lost"
	// Directed: an order has a mediator if and only if it was placed for one, whose saga
	// ends as the order does.
	Directed = "sagas_end_as_their_orders"
	// Settled: nothing is under way. It is checked if Config.Settled asks for it.
	Settled = "nothing_under_way"
)

var always = []string{ShippedPaid, ChargedShipped, StockLive, StockPositive, OrdersEnd, Once, Spend, Amounts, Agree, Kept, Directed}

// findings gathers violations, by invariant.
type findings map[string][]Violation

func newFindings(cfg Config) findings {
	f := findings{}
	for _, name := range always {
		f[name] = nil
	}
	if cfg.Settled {
		f[Settled] = nil
	}
	return f
}

// invariants sums up, with that many examples of each violation, those with the
// lowest ids first.
func (f findings) invariants(examples int) map[string]Invariant {
	out := map[string]Invariant{}
	for name, found := range f {
		slices.SortFunc(found, func(a, b Violation) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.What, b.What)) })
		out[name] = Invariant{OK: len(found) == 0, Violations: len(found), Examples: found[:min(len(found), examples)]}
	}
	return out
}

// add notes a violation.
func (f findings) add(invariant, id, format string, args ...any) {
	f[invariant] = append(f[invariant], Violation{ID: id, What: fmt.Sprintf(format, args...)})
}

// check notes a violation unless ok.
func (f findings) check(ok bool, invariant, id, format string, args ...any) {
	if !ok {
		f.add(invariant, id, format, args...)
	}
}
