package customer_test

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/shop/customer"
	"github.com/tutti-go/tutti/shop/customerv1"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/tuttitest"
)

// call makes a request of the customer service, and returns status and body.
func call(w *tuttitest.World, method, path, body string) string {
	w.T().Helper()
	r, err := http.NewRequestWithContext(w.T().Context(), method, "http://customer"+path, strings.NewReader(body))
	if err != nil {
		w.T().Fatal(err)
	}
	resp, err := w.HTTP("customer").Do(r)
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

func TestRegister(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("customer", customer.Register)
		var revisions []int64
		for _, c := range []struct{ method, path, body, want string }{
			{"GET", "/customers/c1", "", "404 "},
			{"PUT", "/customers/c1", `{"name":"Ann","email":"ann@example.com","country":"UK"}`, `201 {"id":"c1","name":"Ann","email":"ann@example.com","country":"UK","spend":0}`},
			{"PUT", "/customers/c1", `{"name":"Ann","email":"ann@example.com","country":"UK"}`, `200 {"id":"c1","name":"Ann","email":"ann@example.com","country":"UK","spend":0}`},
			{"PUT", "/customers/c1", `{"name":"Ann B","email":"ann@example.com","country":"UK"}`, `200 {"id":"c1","name":"Ann B","email":"ann@example.com","country":"UK","spend":0}`},
			{"GET", "/customers/c1", "", `200 {"id":"c1","name":"Ann B","email":"ann@example.com","country":"UK","spend":0}`},
			{"PUT", "/customers/c1", `{"name":""}`, "422 "},
			{"PUT", "/customers/c1", `{"name":"Ann","phone":"1"}`, "400 "},
			{"PUT", "/customers/a%2Fb", `{"name":"Ann"}`, "400 "},
			{"GET", "/customers/%00", "", "404 "},
		} {
			got := call(w, c.method, c.path, c.body)
			if got != c.want && (!strings.HasSuffix(c.want, " ") || !strings.HasPrefix(got, c.want)) {
				t.Errorf("%s %s %s = %s, want %s", c.method, c.path, c.body, got, c.want)
			}
			if strings.Contains(got, "Ann") {
				revisions = append(revisions, revision(w, "c1"))
			}
		}
		revisions = slices.Compact(revisions)
		if len(revisions) != 2 || revisions[0] >= revisions[1] {
			t.Fatalf("the revisions are %v, want two that grow", revisions)
		}
		w.Expect(
			customerv1.Registered{CustomerID: "c1", Name: "Ann", Email: "ann@example.com", Country: "UK", Revision: revisions[0]},
			customerv1.Registered{CustomerID: "c1", Name: "Ann B", Email: "ann@example.com", Country: "UK", Revision: revisions[1]},
		)
		w.ExpectNoMore()
	})
}

// revision is that of a customer's profile.
func revision(w *tuttitest.World, id string) int64 {
	n, err := strconv.ParseInt(w.Query("customer", `SELECT revision FROM customers WHERE id = $1`, id)[0], 10, 64)
	if err != nil {
		w.T().Fatal(err)
	}
	return n
}

func TestSpend(t *testing.T) {
	const customers = `SELECT id, name, spend FROM customers ORDER BY id`
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("customer", customer.Register)
		if got := call(w, "PUT", "/customers/c1", `{"name":"Ann"}`); !strings.HasPrefix(got, "201 ") {
			t.Fatal(got)
		}
		var all []event.Body
		for i := range 300 {
			all = append(all, orderv1.Confirmed{OrderID: fmt.Sprint("o", i), CustomerID: fmt.Sprint("c", i%2), Total: 10})
		}
		w.Publish(all...)
		w.Publish(orderv1.Returned{OrderID: "o1", ReturnID: "r1", CustomerID: "c1", Refund: 3})
		w.ExpectRows("customer", customers, "c0||1500", "c1|Ann|1497")
		w.Publish(orderv1.Confirmed{OrderID: "x", CustomerID: "c1", Total: math.MaxInt64}, orderv1.Confirmed{OrderID: "y", CustomerID: "", Total: 1},
			orderv1.Confirmed{OrderID: "z", CustomerID: "c1", Total: -500}, orderv1.Confirmed{OrderID: "z0", CustomerID: "c1"},
			orderv1.Returned{OrderID: "z1", ReturnID: "z1", CustomerID: "c1", Refund: -3})
		w.ExpectRows("customer", `SELECT msgkey, state FROM tutti_parked ORDER BY msgkey`, "x|dead", "y|dead", "z|dead", "z0|dead", "z1|dead")
		w.ExpectRows("customer", customers, "c0||1500", "c1|Ann|1497")
		if got := call(w, "PUT", "/customers/c0", `{"name":"Bob"}`); got != `200 {"id":"c0","name":"Bob","email":"","country":"","spend":1500}` {
			t.Error(got)
		}
		w.Expect(
			customerv1.Registered{CustomerID: "c1", Name: "Ann", Revision: revision(w, "c1")},
			customerv1.Registered{CustomerID: "c0", Name: "Bob", Revision: revision(w, "c0")},
		)
	})
}

// What a customer has spent stays within what is kept, on either side.
func TestSpendIsBounded(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("customer", customer.Register)
		const most = math.MaxInt64 / 2
		for _, id := range []string{"a", "b", "c"} {
			w.Publish(orderv1.Confirmed{OrderID: id, CustomerID: "c1", Total: most}, orderv1.Returned{OrderID: id + "-back", ReturnID: id, CustomerID: "c2", Refund: most})
			w.Quiet()
		}
		w.ExpectRows("customer", `SELECT msgkey, state FROM tutti_parked ORDER BY msgkey`, "b|dead", "b-back|dead", "c|dead", "c-back|dead")
		w.ExpectRows("customer", `SELECT id, spend FROM customers ORDER BY id`, fmt.Sprint("c1|", most), fmt.Sprint("c2|", -most))
	})
}
