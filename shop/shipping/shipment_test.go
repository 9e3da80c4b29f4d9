package shipping

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/shop/shippingv1"
)

const address = `{"name":"Ann","street":"1 High St","city":"Leeds","country":"GB"}`

func TestDecisions(t *testing.T) {
	in := func(s Status, edit func(*Shipment)) Shipment {
		d := Shipment{Order: "o1", Address: address, State: State{Status: s, Placed: true, Paid: true}}
		if edit != nil {
			edit(&d)
		}
		return d
	}
	stopped := func(d *Shipment) { d.Stopped, d.Reason = true, "too late" }
	bookIt := Effect{Start: bookJob{Order: "o1", Address: []byte(address)}}
	callOff := Effect{Start: callOffJob{Order: "o1"}}
	ends := func(reason string) Effect {
		return Effect{Publish: shippingv1.Unavailable{OrderID: "o1", Reason: reason}}
	}
	scheduled := Effect{Publish: shippingv1.Scheduled{OrderID: "o1", ShipmentID: "shp_1", Carrier: "Penny Post"}}

	for name, tt := range map[string]struct {
		from   Shipment
		do     func(Shipment) (Shipment, Effect)
		status Status
		effect Effect
	}{
		"placed first":            {New("o1"), place, Pending, Effect{}},
		"paid first":              {New("o1"), Shipment.Pay, Pending, Effect{}},
		"placed, then paid":       {in(Pending, func(d *Shipment) { d.Paid = false }), Shipment.Pay, Booking, bookIt},
		"paid, then placed":       {Shipment{Order: "o1", State: State{Status: Pending, Paid: true}}, place, Booking, bookIt},
		"stopped before":          {New("o1"), stop, Unavailable, ends("too late")},
		"paid after the stop":     {in(Unavailable, func(d *Shipment) { d.Stopped, d.Paid = true, false }), Shipment.Pay, Unavailable, Effect{}},
		"stopped while booking":   {in(Booking, nil), stop, Booking, Effect{}},
		"stopped when scheduled":  {in(Scheduled, nil), stop, CallingOff, callOff},
		"stopped, never to go":    {in(Unavailable, nil), stop, Unavailable, Effect{}},
		"booked":                  {in(Booking, nil), book, Scheduled, scheduled},
		"booked, stopped":         {in(Booking, stopped), book, CallingOff, callOff},
		"booked again":            {in(Scheduled, nil), book, Scheduled, Effect{}},
		"refused":                 {in(Booking, nil), refuse, Unavailable, ends("no carrier")},
		"refused, stopped":        {in(Booking, stopped), refuse, Unavailable, ends("no carrier")},
		"no answer":               {in(Booking, nil), lose, CallingOff, callOff},
		"called off":              {in(CallingOff, stopped), Shipment.CallOff, Unavailable, ends("too late")},
		"called off again":        {in(Unavailable, stopped), Shipment.CallOff, Unavailable, Effect{}},
		"called off, not by us":   {in(Scheduled, nil), Shipment.CallOff, Scheduled, Effect{}},
		"stopped while given up":  {in(CallingOff, nil), stop, CallingOff, Effect{}},
		"booked after giving up":  {in(CallingOff, nil), book, CallingOff, Effect{}},
		"refused after scheduled": {in(Scheduled, nil), refuse, Scheduled, Effect{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, effect := tt.do(tt.from)
			if got.Status != tt.status || !reflect.DeepEqual(effect, tt.effect) {
				t.Errorf("got %s %+v, want %s %+v", got.Status, effect, tt.status, tt.effect)
			}
			if again, effect := tt.do(got); again != got || effect != (Effect{}) {
				t.Errorf("once more: got %+v %+v, want no change", again, effect)
			}
		})
	}
}

func place(d Shipment) (Shipment, Effect)  { return d.Place(address) }
func stop(d Shipment) (Shipment, Effect)   { return d.Stop("too late") }
func book(d Shipment) (Shipment, Effect)   { return d.Book("shp_1", "Penny Post") }
func refuse(d Shipment) (Shipment, Effect) { return d.Refuse("no carrier") }
func lose(d Shipment) (Shipment, Effect)   { return d.Lose("no answer") }

// input is something that can happen to a delivery.
type input string

var decisions = map[input]func(Shipment) (Shipment, Effect){
	"place": place, "pay": Shipment.Pay, "stop": stop,
	"booked": book, "refused": refuse, "lost": lose, "called off": Shipment.CallOff,
}

// outcomes says how a booking can end: what the service hears, and whether the
// carrier has booked.
var outcomes = []struct {
	name  string
	hears []input
	taken bool
}{
	{"answered", []input{"booked"}, true},
	{"answered twice", []input{"booked", "booked"}, true},
	{"refused", []input{"refused", "refused"}, false},
	{"lost before", []input{"lost"}, false},
	{"lost after", []input{"lost"}, true},
}

// run is one path through the interleavings.
type run struct {
	d         Shipment
	pending   map[input]int
	trail     []input
	published []string
	bookings  int
	callOffs  int
	taken     bool
	calledOff bool
}

// TestInterleavings goes every way in which what can happen to a delivery may
// come, each fact up to twice, and checks what it ends in.
func TestInterleavings(t *testing.T) {
	for _, outcome := range outcomes {
		ends := 0
		for places := range 3 {
			for pays := range 3 {
				for stops := range 3 {
					start := run{d: New("o1"), pending: map[input]int{"place": places, "pay": pays, "stop": stops}}
					explore(start, outcome.hears, outcome.taken, func(r run) {
						ends++
						for _, fault := range r.faults(places > 0 && pays > 0, stops > 0) {
							t.Fatalf("%s: %v: %s: ended as %+v, published %v", outcome.name, r.trail, fault, r.d, r.published)
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
		next.d, effect = decisions[in](r.d)
		switch effect.Start.(type) {
		case bookJob:
			next.bookings++
			next.taken = taken
			for _, in := range hears {
				next.pending[in]++
			}
		case callOffJob:
			next.callOffs++
			next.pending["called off"] += 2
		}
		next.calledOff = next.calledOff || in == "called off"
		if effect.Publish != nil {
			next.published = append(slices.Clip(r.published), fmt.Sprintf("%T", effect.Publish))
			if next.d.Status == Unavailable && next.taken && !next.calledOff {
				next.published = append(next.published, "too early")
			}
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
			if strings.HasSuffix(p, name) {
				n++
			}
		}
		return n
	}
	scheduled, unavailable := count(".Scheduled"), count(".Unavailable")
	var out []string
	check := func(ok bool, fault string) {
		if !ok {
			out = append(out, fault)
		}
	}
	check(r.d.Status != Booking && r.d.Status != CallingOff, "left in flight")
	check(r.bookings <= 1 && r.callOffs <= 1, "booked or called off twice")
	check(scheduled <= 1 && unavailable <= 1, "published twice")
	check(count("too early") == 0, "unavailable while still booked")
	check(!r.taken || r.calledOff || r.d.Status == Scheduled, "a booking is left")
	check(r.d.Status != Scheduled || r.taken && !r.calledOff && scheduled == 1 && !stopped, "scheduled without booking, word or right")
	check(!stopped || unavailable == 1, "stopped without a word")
	check(!due || scheduled+unavailable >= 1, "due without a word")
	check((r.d.Status == Unavailable) == (unavailable == 1), "state and events differ")
	return out
}
