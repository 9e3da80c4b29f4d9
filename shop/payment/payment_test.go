package payment

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/shop/paymentv1"
)

func TestDecisions(t *testing.T) {
	base := Payment{Order: "o1", Amount: 500, Token: "tok_ok", State: State{Placed: true, Reserved: true}}
	in := func(s Status, edit func(*Payment)) Payment {
		p := base
		p.Status = s
		if edit != nil {
			edit(&p)
		}
		return p
	}
	stopped := func(p *Payment) { p.Stopped = true }
	paid := func(p *Payment) { p.PaymentID = "pay_1" }
	charge := Effect{Start: chargeJob{Order: "o1", Token: "tok_ok", Amount: 500}}
	refund := Effect{Start: refundJob{Order: "o1"}}
	fails := func(reason string) Effect { return Effect{Publish: paymentv1.Failed{OrderID: "o1", Reason: reason}} }

	for name, tt := range map[string]struct {
		from   Payment
		do     func(Payment) (Payment, Effect)
		status Status
		effect Effect
	}{
		"placed first":           {New("o1"), place, Pending, Effect{}},
		"reserved first":         {New("o1"), Payment.Reserve, Pending, Effect{}},
		"placed, then reserved":  {Payment{Order: "o1", Amount: 500, Token: "tok_ok", State: State{Status: Pending, Placed: true}}, Payment.Reserve, Charging, charge},
		"reserved, then placed":  {Payment{Order: "o1", State: State{Status: Pending, Reserved: true}}, place, Charging, charge},
		"stopped before":         {New("o1"), stop, Failed, fails("no carrier")},
		"placed after the stop":  {Payment{Order: "o1", State: State{Status: Failed, Reserved: true, Stopped: true}}, place, Failed, Effect{}},
		"stopped while charging": {in(Charging, nil), stop, Charging, Effect{}},
		"stopped when charged":   {in(Charged, paid), stop, Refunding, refund},
		"stopped when failed":    {in(Failed, nil), stop, Failed, Effect{}},
		"stopped again":          {in(Refunding, stopped), stop, Refunding, Effect{}},
		"charged":                {in(Charging, nil), chargeOK, Charged, Effect{Publish: paymentv1.Completed{OrderID: "o1", PaymentID: "pay_1", Amount: 500}}},
		"charged, stopped":       {in(Charging, stopped), chargeOK, Refunding, refund},
		"charged again":          {in(Charged, paid), chargeOK, Charged, Effect{}},
		"charged, never asked":   {New("o1"), chargeOK, Pending, Effect{}},
		"declined":               {in(Charging, nil), decline, Failed, fails("declined")},
		"declined, stopped":      {in(Charging, stopped), decline, Failed, fails("declined")},
		"no answer":              {in(Charging, nil), lose, Refunding, refund},
		"refunded":               {in(Refunding, paid), Payment.Refund, Refunded, Effect{Publish: paymentv1.Refunded{OrderID: "o1", PaymentID: "pay_1", Amount: 500}}},
		"refunded, never known":  {in(Refunding, func(p *Payment) { p.Reason = "no answer" }), Payment.Refund, Failed, fails("no answer")},
		"refunded again":         {in(Refunded, paid), Payment.Refund, Refunded, Effect{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, effect := tt.do(tt.from)
			if got.Status != tt.status || effect != tt.effect {
				t.Errorf("got %s %+v, want %s %+v", got.Status, effect, tt.status, tt.effect)
			}
			if again, effect := tt.do(got); again != got || effect != (Effect{}) {
				t.Errorf("once more: got %+v %+v, want no change", again, effect)
			}
		})
	}
}

func place(p Payment) (Payment, Effect)    { return p.Place(500, "tok_ok") }
func stop(p Payment) (Payment, Effect)     { return p.Stop("no carrier") }
func chargeOK(p Payment) (Payment, Effect) { return p.Charge("pay_1") }
func decline(p Payment) (Payment, Effect)  { return p.Decline("declined") }
func lose(p Payment) (Payment, Effect)     { return p.Lose("no answer") }

// input is something that can happen to a payment.
type input string

var decisions = map[input]func(Payment) (Payment, Effect){
	"place": place, "reserve": Payment.Reserve, "stop": stop,
	"charged": chargeOK, "declined": decline, "lost": lose, "refunded": Payment.Refund,
}

// outcomes says how a charge can end: what the service hears, and whether money
// was taken.
var outcomes = []struct {
	name  string
	hears []input
	taken bool
}{
	{"answered", []input{"charged"}, true},
	{"answered twice", []input{"charged", "charged"}, true},
	{"declined", []input{"declined", "declined"}, false},
	{"lost before", []input{"lost"}, false},
	{"lost after", []input{"lost"}, true},
	{"lost, but reported", []input{"lost", "charged"}, true},
}

// run is one path through the interleavings.
type run struct {
	p         Payment
	pending   map[input]int
	trail     []input
	published []string
	charges   int
	refunds   int
	taken     bool
	voided    bool
}

// TestInterleavings goes every way in which what can happen to a payment may come,
// each fact up to twice, and checks what it ends in.
func TestInterleavings(t *testing.T) {
	for _, outcome := range outcomes {
		ends := 0
		for places := range 3 {
			for reserves := range 3 {
				for stops := range 3 {
					start := run{p: New("o1"), pending: map[input]int{"place": places, "reserve": reserves, "stop": stops}}
					explore(start, outcome.hears, outcome.taken, func(r run) {
						ends++
						for _, fault := range r.faults(places > 0 && reserves > 0, stops > 0) {
							t.Fatalf("%s: %v: %s: ended as %+v, published %v", outcome.name, r.trail, fault, r.p, r.published)
						}
					})
				}
			}
		}
		if ends < 500 {
			t.Errorf("%s: only %d interleavings", outcome.name, ends)
		}
	}
}

func explore(r run, hears []input, taken bool, end func(run)) {
	open := false
	for _, in := range slices.Sorted(maps.Keys(r.pending)) {
		if r.pending[in] == 0 {
			continue
		}
		open = true
		next := r
		next.pending = maps.Clone(r.pending)
		next.pending[in]--
		next.trail = append(slices.Clip(r.trail), in)
		var effect Effect
		next.p, effect = decisions[in](r.p)
		switch effect.Start.(type) {
		case chargeJob:
			next.charges++
			next.taken = taken
			for _, in := range hears {
				next.pending[in]++
			}
		case refundJob:
			next.refunds++
			next.voided = true
			next.pending["refunded"] += 2
		}
		if effect.Publish != nil {
			next.published = append(slices.Clip(r.published), fmt.Sprintf("%T", effect.Publish))
		}
		explore(next, hears, taken, end)
	}
	if !open {
		end(r)
	}
}

// faults checks the end of a path.
func (r run) faults(due, stopped bool) []string {
	count := func(name string) (n int) {
		for _, p := range r.published {
			if strings.HasSuffix(p, "."+name) {
				n++
			}
		}
		return n
	}
	completed, failed, refunded := count("Completed"), count("Failed"), count("Refunded")
	var out []string
	check := func(ok bool, fault string) {
		if !ok {
			out = append(out, fault)
		}
	}
	check(r.p.Status != Charging && r.p.Status != Refunding, "left in flight")
	check(r.charges <= 1 && r.refunds <= 1, "charged or refunded twice")
	check(completed <= 1 && failed+refunded <= 1, "published twice")
	check(completed == 0 || failed == 0, "completed and failed")
	check(!r.taken || r.voided || r.p.Status == Charged, "money is kept")
	check(r.p.Status != Charged || r.taken && !r.voided && completed == 1 && !stopped, "charged without money, word or right")
	check(!stopped || failed+refunded == 1, "stopped without a word")
	check(!due || completed+failed+refunded >= 1, "due without a word")
	check((r.p.Status == Failed) == (failed == 1) && (r.p.Status == Refunded) == (refunded == 1), "state and events differ")
	return out
}
