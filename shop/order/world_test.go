package order

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/shop/inventoryv1"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/paymentv1"
	"github.com/tutti-go/tutti/shop/shippingv1"
)

// world is one order among models of the other services, which do what their
// contracts say. Messages of a topic come in order, topics among each other and
// jobs in any; the choices are drawn from a seed.
type world struct {
	rnd  *rand.Rand
	log  map[string][]event.Body // by topic
	read map[string]int          // by service and topic
	jobs []func()                // under way outside
	said []string                // trace, for failures

	order order
	ends  int // Confirmed and Cancelled that were published

	covers, pays, delivers bool // what the others will say

	stock, money, parcel string
	wants, stoppedPay    bool // payment: order known, stopped
	reservedPay          bool
	stoppedShip          bool
	knownShip, paidShip  bool
}

// reads is who reads which topic.
var reads = []struct{ service, topic string }{
	{"order", "shop.stock"}, {"order", "shop.payment"}, {"order", "shop.shipment"},
	{"inventory", "shop.order"}, {"inventory", "shop.payment"},
	{"payment", "shop.order"}, {"payment", "shop.stock"}, {"payment", "shop.shipment"},
	{"shipping", "shop.order"}, {"shipping", "shop.payment"},
}

func (w *world) publish(body event.Body) {
	name := body.Contract().Topic.Name
	w.log[name] = append(w.log[name], body)
	w.said = append(w.said, body.Contract().Type)
	switch e := body.(type) {
	case orderv1.Confirmed:
		w.ends += map[bool]int{false: 1}[e.Unchanged]
	case orderv1.Cancelled:
		w.ends += map[bool]int{false: 1}[e.Unchanged]
	}
}

func (w *world) take(s step) {
	w.order = s.order
	for _, body := range s.say {
		w.publish(body)
	}
}

func (w *world) deliver(to string, body event.Body) {
	w.said = append(w.said, to+"<-"+body.Contract().Type)
	switch to {
	case "order":
		w.toOrder(body)
	case "inventory":
		w.toInventory(body)
	case "payment":
		w.toPayment(body)
	case "shipping":
		w.toShipping(body)
	}
}

func (w *world) toOrder(body event.Body) {
	switch e := body.(type) {
	case inventoryv1.Reserved:
		w.take(w.order.onReserved(e))
	case inventoryv1.OutOfStock:
		w.take(w.order.onOutOfStock(e))
	case inventoryv1.Released:
		w.take(w.order.onReleased(e))
	case paymentv1.Completed:
		w.take(w.order.onPaid(e))
	case paymentv1.Failed:
		w.take(w.order.onPaymentFailed(e))
	case paymentv1.Refunded:
		w.take(w.order.onRefunded(e))
	case shippingv1.Scheduled:
		w.take(w.order.onScheduled(e))
	case shippingv1.Unavailable:
		w.take(w.order.onUnavailable(e))
	}
}

func (w *world) toInventory(body event.Body) {
	switch body.(type) {
	case orderv1.Placed:
		switch {
		case w.stock != "":
		case w.covers:
			w.stock = "reserved"
			w.publish(inventoryv1.Reserved{OrderID: "o"})
		default:
			w.stock = "refused"
			w.publish(inventoryv1.OutOfStock{OrderID: "o"})
		}
	case paymentv1.Failed, paymentv1.Refunded:
		switch w.stock {
		case "":
			w.stock = "stopped"
		case "reserved":
			w.stock = "released"
			w.publish(inventoryv1.Released{OrderID: "o"})
		}
	}
}

func (w *world) toPayment(body event.Body) {
	switch body.(type) {
	case orderv1.Placed:
		w.wants = true
	case inventoryv1.Reserved:
		w.reservedPay = true
	case shippingv1.Unavailable:
		w.stoppedPay = true
		switch w.money {
		case "charged":
			w.refund()
		case "":
			w.money = "failed"
			w.publish(paymentv1.Failed{OrderID: "o", Reason: "stopped"})
		}
		return
	}
	if w.wants && w.reservedPay && w.money == "" {
		w.money = "charging"
		w.jobs = append(w.jobs, w.charged)
	}
}

func (w *world) charged() {
	switch {
	case !w.pays:
		w.money = "failed"
		w.publish(paymentv1.Failed{OrderID: "o", Reason: "declined"})
	case w.stoppedPay:
		w.refund()
	default:
		w.money = "charged"
		w.publish(paymentv1.Completed{OrderID: "o"})
	}
}

func (w *world) refund() {
	w.money = "refunding"
	w.jobs = append(w.jobs, func() {
		w.money = "refunded"
		w.publish(paymentv1.Refunded{OrderID: "o"})
	})
}

func (w *world) toShipping(body event.Body) {
	switch body.(type) {
	case orderv1.Placed:
		w.knownShip = true
	case paymentv1.Completed:
		w.paidShip = true
	case orderv1.CancellationRequested:
		switch {
		case w.stoppedShip:
		case w.parcel == "":
			w.noDelivery()
		case w.parcel == "scheduled":
			w.callOff()
		}
		w.stoppedShip = true
		return
	}
	if w.knownShip && w.paidShip && !w.stoppedShip && w.parcel == "" {
		w.parcel = "booking"
		w.jobs = append(w.jobs, w.booked)
	}
}

func (w *world) booked() {
	switch {
	case !w.delivers:
		w.noDelivery()
	case w.stoppedShip:
		w.callOff()
	default:
		w.parcel = "scheduled"
		w.publish(shippingv1.Scheduled{OrderID: "o"})
	}
}

func (w *world) callOff() {
	w.parcel = "calling_off"
	w.jobs = append(w.jobs, w.noDelivery)
}

func (w *world) noDelivery() {
	w.parcel = "unavailable"
	w.publish(shippingv1.Unavailable{OrderID: "o", Reason: "stopped"})
}

// run draws what happens next until nothing is left. The deadline comes at some
// time, cancels before it (the customer may be impatient), and the order service
// may see a message twice.
func (w *world) run(cancels, doubles int) {
	deadline := true
	w.publish(orderv1.Placed{OrderID: "o"})
	for {
		var next []func()
		for _, r := range reads {
			at := r.service + r.topic
			if n := w.read[at]; n < len(w.log[r.topic]) {
				body := w.log[r.topic][n]
				next = append(next, func() { w.read[at]++; w.deliver(r.service, body) })
			}
		}
		for i, job := range w.jobs {
			next = append(next, func() { w.jobs = append(w.jobs[:i:i], w.jobs[i+1:]...); job() })
		}
		switch {
		case len(next) == 0 && !deadline:
			return
		case len(next) == 0, deadline && w.rnd.IntN(200) == 0:
			deadline = false
			w.said = append(w.said, "deadline")
			w.take(w.order.expire())
			continue
		case cancels > 0 && w.rnd.IntN(12) == 0:
			cancels--
			if s, err := w.order.cancelByCustomer(); err == nil {
				w.take(s)
			}
			continue
		case doubles > 0 && w.rnd.IntN(6) == 0:
			doubles--
			topic := reads[w.rnd.IntN(3)].topic // of the order service
			if n := w.read["order"+topic]; n > 0 {
				w.deliver("order", w.log[topic][w.rnd.IntN(n)])
			}
			continue
		}
		next[w.rnd.IntN(len(next))]()
	}
}

// fault says what is wrong at the end.
func (w *world) fault() string {
	o := w.order
	switch {
	case o.status != confirmed && o.status != cancelled:
		return "the order has not ended"
	case w.ends != 1:
		return fmt.Sprintf("%d ends were published", w.ends)
	case o.status == confirmed && (w.stock != "reserved" || w.money != "charged" || w.parcel != "scheduled"):
		return "a confirmed order is not reserved, paid and on its way"
	case o.status == cancelled && w.stock == "reserved":
		return "a cancelled order keeps its stock"
	case o.status == cancelled && (w.money == "charged" || w.money == "charging" || w.money == "refunding"):
		return "a cancelled order is charged"
	case o.status == cancelled && (w.parcel == "scheduled" || w.parcel == "booking" || w.parcel == "calling_off"):
		return "a cancelled order is shipped"
	case o.status == cancelled && o.reason == "":
		return "no reason is given"
	}
	return ""
}

func TestEveryOrderEndsOnce(t *testing.T) {
	ended := map[status]int{}
	for seed := range uint64(10_000) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		w := &world{
			rnd: rnd, log: map[string][]event.Body{}, read: map[string]int{}, order: order{id: "o", customer: "c", status: placed},
			covers: rnd.IntN(6) > 0, pays: rnd.IntN(4) > 0, delivers: rnd.IntN(4) > 0,
		}
		w.run(rnd.IntN(3), rnd.IntN(4))
		if fault := w.fault(); fault != "" {
			t.Fatalf("seed %d: %s: %+v, stock %q, money %q, parcel %q, after\n%s",
				seed, fault, w.order, w.stock, w.money, w.parcel, strings.Join(w.said, "\n"))
		}
		ended[w.order.status]++
	}
	if ended[confirmed] < 500 || ended[cancelled] < 500 {
		t.Errorf("ended %v: the seeds do not cover both ends", ended)
	}
}
