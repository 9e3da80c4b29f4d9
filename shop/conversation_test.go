package shop_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tutti-go/tutti/shop/orderv1"
)

func (c *conversation) page() {
	c.call(200, "GET /", "", "")
	for _, name := range []string{"app.js", "style.css", "icon.svg"} {
		got := c.call(200, "GET /assets/"+name, "", "")
		c.send(304, "GET /assets/"+name, http.Header{"If-None-Match": {got.header.Get("ETag")}}, "")
	}
	c.call(404, "GET /assets/none.js", "", "")
}

func (c *conversation) products() {
	const body = `{"name":"Mug","price":595}`
	c.call(201, "PUT /products/mug", "", body)
	c.call(200, "PUT /products/mug", "", body)
	c.call(200, "PUT /products/mug", "", fmt.Sprintf(`{"name":%q,"price":100000000}`, long(200)))
	c.call(200, "PUT /products/mug", "", body)
	c.wrong("PUT /products/mug", "", body)
	c.call(400, "PUT /products/big%20mug", "", body)
	for _, body := range []string{`{"name":"","price":5}`, `{"name":"Mug","price":0}`, `{"name":"Mug","price":100000001}`, `{"name":"M\tug","price":5}`} {
		c.broken("PUT /products/mug", "", body)
	}
	c.call(200, "GET /products/mug", "", "")
	c.call(404, "GET /products/pot", "", "")
	c.call(200, "GET /products", "", "")
	c.call(200, "GET /products?limit=1", "", "")
	c.call(200, "GET /products?limit=1&after=mug", "", "")
	c.call(200, "GET /products?q=mug", "", "")
	c.call(200, "GET /products?q=none+of+these", "", "")
	for _, query := range []string{"limit=0", "limit=501", "limit=x", "after=a%20b", "q=a+b+c+d+e+f+g+h+i", "q=" + long(201)} {
		c.call(400, "GET /products?"+query, "", "")
	}
}

func (c *conversation) customers() {
	const body = `{"name":"Bob","email":"bob@example.com","country":"DE"}`
	c.call(201, "PUT /customers/bob", "", body)
	c.call(200, "PUT /customers/bob", "", body)
	c.call(200, "PUT /customers/bob", "", `{"name":"Bob"}`)
	c.wrong("PUT /customers/bob", "", body)
	c.call(400, "PUT /customers/b%2Fob", "", body)
	for _, body := range []string{`{"name":""}`, `{"name":"Bob","email":"bob"}`, fmt.Sprintf(`{"name":%q}`, long(201))} {
		c.broken("PUT /customers/bob", "", body)
	}
	c.call(200, "GET /customers/bob", "", "")
	c.call(404, "GET /customers/nobody", "", "")
}

func (c *conversation) stock() {
	const path, body = "POST /stock/mug/receipts", `{"quantity":1000}`
	c.call(201, path, "in-1", body)
	c.call(200, path, "in-1", body)
	c.call(201, path, "in-2", `{"quantity":1000000000}`)
	c.wrong(path, "in-3", body)
	c.call(400, path, "", body)
	c.call(400, path, "in 3", body)
	c.call(400, "POST /stock/big%20mug/receipts", "in-3", body)
	c.call(422, path, "in-1", `{"quantity":5}`)
	c.broken(path, "in-3", `{"quantity":0}`)
	c.broken(path, "in-3", `{"quantity":1000000001}`)
	c.call(200, "GET /stock/mug", "", "")
	c.call(404, "GET /stock/pot", "", "")
	c.call(200, "GET /stock", "", "")
	c.call(200, "GET /stock?limit=1", "", "")
	c.call(200, "GET /stock?limit=500&after=cup", "", "")
	for _, query := range []string{"limit=0", "limit=501", "after=a%20b"} {
		c.call(400, "GET /stock?"+query, "", "")
	}
}

// cart starts a cart with two mugs.
func (c *conversation) cart() (path string) {
	c.T().Helper()
	path = "/carts/" + c.text(c.call(201, "POST /carts", "", ""), "id")
	c.call(200, "PUT "+path+"/lines/mug", "", `{"quantity":2}`)
	return path
}

func (c *conversation) carts() {
	c.Quiet() // the storefront has heard of the products
	path := c.cart()
	line := path + "/lines/mug"
	c.call(200, "GET "+path, "", "")
	c.call(404, "GET /carts/none", "", "")
	c.wrong("PUT "+line, "", `{"quantity":1}`)
	c.call(200, "PUT "+line, "", `{"quantity":0}`)
	c.call(200, "PUT "+line, "", `{"quantity":1000000}`)
	c.broken("PUT "+line, "", `{"quantity":1000001}`)
	c.broken("PUT "+line, "", `{"quantity":-1}`)
	c.call(404, "PUT "+path+"/lines/pot", "", `{"quantity":1}`)
	c.call(404, "PUT /carts/none/lines/mug", "", `{"quantity":1}`)
	c.call(200, "DELETE "+line, "", "")
	c.call(200, "DELETE "+line, "", "")
	c.call(404, "DELETE /carts/none/lines/mug", "", "")
	c.call(200, "GET "+path, "", "")
}

func (c *conversation) checkout() {
	const body = `{"customerId":"bob","paymentToken":"tok_ok","address":{"name":"Bob","street":"1 High Street","city":"London","country":"GB"}}`
	path := c.cart()
	checkout := "POST " + path + "/checkout"
	c.wrong(checkout, "", body)
	c.call(404, "POST /carts/none/checkout", "", body)
	c.call(409, checkout, "", strings.TrimSuffix(body, "}")+`,"total":1}`)
	c.call(422, checkout, "", strings.ReplaceAll(body, "tok_ok", "4111111111111111"))
	for part, bad := range map[string]string{"London": "", "1 High Street": long(201), `"bob"`: `"b ob"`, "tok_ok": "", `"}`: `"},"total":-1`} {
		c.broken(checkout, "", strings.Replace(body, part, bad, 1))
	}
	// A cart costs what the catalog says, whatever the customer would rather pay.
	c.call(400, "PUT "+path+"/lines/mug", "", `{"quantity":2,"unitPrice":1}`)
	c.call(400, "PUT "+path+"/lines/mug", "", `{"quantity":2,"price":1}`)
	c.call(400, checkout, "", strings.TrimSuffix(body, "}")+`,"lines":[{"sku":"mug","quantity":2,"unitPrice":1}]}`)
	got := c.call(202, checkout, "", body)
	if again := c.call(202, checkout, "", body); again.header.Get("Location") != got.header.Get("Location") {
		c.T().Errorf("the order is at %q, and asked again at %q", got.header.Get("Location"), again.header.Get("Location"))
	}
	c.call(422, checkout, "", strings.ReplaceAll(body, "tok_ok", "tok_late"))
	c.call(409, "PUT "+path+"/lines/mug", "", `{"quantity":1}`)
	c.call(409, "DELETE "+path+"/lines/mug", "", "")
	c.call(200, "GET "+path, "", "")
	c.Quiet()
	id := strings.TrimPrefix(got.header.Get("Location"), "/orders/")
	c.settle(id, "confirmed")
	if order := string(c.call(200, "GET /orders/"+id, "", "").body); !strings.Contains(order, `"total":1190`) {
		c.T().Errorf("two mugs of 595 pence are ordered as %s, want a total of 1190", order)
	}
	c.call(422, "POST /carts/"+c.text(c.call(201, "POST /carts", "", ""), "id")+"/checkout", "", body) // empty
}

// ask is the body of an order for some mugs.
func ask(token, city string, quantity int) string {
	return fmt.Sprintf(`{"customerId":"bob","paymentToken":%q,"address":{"city":%q},"lines":[{"sku":"mug","quantity":%d,"unitPrice":595}]}`,
		token, city, quantity)
}

func (c *conversation) orders() {
	const path = "POST /orders"
	body := ask("tok_ok", "London", 3)
	got := c.call(202, path, "bobs-1", body)
	if location := got.header.Get("Location"); location != "/orders/bobs-1" {
		c.T().Errorf("Location is %q, want /orders/bobs-1", location)
	}
	c.call(202, path, "bobs-1", body)
	c.call(422, path, "bobs-1", ask("tok_ok", "London", 4))
	c.wrong(path, "bobs-2", body)
	c.call(400, path, "", body)
	c.call(400, path, "bobs 2", body)
	for _, part := range []struct{ good, bad string }{
		{"London", ""}, {"London", long(201)}, {`:3`, `:0`}, {`:3`, `:1000001`}, {`:595`, `:0`}, {`:595`, `:100000001`},
		{"tok_ok", ""}, {`"bob"`, `"."`}, {`"mug"`, `"m/ug"`}, {`,"lines"`, `,"style":"tango","lines"`},
	} {
		c.broken(path, "bobs-2", strings.Replace(body, part.good, part.bad, 1))
	}
	c.broken(path, "bobs-2", `{"customerId":"bob","paymentToken":"tok_ok","address":{"city":"London"},"lines":[]}`)
	c.settle("bobs-1", "confirmed")
	c.call(404, "GET /orders/none", "", "")
	c.call(202, path, "bobs-2", ask("tok_decline", "London", 1))
	c.settle("bobs-2", "cancelled")
	for _, style := range []string{"choreography", "orchestration"} {
		id, styled := "bobs-"+style, strings.TrimSuffix(body, "}")+fmt.Sprintf(`,"style":%q}`, style)
		c.call(202, path, id, styled)
		c.call(422, path, id, body)
		c.settle(id, "confirmed")
		if got := c.text(c.call(200, "GET /orders/"+id, "", ""), "style"); got != style {
			c.T().Errorf("the order's style is %s, want %s", got, style)
		}
	}
	next := c.text(c.call(200, "GET /orders?customer=bob&limit=1", "", ""), "next")
	c.call(200, "GET /orders?customer=bob&after="+next, "", "")
	c.call(200, "GET /orders?customer=nobody", "", "")
	for _, query := range []string{"", "customer=", "customer=b%20b", "customer=bob&limit=0", "customer=bob&limit=501", "customer=bob&after=x"} {
		c.call(400, "GET /orders?"+query, "", "")
	}
}

func (c *conversation) cancellations() {
	c.call(202, "POST /orders", "bobs-3", ask("tok_late", "London", 1))
	c.Sleep(time.Second) // it is being charged now
	c.call(202, "DELETE /orders/bobs-3", "", "")
	c.call(202, "DELETE /orders/bobs-3", "", "")
	c.call(200, "GET /orders/bobs-3", "", "")
	c.settle("bobs-3", "cancelled")
	c.call(200, "DELETE /orders/bobs-3", "", "")
	c.call(409, "DELETE /orders/bobs-1", "", "")
	c.call(404, "DELETE /orders/none", "", "")
}

func (c *conversation) returns() {
	const path, body = "POST /orders/bobs-1/returns", `{"lines":[{"sku":"mug","quantity":2}]}`
	c.call(202, path, "back-1", body)
	c.call(202, path, "back-1", body)
	c.call(200, "GET /orders/bobs-1/returns/back-1", "", "")
	c.call(422, path, "back-1", `{"lines":[{"sku":"mug","quantity":1}]}`)
	c.call(422, path, "back-2", `{"lines":[{"sku":"mug","quantity":4}]}`)
	c.broken(path, "back-2", `{"lines":[]}`)
	c.broken(path, "back-2", `{"lines":[{"sku":"mug","quantity":0}]}`)
	c.call(409, path, "back-2", body)
	c.call(409, "POST /orders/bobs-2/returns", "back-2", body)
	c.call(404, "POST /orders/none/returns", "back-2", body)
	c.wrong(path, "back-2", body)
	c.call(400, path, "", body)
	c.Quiet()
	if status := c.text(c.call(200, "GET /orders/bobs-1/returns/back-1", "", ""), "status"); status != "settled" {
		c.T().Errorf("the return is %s, want settled", status)
	}
	c.call(404, "GET /orders/bobs-1/returns/none", "", "")
	c.call(200, "GET /orders/bobs-1", "", "")
}

// followUps looks at what other services made of the orders.
func (c *conversation) followUps() {
	c.call(202, "POST /orders", "bobs-4", ask("tok_ok", "Nowhere", 1))
	c.settle("bobs-4", "cancelled")
	c.Quiet()
	for _, id := range []string{"bobs-1", "bobs-2", "bobs-3", "bobs-4"} {
		c.call(200, "GET /payments/"+id, "", "")
		shipment := 200
		if c.style(0) == orderv1.Orchestration && (id == "bobs-2" || id == "bobs-3") {
			shipment = 404 // their mediator never got as far as asking for one
		}
		c.call(shipment, "GET /shipments/"+id, "", "")
		c.call(200, "GET /notifications?order="+id, "", "")
	}
	c.call(200, "GET /customers/bob", "", "")
	c.call(404, "GET /payments/none", "", "")
	c.call(404, "GET /shipments/none", "", "")
	c.call(200, "GET /notifications?order=none", "", "")
	c.call(400, "GET /notifications", "", "")
	c.call(400, "GET /notifications?order=a%20b", "", "")
}
