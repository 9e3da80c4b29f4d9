package inventory_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/shop/inventory"
	"github.com/tutti-go/tutti/shop/inventoryv1"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/paymentv1"
	"github.com/tutti-go/tutti/tuttitest"
)

// call makes a request of the inventory service, and returns status and body.
// Newlines divide several keys.
func call(w *tuttitest.World, method, path, key, body string) string {
	w.T().Helper()
	r, err := http.NewRequestWithContext(w.T().Context(), method, "http://inventory"+path, strings.NewReader(body))
	if err != nil {
		w.T().Fatal(err)
	}
	if key != "" {
		r.Header["Idempotency-Key"] = strings.Split(key, "\n")
	}
	resp, err := w.HTTP("inventory").Do(r)
	if err != nil {
		w.T().Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.T().Fatal(err)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, strings.TrimSpace(string(text)))
}

func receive(w *tuttitest.World, sku string, quantity int) {
	w.T().Helper()
	got := call(w, "POST", "/stock/"+sku+"/receipts", "first-"+sku, fmt.Sprintf(`{"quantity":%d}`, quantity))
	if !strings.HasPrefix(got, "201 ") {
		w.T().Fatalf("receipt of %s: %s", sku, got)
	}
}

func lines(of ...any) []orderv1.Line {
	var out []orderv1.Line
	for i := 0; i < len(of); i += 2 {
		out = append(out, orderv1.Line{SKU: of[i].(string), Quantity: int64(of[i+1].(int)), UnitPrice: 100})
	}
	return out
}

const levels = `SELECT sku, received, reserved FROM stock ORDER BY sku`

func TestReserveAndRelease(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("inventory", inventory.Register)
		receive(w, "A", 5)
		receive(w, "B", 1)
		w.Publish(orderv1.Placed{OrderID: "o1", Lines: lines("A", 1, "B", 1, "A", 2)})
		w.Expect(inventoryv1.Reserved{OrderID: "o1"})
		w.ExpectRows("inventory", levels, "A|5|3", "B|1|1")
		w.Publish(orderv1.Placed{OrderID: "o2", Lines: lines("A", 2, "B", 1, "C", 7)})
		w.Expect(inventoryv1.OutOfStock{OrderID: "o2", Missing: []inventoryv1.Shortage{{SKU: "B", Wanted: 1}, {SKU: "C", Wanted: 7}}})
		w.Publish(orderv1.Placed{OrderID: "o1", Lines: lines("A", 1)}) // again, under another id of the message
		w.Publish(paymentv1.Failed{OrderID: "o2"}, paymentv1.Refunded{OrderID: "o1"}, paymentv1.Refunded{OrderID: "o1"})
		w.Expect(inventoryv1.Released{OrderID: "o1"})
		w.ExpectNoMore()
		w.ExpectRows("inventory", levels, "A|5|0", "B|1|0")
		w.ExpectRows("inventory", `SELECT order_id, status, lines FROM reservations ORDER BY order_id`,
			`o1|released|[{"sku":"A","quantity":3},{"sku":"B","quantity":1}]`, `o2|refused|[]`)
	})
}

func TestPaymentFailedBeforeTheOrderWasKnown(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("inventory", inventory.Register)
		receive(w, "A", 5)
		w.Publish(paymentv1.Failed{OrderID: "o1"})
		w.ExpectRows("inventory", `SELECT order_id, status FROM reservations`, "o1|stopped")
		w.Publish(orderv1.Placed{OrderID: "o1", Lines: lines("A", 1)})
		w.ExpectNoMore()
		w.ExpectRows("inventory", levels, "A|5|0")
	})
}

func TestRestock(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("inventory", inventory.Register)
		receive(w, "A", 5)
		w.Publish(orderv1.Placed{OrderID: "o1", Lines: lines("A", 4)})
		w.Expect(inventoryv1.Reserved{OrderID: "o1"})
		back := orderv1.Returned{OrderID: "o1", ReturnID: "r1", Lines: lines("A", 1, "A", 1)}
		w.Publish(back, back)
		w.Expect(inventoryv1.Restocked{OrderID: "o1", ReturnID: "r1"})
		w.ExpectNoMore()
		w.ExpectRows("inventory", levels, "A|5|2")
	})
}

// A batch with a bad order in it loses only that one.
func TestSenselessOrderIsRejected(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("inventory", inventory.Register)
		receive(w, "A", 5)
		w.Publish(
			orderv1.Placed{OrderID: "o1", Lines: lines("A", 1)}, orderv1.Placed{OrderID: "bad", Lines: lines("A", -5)},
			orderv1.Placed{OrderID: "o2", Lines: lines("A", 1)}, orderv1.Placed{OrderID: "a b", Lines: lines("A", 1)},
			paymentv1.Failed{OrderID: "a/b"},
		)
		w.Expect(inventoryv1.Reserved{OrderID: "o1"}, inventoryv1.Reserved{OrderID: "o2"})
		w.ExpectRows("inventory", levels, "A|5|2")
		w.ExpectRows("inventory", `SELECT msgkey, state FROM tutti_parked ORDER BY msgkey`, "a b|dead", "a/b|dead", "bad|dead")
	})
}

func TestRoutes(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("inventory", inventory.Register)
		long := strings.Repeat("x", 129)
		for _, c := range []struct{ method, path, key, body, want string }{
			{"POST", "/stock/A/receipts", "k1", `{"quantity":5}`, `201 {"sku":"A","received":5,"reserved":0,"available":5}`},
			{"POST", "/stock/A/receipts", "k1", `{"quantity":5}`, `200 {"sku":"A","received":5,"reserved":0,"available":5}`},
			{"POST", "/stock/A/receipts", "k1", `{"quantity":6}`, "422 "},
			{"POST", "/stock/B/receipts", "k1", `{"quantity":5}`, "422 "},
			{"POST", "/stock/A/receipts", "k2", `{"quantity":1}`, `201 {"sku":"A","received":6,"reserved":0,"available":6}`},
			{"POST", "/stock/B%25/receipts", "k3", `{"quantity":1}`, `201 {"sku":"B%","received":1,"reserved":0,"available":1}`},
			{"POST", "/stock/A/receipts", "", `{"quantity":1}`, "400 "},
			{"POST", "/stock/A/receipts", "a b", `{"quantity":1}`, "400 "},
			{"POST", "/stock/a%2Fb/receipts", "k4", `{"quantity":1}`, "400 "},
			{"POST", "/stock/A/receipts", "k4\nk5", `{"quantity":1}`, "400 "},
			{"POST", "/stock/A/receipts", "k5", `{"quantity":0}`, "422 "},
			{"POST", "/stock/A/receipts", "k5", `{"quantity":1.5}`, "400 "},
			{"POST", "/stock/A/receipts", "k5", `{"quantity":1,"x":1}`, "400 "},
			{"POST", "/stock/A/receipts", "k5", ``, "400 "},
			{"GET", "/stock/A", "", "", `200 {"sku":"A","received":6,"reserved":0,"available":6}`},
			{"GET", "/stock/B%25", "", "", `200 {"sku":"B%","received":1,"reserved":0,"available":1}`},
			{"GET", "/stock/none", "", "", "404 "},
			{"GET", "/stock/%00", "", "", "404 "},
			{"GET", "/stock/" + long, "", "", "404 "},
			{"GET", "/stock?limit=1", "", "", `200 {"stock":[{"sku":"A","received":6,"reserved":0,"available":6}],"next":"A"}`},
			{"GET", "/stock?limit=1&after=A", "", "", `200 {"stock":[{"sku":"B%","received":1,"reserved":0,"available":1}]}`},
			{"GET", "/stock?after=B%25", "", "", `200 {"stock":[]}`},
			{"GET", "/stock?limit=0", "", "", "400 "},
			{"GET", "/stock?limit=x", "", "", "400 "},
			{"GET", "/stock?after=%00", "", "", "400 "},
		} {
			got := call(w, c.method, c.path, c.key, c.body)
			if got != c.want && (!strings.HasSuffix(c.want, " ") || !strings.HasPrefix(got, c.want)) {
				t.Errorf("%s %s %s = %s, want %s", c.method, c.path, c.body, got, c.want)
			}
		}
	})
}

// Many orders for few goods, all at once and through a crash: what is reserved is
// what the answers say.
func TestManyOrdersAtOnce(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("inventory", inventory.Register)
		rnd := rand.New(rand.NewPCG(1, 4))
		for i := range 30 {
			receive(w, fmt.Sprint("P", i), 40)
		}
		var placed []event.Body
		for i := range 200 {
			var ls []orderv1.Line
			for range 24 {
				ls = append(ls, orderv1.Line{SKU: fmt.Sprint("P", rnd.IntN(30)), Quantity: 1, UnitPrice: 1})
			}
			placed = append(placed, orderv1.Placed{OrderID: fmt.Sprint("o", i), Lines: ls})
		}
		w.Publish(placed...)
		w.Crash("inventory")
		w.Restart("inventory")
		w.Quiet()
		held := map[string]int64{}
		live := 0
		for _, row := range w.Query("inventory", `SELECT order_id FROM reservations WHERE status = 'reserved'`) {
			live++
			for _, p := range placed {
				if p.Key() == row {
					for _, l := range p.(orderv1.Placed).Lines {
						held[l.SKU] += l.Quantity
					}
				}
			}
		}
		for i := range 30 {
			sku := fmt.Sprint("P", i)
			want := fmt.Sprintf("%d|40", held[sku])
			if got := w.Query("inventory", `SELECT reserved, received FROM stock WHERE sku = $1`, sku); len(got) != 1 || got[0] != want || held[sku] > 40 {
				t.Errorf("stock of %s is %q, want %q", sku, got, want)
			}
		}
		if all := len(w.Query("inventory", `SELECT 1 FROM reservations`)); all != 200 || live < 20 || live > 50 {
			t.Errorf("%d of %d orders are reserved, want some 40 of 200", live, all)
		}
	})
}
