package shop_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/shop/catalog"
	"github.com/tutti-go/tutti/shop/customer"
	"github.com/tutti-go/tutti/shop/fulfilment"
	"github.com/tutti-go/tutti/shop/inventory"
	"github.com/tutti-go/tutti/shop/inventoryv1"
	"github.com/tutti-go/tutti/shop/notification"
	"github.com/tutti-go/tutti/shop/order"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/payment"
	"github.com/tutti-go/tutti/shop/paymentv1"
	"github.com/tutti-go/tutti/shop/shipping"
	"github.com/tutti-go/tutti/shop/shippingv1"
	"github.com/tutti-go/tutti/shop/storefront"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

// TestAnswers checks that every command of the mediator has somebody who handles it,
// and every reply somebody who gives it.
func TestAnswers(t *testing.T) {
	var all []*service.Service
	for name, register := range map[string]func(*service.Service){
		"storefront": storefront.Register, "catalog": catalog.Register, "customer": customer.Register, "inventory": inventory.Register,
		"order": order.Register(order.Config{}), "payment": payment.Register(nil), "shipping": shipping.Register(nil),
		"notification": notification.Register(nil), "fulfilment": fulfilment.Register(fulfilment.Config{}),
	} {
		s := service.New(name, nil, service.Config{})
		register(s)
		all = append(all, s)
	}
	if len(all) != len(services) {
		t.Errorf("%d services are looked at, want %d", len(all), len(services))
	}
	for _, flow := range fulfilment.Flows {
		if err := saga.CheckAnswers(all, fulfilment.Sagas(fulfilment.Config{Flow: flow})...); err != nil {
			t.Error(err)
		}
	}
}

// TestEveryCommandIsAnswered gives commands again, too late and for what was never
// done. Each is answered by how things stand; what was said before is marked so.
func TestEveryCommandIsAnswered(t *testing.T) {
	reserve := func(id string, n int64) event.Body {
		return inventoryv1.ReserveStock{OrderID: id, Lines: []inventoryv1.Line{{SKU: "tea", Quantity: n}}}
	}
	release := func(id string) event.Body { return inventoryv1.ReleaseStock{OrderID: id} }
	pay := func(id, token string) event.Body {
		return paymentv1.ProcessPayment{OrderID: id, Amount: 250, PaymentToken: token}
	}
	refund := func(id string) event.Body { return paymentv1.RefundPayment{OrderID: id, Reason: "why"} }
	ship := func(id, city string) event.Body {
		return shippingv1.ScheduleDelivery{OrderID: id, Address: shippingv1.Address{City: city}}
	}
	stop := func(id string) event.Body { return shippingv1.CancelDelivery{OrderID: id, Reason: "why"} }
	for _, c := range []struct {
		name string
		says []event.Body
		want string // the types of the answers, and whether they are news
	}{
		{"stock", []event.Body{reserve("o", 2), reserve("o", 2), release("o"), release("o"), reserve("o", 2)}, "reserved! reserved released! released out"},
		{"stock at once", []event.Body{reserve("o", 2), release("o"), reserve("o", 2), release("o")}, "reserved! released! out released"},
		{"no stock", []event.Body{reserve("o", 200), reserve("o", 200), release("o"), reserve("o", 200)}, "out! out released out"},
		{"nothing reserved", []event.Body{release("o"), release("o"), reserve("o", 2)}, "released released out"},
		{"payment", []event.Body{pay("o", "tok_ok"), pay("o", "tok_ok"), refund("o"), refund("o"), pay("o", "tok_ok")}, "completed! completed refunded! refunded refunded"},
		{"declined", []event.Body{pay("o", "tok_decline"), pay("o", "tok_decline"), refund("o")}, "failed! failed failed"},
		{"nothing paid", []event.Body{refund("o"), refund("o"), pay("o", "tok_ok")}, "failed! failed failed"},
		{"delivery", []event.Body{ship("o", "London"), ship("o", "London"), stop("o"), stop("o"), ship("o", "London")}, "scheduled! scheduled unavailable! unavailable unavailable"},
		{"no carrier", []event.Body{ship("o", "Nowhere"), ship("o", "Nowhere"), stop("o")}, "unavailable! unavailable unavailable"},
		{"nothing booked", []event.Body{stop("o"), stop("o"), ship("o", "London")}, "unavailable! unavailable unavailable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tuttitest.Run(t, func(w *tuttitest.World) {
				s := &shop{World: w}
				defer s.closeGateways()
				s.openGateways()
				s.Start("inventory", inventory.Register)
				s.Start("payment", payment.Register(s.payment))
				s.Start("shipping", shipping.Register(s.carrier))
				s.receive("tea", 100)
				for _, b := range c.says {
					w.Publish(b)
					if c.name != "stock at once" {
						w.Quiet()
					}
				}
				w.Quiet()
				if got := answers(w); got != c.want {
					t.Errorf("the answers are %q, want %q", got, c.want)
				}
			})
		})
	}
}

// answers names the events in the log, with a mark at those that are news. All must be
// marked as directed.
func answers(w *tuttitest.World) string {
	var said []string
	for _, e := range w.Events() {
		if strings.HasSuffix(e.Topic, ".command") {
			continue
		}
		text := string(e.Data)
		name := e.Type[strings.LastIndexByte(e.Type, '.')+1:]
		if !strings.Contains(text, `"unchanged":true`) {
			name += "!"
		}
		if !strings.Contains(text, `"directed":true`) {
			name += "?"
		}
		said = append(said, name)
	}
	return strings.Join(said, " ")
}

// TestOrderAnswers is the same for the order service's commands.
func TestOrderAnswers(t *testing.T) {
	var confirm, stop, cancel event.Body = orderv1.ConfirmOrder{OrderID: "o"}, orderv1.StopOrder{OrderID: "o"}, orderv1.CancelOrder{OrderID: "o", Reason: "why"}
	for _, c := range []struct {
		name      string
		withdrawn bool // by the customer, before
		says      []event.Body
		want      string
		status    string
	}{
		{"confirmed", false, []event.Body{confirm, confirm, stop, cancel}, "placed! confirmed! confirmed confirmed confirmed", "confirmed"},
		{"cancelled", false, []event.Body{cancel, cancel, confirm}, "placed! cancelled! cancelled confirmation-refused!", "cancelled"},
		{"stopped", false, []event.Body{stop, stop, confirm, cancel}, "placed! confirmation-refused! confirmation-refused! confirmation-refused! cancelled!", "cancelled"},
		{"withdrawn", true, []event.Body{confirm, cancel}, "placed! cancellation-requested! confirmation-refused! cancelled!", "cancelled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tuttitest.Run(t, func(w *tuttitest.World) {
				s := &shop{World: w, way: directed}
				s.Start("order", order.Register(order.Config{}))
				s.place(wish{"o", "tok_ok", "London", one("tea", 1)})
				if c.withdrawn {
					s.cancel("o")
				}
				for _, b := range c.says {
					w.Publish(b)
					w.Quiet()
				}
				if got := answers(w); got != c.want {
					t.Errorf("the order service says %q, want %q", got, c.want)
				}
				if got := s.status("o"); got != c.status {
					t.Errorf("the order is %s, want %s", got, c.status)
				}
			})
		})
	}
}

// TestPatience lets one service after the other be down for a while, so that the
// mediator asks again. Nothing fails for that, and nothing is done or told twice.
func TestPatience(t *testing.T) {
	for _, down := range []string{"order", "inventory", "payment", "shipping", "fulfilment"} {
		t.Run(down, func(t *testing.T) {
			calmly(t, []way{directed}, func(s *shop) {
				s.place(wish{"o1", "tok_late", "Slowtown", one("tea", 3)})
				s.Sleep(time.Second)
				s.Crash(down)
				s.Sleep(12 * time.Minute)
				s.Restart(down)
				s.Quiet()
				// Topics are not ordered among each other, so history is not where it waits.
				want := []string{"delivery scheduled: Penny Post", "order confirmed", "order placed", "paid", "stock reserved"}
				if got := slices.Sorted(slices.Values(s.history("o1"))); !slices.Equal(got, want) {
					s.T().Errorf("the order's history is %q, want %q", got, want)
				}
				s.ExpectRows("customer", `SELECT spend FROM customers`, "750")
				s.ExpectRows("notification", `SELECT COUNT(*) FROM notifications`, "1")
			})
		})
	}
}

// operated has a mediator that an operator can reach.
func (s *shop) operated() (cancel func(order string)) {
	var mediator *service.Service
	var engine *saga.Engine
	s.Stop("fulfilment")
	s.Start("fulfilment", func(svc *service.Service) {
		mediator = svc
		engine = saga.Register(svc, saga.Config{}, fulfilment.Sagas(fulfilment.Config{Flow: s.flow})...)
	})
	return func(order string) {
		err := mediator.Write(s.T().Context(), func(ctx context.Context, tx *store.Tx) error {
			return engine.Cancel(ctx, tx, saga.Action{Saga: "shop.fulfilment", ID: order, By: "ops"})
		})
		if err != nil {
			s.T().Errorf("cancel the saga of order %s: %v", order, err)
		}
	}
}

// TestCancelledByOperator cancels the saga of an order, and not the order.
func TestCancelledByOperator(t *testing.T) {
	for _, after := range []time.Duration{time.Second, 6 * time.Second, 9 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			tuttitest.Run(t, func(w *tuttitest.World) {
				run(w, directed, func(s *shop) {
					cancel := s.operated()
					s.place(wish{"o1", "tok_late", "Slowtown", one("tea", 3)})
					s.Sleep(after)
					cancel("o1")
					s.Quiet()
					if got := s.status("o1"); got != "cancelled" {
						t.Errorf("the order is %s, want cancelled", got)
					}
				})
			})
		})
	}
}

// TestCancelledTooLate cancels a saga while the order service is down, with the
// confirmation before it. Nothing is undone then, and a person has to look.
func TestCancelledTooLate(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		s := &shop{World: w, way: directed}
		defer s.closeGateways()
		s.open()
		s.receive("tea", 10)
		cancel := s.operated()
		s.place(wish{"o1", "tok_late", "London", one("tea", 3)})
		s.Sleep(time.Second)
		s.Crash("order")
		s.Sleep(10 * time.Second)
		cancel("o1")
		s.Restart("order")
		s.Sleep(10 * time.Minute)
		s.ExpectRows("fulfilment", `SELECT status FROM saga_live`, "stuck")
		if got := s.status("o1"); got != "confirmed" {
			t.Errorf("the order is %s, want confirmed", got)
		}
		s.ExpectRows("payment", `SELECT status FROM payments`, "charged")
		s.ExpectRows("shipping", `SELECT status FROM shipments`, "scheduled")
		s.ExpectRows("customer", `SELECT spend FROM customers`, "750")
	})
}

// TestFlowIsChanged changes the setting while orders are on their way, and back: each
// ends by the flow that it began with.
func TestFlowIsChanged(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		run(w, directed, func(s *shop) {
			s.Crash("shipping")
			for n, flow := range []fulfilment.Flow{fulfilment.ReserveFirst, fulfilment.PayFirst, fulfilment.ReserveFirst, fulfilment.PayFirst} {
				s.Stop("fulfilment")
				s.Start("fulfilment", fulfilment.Register(fulfilment.Config{Flow: flow}))
				s.place(wish{fmt.Sprint("o", n), "tok_ok", "London", one("tea", 1)})
				if n == 2 {
					s.cancel("o1") // by a mediator that no longer starts such orders
				}
				s.Sleep(5 * time.Second)
			}
			s.Restart("shipping")
			s.Quiet()
			s.ExpectRows("fulfilment", `SELECT id, saga, status FROM saga_done ORDER BY id`,
				"o0|shop.fulfilment|completed", "o1|shop.fulfilment.pay-first|compensated",
				"o2|shop.fulfilment|completed", "o3|shop.fulfilment.pay-first|completed")
			s.ExpectRows("fulfilment", `SELECT COUNT(*) FROM saga_live`, "0")
		})
	})
}

// TestStylesLeaveTheSame processes the same orders by each style, and by both side by
// side: afterwards the business stands the same.
func TestStylesLeaveTheSame(t *testing.T) {
	var first []string
	for _, by := range []way{choreographed, directed, mixed} {
		t.Run(by.name, func(t *testing.T) {
			tuttitest.Run(t, func(w *tuttitest.World) {
				run(w, by, func(s *shop) {
					for n, o := range []wish{
						{"fine", "tok_ok", "London", one("tea", 3)}, {"also fine", "tok_twice", "Slowtown", one("tea", 2)},
						{"declined", "tok_decline", "London", one("tea", 5)}, {"also declined", "tok_decline", "London", one("cup", 5)},
						{"nowhere", "tok_ok", "Nowhere", one("tea", 1)}, {"also nowhere", "tok_late", "Nowhere", one("cup", 1)},
						{"much", "tok_ok", "London", one("cup", 900)}, {"too much", "tok_ok", "London", one("cup", 101)},
						{"down", "tok_down_2", "London", one("tea", 10)}, {"down for long", "tok_down_30", "London", one("tea", 10)},
						{"all", "tok_ok", "London", one("cup", 100)}, {"none left", "tok_ok", "London", one("cup", 1)},
					} {
						o.id = fmt.Sprintf("o%02d-%s", n, strings.ReplaceAll(o.id, " ", "-"))
						s.place(o)
						s.Quiet() // the order in which orders get scarce goods is no matter of style
					}
					s.giveBack("o00-fine", "r1", "tea", 1)
					s.Quiet()
					state := s.business()
					if first == nil {
						first = state
					}
					if !slices.Equal(state, first) {
						t.Errorf("the business stands at\n%s, want\n%s", strings.Join(state, "\n"), strings.Join(first, "\n"))
					}
					if len(state) < 30 {
						t.Errorf("the business stands at no more than\n%s", strings.Join(state, "\n"))
					}
				})
			})
		})
	}
}

// business is how everything stands that a business knows of. What was only heard of is
// no part of it.
func (s *shop) business() (lines []string) {
	for _, of := range []struct{ service, query string }{
		{"order", `SELECT 'order', id, status, total FROM orders ORDER BY id`},
		{"order", `SELECT 'return', id, status, refund FROM returns ORDER BY id`},
		{"inventory", `SELECT 'stock', sku, received, reserved FROM stock ORDER BY sku`},
		{"inventory", `SELECT 'reservation', order_id, status FROM reservations ORDER BY order_id`},
		{"payment", `SELECT 'payment', order_id, status, amount FROM payments WHERE status <> 'pending' ORDER BY order_id`},
		{"shipping", `SELECT 'delivery', order_id, status FROM shipments WHERE status <> 'pending' ORDER BY order_id`},
		{"customer", `SELECT 'customer', id, spend FROM customers ORDER BY id`},
		{"notification", `SELECT 'mail', id, status FROM notifications ORDER BY id`},
	} {
		lines = append(lines, s.Query(of.service, of.query)...)
	}
	return lines
}
