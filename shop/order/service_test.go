package order_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/shop/inventoryv1"
	"github.com/tutti-go/tutti/shop/order"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/paymentv1"
	"github.com/tutti-go/tutti/shop/shippingv1"
	"github.com/tutti-go/tutti/tuttitest"
)

// reply is what a request was answered.
type reply struct {
	status   int
	location string
	body     string
}

// call makes a request with a key, or with several that newlines divide.
func call(w *tuttitest.World, method, path, key, body string) reply {
	w.T().Helper()
	r, err := http.NewRequestWithContext(w.T().Context(), method, "http://order"+path, strings.NewReader(body))
	if err != nil {
		w.T().Fatal(err)
	}
	if key != "" {
		r.Header["Idempotency-Key"] = strings.Split(key, "\n")
	}
	resp, err := w.HTTP("order").Do(r)
	if err != nil {
		w.T().Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.T().Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header.Get("Location"), strings.TrimSpace(string(text))}
}

func want(w *tuttitest.World, got reply, status int, says string) {
	w.T().Helper()
	if got.status != status || !strings.Contains(got.body, says) {
		w.T().Errorf("got %d %s, want %d %s", got.status, got.body, status, says)
	}
}

const body = `{"customerId":"c1","lines":[{"sku":"A","quantity":2,"unitPrice":100},{"sku":"B","quantity":1,"unitPrice":50}],
	"paymentToken":"tok_ok","address":{"name":"Ann","street":"1 High St","city":"York","country":"UK"}}`

// placedAt is the event that follows from body.
func placedAt(id string, at time.Time) orderv1.Placed {
	return orderv1.Placed{
		OrderID: id, CustomerID: "c1", Total: 250, PaymentToken: "tok_ok", Deadline: at.Add(30 * time.Minute).UTC(),
		Lines:   []orderv1.Line{{SKU: "A", Quantity: 2, UnitPrice: 100}, {SKU: "B", Quantity: 1, UnitPrice: 50}},
		Address: orderv1.Address{Name: "Ann", Street: "1 High St", City: "York", Country: "UK"},
	}
}

// place posts an order and expects its event.
func place(w *tuttitest.World, id string) {
	w.T().Helper()
	got := call(w, "POST", "/orders", id, body)
	want(w, got, 202, fmt.Sprintf(`{"id":%q,"status":"placed"}`, id))
	var v struct {
		PlacedAt time.Time `json:"placedAt"`
	}
	if err := json.Unmarshal([]byte(call(w, "GET", "/orders/"+id, "", "").body), &v); err != nil {
		w.T().Fatal(err)
	}
	w.Expect(placedAt(id, v.PlacedAt))
}

// status waits until the order stands there.
func status(w *tuttitest.World, id, status string) {
	w.T().Helper()
	w.ExpectRows("order", `SELECT status FROM orders WHERE id = '`+id+`'`, status)
}

func TestHappyOrder(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("order", order.Register(order.Config{}))
		place(w, "o1")
		want(w, call(w, "POST", "/orders", "o1", strings.ReplaceAll(body, " ", "  ")), 422, "same key") // blanks within a value count
		if got := call(w, "POST", "/orders", "o1", strings.ReplaceAll(body, "\n", "")); got.status != 202 || got.location != "/orders/o1" {
			t.Errorf("the same request again: %+v", got)
		}
		w.Publish(inventoryv1.Reserved{OrderID: "o1"}, paymentv1.Completed{OrderID: "o1"})
		w.Quiet()
		w.Publish(shippingv1.Scheduled{OrderID: "o1", Carrier: "Swift"})
		w.Expect(orderv1.Confirmed{OrderID: "o1", CustomerID: "c1", Total: 250})
		w.Sleep(time.Hour)
		w.ExpectNoMore()
		want(w, call(w, "DELETE", "/orders/o1", "", ""), 409, "confirmed")
		got := call(w, "GET", "/orders/o1", "", "")
		want(w, got, 200, `"note":"delivery scheduled: Swift"`)
		for _, private := range []string{"tok_ok", "High St"} {
			if strings.Contains(got.body, private) {
				t.Errorf("GET shows %q: %s", private, got.body)
			}
		}
		w.ExpectRows("order", `SELECT COUNT(*) FROM tutti_job`, "0")
	})
}

func TestCustomerCancels(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("order", order.Register(order.Config{}))
		place(w, "o1")
		want(w, call(w, "DELETE", "/orders/o1", "", ""), 202, `"status":"cancelling"`)
		want(w, call(w, "DELETE", "/orders/o1", "", ""), 202, `"status":"cancelling"`)
		w.Expect(orderv1.CancellationRequested{OrderID: "o1", Reason: "cancelled by the customer"})
		w.Publish(shippingv1.Scheduled{OrderID: "o1"}, shippingv1.Unavailable{OrderID: "o1"}, paymentv1.Failed{OrderID: "o1"}, inventoryv1.Released{OrderID: "o1"})
		w.Expect(orderv1.Cancelled{OrderID: "o1", CustomerID: "c1", Reason: "cancelled by the customer"})
		w.Sleep(time.Hour)
		w.ExpectNoMore()
		want(w, call(w, "DELETE", "/orders/o1", "", ""), 200, `"status":"cancelled"`)
		want(w, call(w, "DELETE", "/orders/none", "", ""), 404, "no order")
	})
}

func TestDeadlineSurvivesACrash(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("order", order.Register(order.Config{}))
		place(w, "o1")
		w.Crash("order")
		w.Sleep(29 * time.Minute)
		w.Restart("order")
		status(w, "o1", "placed")
		w.Sleep(2 * time.Minute)
		w.Expect(orderv1.CancellationRequested{OrderID: "o1", Reason: "not settled in time"})
		status(w, "o1", "cancelling")
		w.ExpectNoMore()
	})
}

func TestPlaceCommand(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("order", order.Register(order.Config{Deadline: time.Minute}))
		p := orderv1.Place{
			OrderID: "o1", CustomerID: "c1", PaymentToken: "tok_ok", Address: orderv1.Address{City: "York"},
			Lines: []orderv1.Line{{SKU: "A", Quantity: 1, UnitPrice: 7}},
		}
		other, card := p, p
		other.CustomerID = "c2"
		card.OrderID, card.PaymentToken = "o2", "4111 1111 1111 1111"
		w.Publish(p, p, other, card)
		w.ExpectRows("order", `SELECT id, customer, total, deadline - placed_at FROM orders`, "o1|c1|7|60000")
		w.ExpectRows("order", `SELECT msgkey, state, error LIKE '%4111%' FROM tutti_parked ORDER BY msgkey`, "o1|dead|0", "o2|dead|0")
	})
}

func TestReturn(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("order", order.Register(order.Config{}))
		place(w, "o1")
		const one = `{"lines":[{"sku":"A","quantity":1}]}`
		want(w, call(w, "POST", "/orders/o1/returns", "r1", one), 409, "only goods of a confirmed order")
		w.Publish(shippingv1.Scheduled{OrderID: "o1"})
		w.Expect(orderv1.Confirmed{OrderID: "o1", CustomerID: "c1", Total: 250})
		for range 2 {
			got := call(w, "POST", "/orders/o1/returns", "r1", one)
			want(w, got, 202, `{"id":"r1","status":"requested","refund":100}`)
			if got.location != "/orders/o1/returns/r1" {
				t.Errorf("Location is %q", got.location)
			}
		}
		w.Expect(orderv1.Returned{OrderID: "o1", ReturnID: "r1", CustomerID: "c1", Refund: 100, Lines: []orderv1.Line{{SKU: "A", Quantity: 1, UnitPrice: 100}}})
		want(w, call(w, "POST", "/orders/o1/returns", "r1", `{"lines":[{"sku":"A","quantity":2}]}`), 422, "same key")
		want(w, call(w, "POST", "/orders/o1/returns", "r2", `{"lines":[{"sku":"A","quantity":2}]}`), 409, "2 of A, of which 1 are left")
		want(w, call(w, "POST", "/orders/o1/returns", "r2", `{"lines":[{"sku":"A","quantity":3}]}`), 422, "3 of A, of which 2 were ordered")
		want(w, call(w, "POST", "/orders/o1/returns", "", one), 400, "Idempotency-Key")
		want(w, call(w, "POST", "/orders/none/returns", "r3", one), 404, "no order")
		w.Publish(inventoryv1.Restocked{OrderID: "o1", ReturnID: "r1"})
		w.Quiet()
		want(w, call(w, "GET", "/orders/o1/returns/r1", "", ""), 200, `"status":"requested"`)
		w.Publish(paymentv1.ReturnRefunded{OrderID: "o1", ReturnID: "r1"})
		w.ExpectRows("order", `SELECT status FROM returns`, "settled")
		want(w, call(w, "GET", "/orders/o1/returns/r1", "", ""), 200, `"lines":[{"sku":"A","quantity":1,"unitPrice":100}]`)
		want(w, call(w, "GET", "/orders/o2/returns/r1", "", ""), 404, "no return")
		w.ExpectNoMore()
	})
}

func TestRequests(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("order", order.Register(order.Config{}))
		replace := func(old, by string) string { return strings.Replace(body, old, by, 1) }
		for _, c := range []struct {
			method, path, key, body string
			status                  int
			says                    string
		}{
			{"POST", "/orders", "", body, 400, "Idempotency-Key is missing"},
			{"POST", "/orders", "a b", body, 400, `Idempotency-Key \"a b\"`},
			{"POST", "/orders", strings.Repeat("x", 129), body, 400, "Idempotency-Key"},
			{"POST", "/orders", "..", body, 400, "without spaces or slashes, and not . or .."},
			{"POST", "/orders", "o1\no2", body, 400, "2 headers Idempotency-Key, want one"},
			{"POST", "/orders", "o1", "", 400, "body is empty"},
			{"POST", "/orders", "o1", body + body, 400, "something follows"},
			{"POST", "/orders", "o1", replace(`"customerId"`, `"customer"`), 400, "none that is known here"},
			{"POST", "/orders", "o1", replace(`"quantity":2`, `"quantity":9999999999999999999`), 400, "want a whole number"},
			{"POST", "/orders", "o1", strings.Repeat(" ", 2<<20) + body, 413, "over"},
			{"POST", "/orders", "o1", `{}`, 422, "customerId"},
			{"POST", "/orders", "o1", replace("tok_ok", "4111-1111-1111-1111"), 422, "looks like a card number"},
			{"GET", "/orders/o1", "", "", 404, "no order"},
			{"GET", "/orders/%00", "", "", 404, "no order"},
			{"GET", "/orders", "", "", 400, "customer"},
			{"GET", "/orders?customer=c1&limit=501", "", "", 400, "limit"},
			{"GET", "/orders?customer=c1&after=x", "", "", 400, "after"},
			{"GET", "/orders?customer=c1", "", "", 200, `{"orders":[]}`},
			{"PUT", "/orders/o1", "", "", 405, ""},
		} {
			got := call(w, c.method, c.path, c.key, c.body)
			if got.status != c.status || !strings.Contains(got.body, c.says) {
				t.Errorf("%s %s %.60s = %d %s, want %d %s", c.method, c.path, c.body, got.status, got.body, c.status, c.says)
			}
			if strings.Contains(got.body, "4111") {
				t.Errorf("%s %s quotes the card number: %s", c.method, c.path, got.body)
			}
		}
		w.Sleep(time.Second) // net/http lets the client of a request that is too large read the answer
		w.ExpectNoMore()
		odd := "a%b?c#d"
		got := call(w, "POST", "/orders", odd, body)
		want(w, got, 202, odd)
		want(w, call(w, "GET", got.location, "", ""), 200, odd)
		want(w, call(w, "GET", "/orders?customer=c1&limit=1", "", ""), 200, odd)
	})
}
