package order

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/shop/inventoryv1"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/paymentv1"
	"github.com/tutti-go/tutti/shop/shippingv1"
)

// directedWorld is a world in which a model of a mediator directs the order. It asks
// again now and then, and may be told to give up.
type directedWorld struct {
	world
	begun bool
	back  bool
	over  bool
	at    int        // of the step that is waited for
	asked event.Body // what is waited for
}

// The steps: stock, payment, delivery, confirmation; and -1, what is undone last.
var (
	commands = []event.Body{inventoryv1.ReserveStock{OrderID: "o"}, paymentv1.ProcessPayment{OrderID: "o"}, shippingv1.ScheduleDelivery{OrderID: "o"}, orderv1.ConfirmOrder{OrderID: "o"}}
	undos    = []event.Body{inventoryv1.ReleaseStock{OrderID: "o"}, paymentv1.RefundPayment{OrderID: "o"}, shippingv1.CancelDelivery{OrderID: "o"}, orderv1.StopOrder{OrderID: "o", Reason: "given up"}}
)

func (w *directedWorld) ask(c event.Body) {
	w.asked = c
	w.publish(c)
}

// giveUp turns the mediator back, at a step that is done, failed or not known.
func (w *directedWorld) giveUp(failed bool) {
	w.back = true
	if failed {
		w.at--
	}
	w.undo()
}

func (w *directedWorld) undo() {
	if w.at < 0 {
		w.ask(orderv1.CancelOrder{OrderID: "o", Reason: "given up"})
		return
	}
	w.ask(undos[w.at])
}

func (w *directedWorld) toMediator(body event.Body) {
	switch body.(type) {
	case orderv1.Placed:
		w.begun = true
		w.ask(commands[0])
		return
	case orderv1.CancellationRequested:
		if w.begun && !w.back && !w.over {
			w.giveUp(false)
		}
		return
	}
	type answer struct{ done, failed []event.Body }
	is := func(bodies ...event.Body) bool {
		return slices.ContainsFunc(bodies, func(b event.Body) bool { return b.Contract() == body.Contract() })
	}
	forward := []answer{
		{[]event.Body{inventoryv1.Reserved{}}, []event.Body{inventoryv1.OutOfStock{}}},
		{[]event.Body{paymentv1.Completed{}}, []event.Body{paymentv1.Failed{}}},
		{[]event.Body{shippingv1.Scheduled{}}, []event.Body{shippingv1.Unavailable{}}},
		{[]event.Body{orderv1.Confirmed{}}, []event.Body{orderv1.ConfirmationRefused{}}},
	}
	backward := [][]event.Body{{inventoryv1.Released{}}, {paymentv1.Refunded{}, paymentv1.Failed{}}, {shippingv1.Unavailable{}}, {orderv1.ConfirmationRefused{}}}
	switch {
	case w.over:
	case !w.back && is(forward[w.at].failed...):
		w.giveUp(true)
	case !w.back && is(forward[w.at].done...):
		if w.at++; w.at == len(commands) {
			w.over = true
			return
		}
		w.ask(commands[w.at])
	case w.back && w.at < 0:
		w.over = is(orderv1.Cancelled{})
	case w.back && is(backward[w.at]...):
		w.at--
		w.undo()
	}
}

// obey has the services do what they are told, and answer.
func (w *directedWorld) obey(body event.Body) {
	switch c := body.(type) {
	case orderv1.ConfirmOrder:
		w.take(w.order.onConfirm(c))
	case orderv1.StopOrder:
		w.take(w.order.onStop(c))
	case orderv1.CancelOrder:
		w.take(w.order.onCancel(c))
	case inventoryv1.ReserveStock:
		if w.stock == "" {
			w.stock = map[bool]string{true: "reserved", false: "refused"}[w.covers]
		}
		w.publish(map[bool]event.Body{true: inventoryv1.Reserved{OrderID: "o"}, false: inventoryv1.OutOfStock{OrderID: "o"}}[w.stock == "reserved"])
	case inventoryv1.ReleaseStock:
		switch w.stock {
		case "":
			w.stock = "stopped"
		case "reserved":
			w.stock = "released"
		}
		w.publish(inventoryv1.Released{OrderID: "o"})
	case paymentv1.ProcessPayment:
		if w.money == "" {
			w.money = "charging"
			w.jobs = append(w.jobs, w.charged)
			return
		}
		w.answerPayment()
	case paymentv1.RefundPayment:
		w.stoppedPay = true
		switch w.money {
		case "":
			w.money = "failed"
			w.publish(paymentv1.Failed{OrderID: "o"})
		case "charged":
			w.refund()
		default:
			w.answerPayment()
		}
	case shippingv1.ScheduleDelivery:
		if w.parcel == "" {
			w.parcel = "booking"
			w.jobs = append(w.jobs, w.booked)
			return
		}
		w.answerDelivery()
	case shippingv1.CancelDelivery:
		w.stoppedShip = true
		switch w.parcel {
		case "":
			w.noDelivery()
		case "scheduled":
			w.callOff()
		default:
			w.answerDelivery()
		}
	}
}

func (w *directedWorld) answerPayment() {
	switch w.money {
	case "charged":
		w.publish(paymentv1.Completed{OrderID: "o"})
	case "failed":
		w.publish(paymentv1.Failed{OrderID: "o"})
	case "refunded":
		w.publish(paymentv1.Refunded{OrderID: "o"})
	}
}

func (w *directedWorld) answerDelivery() {
	switch w.parcel {
	case "scheduled":
		w.publish(shippingv1.Scheduled{OrderID: "o"})
	case "unavailable":
		w.noDelivery()
	}
}

// run draws what happens next until nothing is left.
func (w *directedWorld) run(cancels, again int, operator bool) {
	deadline := true
	events := []string{"shop.order", "shop.stock", "shop.payment", "shop.shipment"}
	w.publish(orderv1.Placed{OrderID: "o", Directed: true})
	for {
		var next []func()
		for _, topic := range append(events, "shop.order.command", "shop.stock.command", "shop.payment.command", "shop.shipment.command") {
			if n := w.read[topic]; n < len(w.log[topic]) {
				to := w.obey
				if slices.Contains(events, topic) {
					to = w.toMediator
				}
				next = append(next, func() { w.read[topic]++; to(w.log[topic][n]) })
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
		case cancels > 0 && w.rnd.IntN(12) == 0:
			cancels--
			if s, err := w.order.cancelByCustomer(); err == nil {
				w.take(s)
			}
		case again > 0 && w.asked != nil && !w.over && w.rnd.IntN(5) == 0:
			again--
			w.publish(w.asked)
		case operator && w.begun && !w.back && !w.over && w.rnd.IntN(20) == 0:
			operator = false
			w.said = append(w.said, "operator")
			w.giveUp(false)
		default:
			next[w.rnd.IntN(len(next))]()
		}
	}
}

func TestEveryDirectedOrderEndsOnce(t *testing.T) {
	ended := map[status]int{}
	for seed := range uint64(10_000) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		w := &directedWorld{world: world{
			rnd: rnd, log: map[string][]event.Body{}, read: map[string]int{}, order: order{id: "o", customer: "c", status: placed, directed: true},
			covers: rnd.IntN(6) > 0, pays: rnd.IntN(4) > 0, delivers: rnd.IntN(4) > 0,
		}}
		w.run(rnd.IntN(3), rnd.IntN(4), rnd.IntN(3) == 0)
		fault := w.fault()
		tooLate := w.back && w.at == 3 && w.order.status == confirmed // which waits for a person
		if fault == "" && !w.over && !tooLate {
			fault = "the mediator is not done"
		}
		if fault == "" && w.over && w.back != (w.order.status == cancelled) {
			fault = "mediator and order do not agree"
		}
		if fault != "" {
			t.Fatalf("seed %d: %s: %+v, stock %q, money %q, parcel %q, after\n%s",
				seed, fault, w.order, w.stock, w.money, w.parcel, strings.Join(w.said, "\n"))
		}
		ended[w.order.status]++
	}
	if ended[confirmed] < 500 || ended[cancelled] < 500 {
		t.Errorf("ended %v: the seeds do not cover both ends", ended)
	}
}
