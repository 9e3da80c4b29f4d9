package shop_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/shop/fulfilment"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/tuttitest"
)

// TestOrders places an order of each kind, and looks at how it ends.
func TestOrders(t *testing.T) {
	cases := []struct {
		name      string
		order     wish
		status    string
		money     string // taken and given back, as "amount|refunded"; empty: the gateway was not called
		stock     string // available units of the product, of 1000
		paidFirst string // money where payment comes first, if that makes a difference
	}{
		{"confirmed", wish{token: "tok_ok", city: "London", lines: one("tea", 3)}, "confirmed", "750|0", "997", ""},
		{"two lines of one product", wish{token: "tok_ok", city: "London", lines: append(one("tea", 3), one("tea", 2)...)}, "confirmed", "1250|0", "995", ""},
		{"out of stock", wish{token: "tok_ok", city: "London", lines: one("tea", 1001)}, "cancelled", "", "1000", "250250|250250"},
		{"unknown product", wish{token: "tok_ok", city: "London", lines: append(one("tea", 1), one("pot", 1)...)}, "cancelled", "", "1000", "500|500"},
		{"declined", wish{token: "tok_decline", city: "London", lines: one("tea", 3)}, "cancelled", "", "1000", ""},
		{"no carrier", wish{token: "tok_ok", city: "Nowhere", lines: one("tea", 3)}, "cancelled", "750|750", "1000", ""},
		{"late", wish{token: "tok_late", city: "Slowtown", lines: one("tea", 3)}, "confirmed", "750|0", "997", ""},
		{"answered twice", wish{token: "tok_twice", city: "London", lines: one("tea", 3)}, "confirmed", "750|0", "997", ""},
		{"no answer", wish{token: "tok_timeout", city: "Timeout", lines: one("tea", 3)}, "confirmed", "750|0", "997", ""},
		{"gateway down for a while", wish{token: "tok_down_4", city: "London", lines: one("tea", 3)}, "confirmed", "750|0", "997", ""},
	}
	everyWay(t, func(s *shop) {
		t := s.T()
		for n, c := range cases {
			o, sku := c.order, fmt.Sprint("tea-", n) // a product of its own: stock tells of one order
			o.id, o.lines = fmt.Sprint("o", n), slices.Clone(o.lines)
			for i := range o.lines {
				o.lines[i].SKU = strings.Replace(o.lines[i].SKU, "tea", sku, 1)
			}
			s.receive(sku, 1000)
			s.place(o)
			s.Quiet()
			if got := s.status(o.id); got != c.status {
				t.Errorf("%s: the order is %s, want %s", c.name, got, c.status)
			}
			money, want := "", c.money
			if s.flow == fulfilment.PayFirst { // it is charged before stock is asked for
				want = cmp.Or(c.paidFirst, want)
			}
			if err := s.payment.Ledger().QueryRow(t.Context(), `SELECT COALESCE(MAX(amount || '|' || refunded), '') FROM charges WHERE order_id = $1`,
				o.id).Scan(&money); err != nil {
				t.Fatal(err)
			}
			if money != want {
				t.Errorf("%s: the gateway took and gave back %q, want %q", c.name, money, want)
			}
			s.ExpectRows("inventory", fmt.Sprintf(`SELECT received - reserved FROM stock WHERE sku = '%s'`, sku), c.stock)
			s.ExpectRows("notification", fmt.Sprintf(`SELECT COUNT(*) FROM notifications WHERE status = 'sent' AND order_id = '%s'`, o.id), "1")
		}
	})
}

// TestCancel cancels orders at many moments of their lives: each ends confirmed or
// cancelled, and what was done is undone.
func TestCancel(t *testing.T) {
	everyWay(t, func(s *shop) {
		t, ends := s.T(), map[string]int{}
		for n, after := range []time.Duration{
			0, time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, time.Second,
			5 * time.Second, 5010 * time.Millisecond, 8 * time.Second, 10 * time.Second, 10020 * time.Millisecond, time.Minute,
		} {
			id := fmt.Sprint("o", n)
			s.place(wish{id, "tok_late", "Slowtown", one("tea", 3)})
			s.Sleep(after)
			code := s.cancel(id)
			s.Quiet()
			status := s.status(id)
			if want := map[int]string{http.StatusAccepted: "cancelled", http.StatusOK: "cancelled", http.StatusConflict: "confirmed"}[code]; status != want {
				t.Errorf("cancelled after %v: the shop answered %d, and the order is %s, want %s", after, code, status, want)
			}
			ends[status]++
		}
		if len(ends) != 2 {
			t.Errorf("orders ended %v, want both ends: the moments miss one", ends)
		}
		s.ExpectRows("inventory", `SELECT reserved FROM stock WHERE sku = 'tea'`, fmt.Sprint(3*ends["confirmed"]))
	})
}

// TestOrderOfMuchData orders a product whose name takes six bytes of JSON for each of its
// own. Whatever is taken on ends.
func TestOrderOfMuchData(t *testing.T) {
	calmly(t, []way{choreographed, directed}, func(s *shop) {
		sku := strings.Repeat("&", 100)
		s.receive(sku, 10_000)
		accepted := 0
		for _, n := range []int{700, 775, 850, 1300, 1400} {
			id := fmt.Sprint("o", n)
			body, err := json.Marshal(map[string]any{
				"customerId": "ann", "lines": slices.Repeat(one(sku, 1), n), "paymentToken": strings.Repeat("&", 128), "style": s.style(0),
				"address": orderv1.Address{Name: long(200), Street: strings.Repeat("<", 200), City: strings.Repeat("<", 200), Country: strings.Repeat("<", 200)},
			})
			if err != nil {
				s.T().Fatal(err)
			}
			status, text := s.request("order", http.MethodPost, "/orders", id, string(body))
			switch status {
			case http.StatusAccepted:
				accepted++
				s.placed = append(s.placed, id)
				s.Sleep(time.Minute)
				if got := s.status(id); got != "confirmed" && got != "cancelled" {
					s.T().Errorf("an order of %d lines is %s after a minute", n, got)
				}
			case http.StatusUnprocessableEntity:
			default:
				s.T().Fatalf("place an order of %d lines: %d %s", n, status, text)
			}
		}
		if accepted == 0 {
			s.T().Errorf("no order was accepted")
		}
	})
}

// TestDeadline lets one service after the other be down past the deadline: orders that
// cannot be settled in time are cancelled, and nothing is kept for them.
func TestDeadline(t *testing.T) {
	for _, down := range []string{"inventory", "payment", "shipping"} {
		t.Run(down, func(t *testing.T) {
			calmly(t, []way{choreographed, directed}, func(s *shop) {
				s.Crash(down)
				s.place(wish{"o1", "tok_ok", "London", one("tea", 3)})
				s.Sleep(35 * time.Minute)
				if got := s.status("o1"); got == "confirmed" {
					s.T().Errorf("without %s the order is %s", down, got)
				}
				s.Restart(down)
				s.Quiet()
				if got := s.status("o1"); got != "cancelled" {
					s.T().Errorf("the order is %s, want cancelled", got)
				}
				s.ExpectRows("inventory", `SELECT received - reserved FROM stock WHERE sku = 'tea'`, "1000")
			})
		})
	}
}

func TestReturn(t *testing.T) {
	eachStyle(t, func(s *shop) {
		s.place(wish{"o1", "tok_ok", "London", []orderv1.Line{
			{SKU: "tea", Quantity: 2, UnitPrice: 100}, {SKU: "tea", Quantity: 2, UnitPrice: 300}, {SKU: "cup", Quantity: 1, UnitPrice: 50},
		}})
		if s.giveBack("o1", "r0", "tea", 1) {
			s.T().Error("goods of an order that is not confirmed were taken back")
		}
		s.Quiet()
		for range 2 {
			if !s.giveBack("o1", "r1", "tea", 3) {
				s.T().Error("a return, or its repetition, was refused")
			}
		}
		if s.giveBack("o1", "r2", "tea", 2) {
			s.T().Error("more was taken back than was ordered")
		}
		s.Quiet()
		s.ExpectRows("order", `SELECT id, refund, status FROM returns`, "r1|500|settled")
		s.ExpectRows("inventory", `SELECT sku, reserved FROM stock ORDER BY sku`, "cup|1", "tea|1")
		s.ExpectRows("customer", `SELECT spend FROM customers`, "350")
	})
}

// TestCheckout orders by way of the storefront's cart.
func TestCheckout(t *testing.T) {
	eachStyle(t, func(s *shop) {
		s.ExpectRows("storefront", `SELECT sku, price FROM products`, "tea|250")
		cart := s.fill("tea", 2)
		order := s.checkOut(cart)
		if again := s.checkOut(cart); again != order {
			s.T().Errorf("checking out again makes order %s, want %s", again, order)
		}
		s.Quiet()
		if got := s.status(order); got != "confirmed" {
			s.T().Errorf("the order is %s, want confirmed", got)
		}
	})
}

// TestSimulation has customers order, cancel and return while services crash, are
// cut off and repeat themselves. Whatever happens, the invariants hold.
func TestSimulation(t *testing.T) {
	ways := []way{choreographed, directed, mixed, payFirst}
	tuttitest.Seeds(t, 200, func(w *tuttitest.World) {
		run(w, ways[w.Rand().IntN(len(ways))], func(s *shop) {
			s.Chaos(tuttitest.Chaos{Over: 12 * time.Second, Faults: 10})
			for n := range 6 {
				s.customer(fmt.Sprint("o", n))
			}
		})
	})
}

var (
	tokens = []string{"tok_ok", "tok_ok", "tok_ok", "tok_ok", "tok_decline", "tok_timeout", "tok_late", "tok_twice", "tok_down_2"}
	cities = []string{"London", "London", "London", "London", "Nowhere", "Slowtown", "Timeout"}
)

// customer places an order, and may cancel it, or give goods back.
func (s *shop) customer(id string) {
	r := s.Rand()
	o := wish{id: id, token: tokens[r.IntN(len(tokens))], city: cities[r.IntN(len(cities))]}
	o.lines = one("tea", 1+r.Int64N(5))
	if r.IntN(3) == 0 {
		o.lines = append(o.lines, one("cup", 1+r.Int64N(400))...)
	}
	s.place(o)
	s.Sleep(time.Duration(r.Int64N(int64(2 * time.Second))))
	switch r.IntN(5) {
	case 0:
		s.cancel(id)
	case 1:
		s.Sleep(time.Duration(r.Int64N(int64(5 * time.Second))))
		s.giveBack(id, "r-"+id, "tea", 1)
	}
}
