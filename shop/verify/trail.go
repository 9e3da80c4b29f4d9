package verify

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/shop/inventoryv1"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/paymentv1"
	"github.com/tutti-go/tutti/shop/shippingv1"
	"github.com/tutti-go/tutti/store"
)

// The events of an order, each of which there is at most once, but for answers to
// commands that changed nothing.
const (
	placed = iota
	cancellation
	confirmed
	cancelled
	reserved
	outOfStock
	released
	completed
	failed
	refunded
	scheduled
	unavailable
	orderEvents // how many
)

// And those of a return, likewise.
const (
	returned = iota
	restocked
	returnRefunded
	returnEvents // how many
)

var ofOrder = [orderEvents]event.Contract{
	placed:       orderv1.Placed{}.Contract(),
	cancellation: orderv1.CancellationRequested{}.Contract(),
	confirmed:    orderv1.Confirmed{}.Contract(),
	cancelled:    orderv1.Cancelled{}.Contract(),
	reserved:     inventoryv1.Reserved{}.Contract(),
	outOfStock:   inventoryv1.OutOfStock{}.Contract(),
	released:     inventoryv1.Released{}.Contract(),
	completed:    paymentv1.Completed{}.Contract(),
	failed:       paymentv1.Failed{}.Contract(),
	refunded:     paymentv1.Refunded{}.Contract(),
	scheduled:    shippingv1.Scheduled{}.Contract(),
	unavailable:  shippingv1.Unavailable{}.Contract(),
}

var ofReturn = [returnEvents]event.Contract{
	returned:       orderv1.Returned{}.Contract(),
	restocked:      inventoryv1.Restocked{}.Contract(),
	returnRefunded: paymentv1.ReturnRefunded{}.Contract(),
}

// scheduleDelivery is what tells shipping of an order that a mediator directs. It may
// come more than once.
var scheduleDelivery = shippingv1.ScheduleDelivery{}.Contract()

// kind is what a type of event is in the tables above.
type kind struct {
	number   int
	ofReturn bool
}

// kinds finds a kind by the topic and the type.
var kinds = func() map[[2]string]kind {
	m := map[[2]string]kind{}
	for i, c := range ofOrder {
		m[[2]string{c.Topic.Name, c.Type}] = kind{i, false}
	}
	for i, c := range ofReturn {
		m[[2]string{c.Topic.Name, c.Type}] = kind{i, true}
	}
	return m
}()

// trail is what the log and the outboxes say: every event that was published,
// once.
type trail struct {
	orders  map[string]*[orderEvents]int
	answers map[string]*[orderEvents]int // to commands that changed nothing
	returns map[string]*returnTrail
	// commanded is the orders whose delivery a mediator has asked for.
	commanded map[string]bool
	// spend is what customers spent, as far as the customer service has read.
	spend sums

	lanes map[store.LanePartition]int64          // the last number seen
	ahead map[store.LanePartition]event.Envelope // the first after a gap
	ends  map[event.Partition]int64              // of the log
	ids   map[string]bool
	reads *books // the customer service's
	found findings
}

type returnTrail struct {
	order  string
	counts [returnEvents]int
}

// terms is what is read of the bodies: the fields of several events.
type terms struct {
	CustomerID string `json:"customerId"`
	ReturnID   string `json:"returnId"`
	Total      int64  `json:"total"`
	Refund     int64  `json:"refund"`
	Unchanged  bool   `json:"unchanged"`
}

func newTrail(s *shop, found findings) *trail {
	t := &trail{
		orders: map[string]*[orderEvents]int{}, answers: map[string]*[orderEvents]int{}, returns: map[string]*returnTrail{}, commanded: map[string]bool{}, spend: sums{},
		lanes: map[store.LanePartition]int64{}, ahead: map[store.LanePartition]event.Envelope{}, ends: map[event.Partition]int64{}, ids: map[string]bool{}, reads: &books{}, found: found,
	}
	for _, b := range s.services {
		if b.service == "customer" {
			t.reads = b
		}
	}
	return t
}

// visit takes records of the log in.
func (t *trail) visit(f kafka.Fetched) {
	for _, r := range f.Records {
		t.ends[f.Partition] = r.Offset + 1
		e, data, err := event.Decode(r.Record)
		if err != nil {
			continue // services park it; it is under way until somebody decides
		}
		e.Topic, e.Partition, e.Offset = f.Topic, f.Number, r.Offset
		t.take(e, data)
	}
}

// add takes in what services have yet to send: what their lanes have numbered
// above the log's last.
func (t *trail) add(s *shop) {
	for _, b := range s.services {
		for _, u := range b.unsent {
			e, data, err := event.Decode(u.Record)
			if err != nil {
				t.found.add(Agree, b.service, "its outbox has an event that cannot be read: %v", err)
				continue
			}
			if u.Seq <= t.lanes[store.LanePartition{Lane: e.Lane, Partition: u.Partition}] {
				continue // sent, and not swept yet
			}
			e.Topic, e.Partition, e.Offset = u.Topic, u.Number, -1
			t.take(e, data)
		}
	}
}

// missing finds the gaps that nothing has filled.
func (t *trail) missing() {
	for lane, e := range t.ahead {
		if last := t.lanes[lane]; e.Seq > last {
			t.found.add(Agree, e.ID, "the log of %s/%d lacks the numbers %d to %d of lane %s before it", e.Topic, e.Partition, last+1, e.Seq-1, e.Lane)
		}
	}
}

// take counts an event, unless it is there again: then it must be the same.
func (t *trail) take(e event.Envelope, data []byte) {
	id := e.Source + " " + e.ID
	if e.Lane != "" {
		lane := store.LanePartition{Lane: e.Lane, Partition: event.Partition{Topic: e.Topic, Number: e.Partition}}
		last := t.lanes[lane]
		switch {
		case e.Seq <= last && t.ids[id]:
			return // sent twice; consumers drop it
		case e.Seq <= last:
			t.found.add(Once, e.ID, "number %d of lane %s in %s/%d was given twice", e.Seq, e.Lane, e.Topic, e.Partition)
		case e.Seq > last+1:
			// Consumers drop it: its sender failed to write one before it, and
			// writes all from there on again.
			if _, known := t.ahead[lane]; !known {
				t.ahead[lane] = e
			}
			return
		}
		t.lanes[lane] = max(last, e.Seq)
	} else if t.ids[id] {
		return // of a foreign producer, sent twice
	}
	if t.ids[id] {
		t.found.add(Once, e.ID, "two events of %s have this id", e.Source)
	}
	t.ids[id] = true
	if k, known := kinds[[2]string{e.Topic, e.Type}]; known {
		t.count(k, e, data)
	}
	if e.Topic == scheduleDelivery.Topic.Name && e.Type == scheduleDelivery.Type {
		t.commanded[e.Key] = true
	}
}

func (t *trail) count(k kind, e event.Envelope, data []byte) {
	var body terms
	if k.ofReturn || k.number == confirmed || bytes.Contains(data, []byte(`"unchanged"`)) {
		if err := json.Unmarshal(data, &body); err != nil {
			t.found.add(Agree, e.Key, "event %s at %s cannot be read: %v", e.ID, e.Position(), err)
			return
		}
	}
	switch {
	case body.Unchanged && !k.ofReturn:
		counts(t.answers, e.Key)[k.number]++
		return
	case !k.ofReturn:
		counts(t.orders, e.Key)[k.number]++
	default:
		r := t.returns[body.ReturnID]
		if r == nil {
			r = &returnTrail{order: e.Key}
			t.returns[body.ReturnID] = r
		}
		r.counts[k.number]++
		if r.order != e.Key {
			t.found.add(Agree, body.ReturnID, "its events are of two orders, %s and %s", r.order, e.Key)
		}
	}
	if t.consumed(e) && (k == kind{number: confirmed} || k == kind{returned, true}) {
		t.spend.add(body.CustomerID, body.Total)
		t.spend.take(body.CustomerID, body.Refund)
	}
}

func counts(of map[string]*[orderEvents]int, order string) *[orderEvents]int {
	if of[order] == nil {
		of[order] = &[orderEvents]int{}
	}
	return of[order]
}

// consumed reports whether the customer service has read an event and handled it.
func (t *trail) consumed(e event.Envelope) bool {
	p := event.Partition{Topic: e.Topic, Number: e.Partition}
	return e.Offset >= 0 && e.Offset < t.reads.positions[p].Next && !t.reads.parked[place{p, e.Offset}]
}

// has reports whether an event of an order was published.
func (t *trail) has(order string, event int) bool {
	o := t.orders[order]
	return o != nil && o[event] > 0
}

// returnHas reports whether an event of a return was published.
func (t *trail) returnHas(id string, event int) bool {
	r := t.returns[id]
	return r != nil && r.counts[event] > 0
}

// name is how an event is called in messages.
func name(c event.Contract) string { return fmt.Sprintf("event %s", c.Type) }
