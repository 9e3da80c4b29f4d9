package browser

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const (
	teapot = "Blue Enamel Teapot"
	mugs   = "Set of Four Breakfast Mugs"
	board  = "Oak Bread Board"
	dipper = "Wooden Honey Dipper"
)

func TestBrowse(t *testing.T) {
	p := open(t, "")
	p.wait("a page of products", `document.querySelectorAll('.card').length === 24`)
	p.sees(".card", teapot)
	p.sees(".card", "£24.50")
	p.shot("products")
	p.press("Show more")
	p.wait("all products", `document.querySelectorAll('.card').length === 40`)

	p.fill("Search products", "lamp")
	p.sees("h1", "Results for “lamp”")
	p.wait("what was found", `document.querySelectorAll('.card').length === 2`)
	p.fill("Search products", "harpsichord")
	p.sees("main", "Nothing is called “harpsichord”.")
	p.shot("nothing")
	p.press("See everything")
	p.wait("a page of products", `document.querySelectorAll('.card').length === 24`)
}

func TestBasket(t *testing.T) {
	p := open(t, "#/basket")
	p.sees("main", "Nothing in it yet.")
	p.shot("empty")
	p.press("Have a look around")
	p.put(teapot)
	p.put(mugs)
	p.press("One more of " + mugs)
	p.sees("#basket-link", "3")
	p.shot("put")

	p.press("Basket, 3 items")
	p.sees(".sum", "£62.40")
	p.fill("Quantity of "+teapot, "4"+kb.Enter)
	p.sees(".sum", "£135.90")
	p.fill("Quantity of "+teapot, "-1"+kb.Enter)
	p.sees("#said", "The quantity can be 0 to 1,000,000.")
	p.wait("the quantity is as before", `document.querySelector('.stepper input').value === '4'`)
	p.press("Remove " + mugs)
	p.sees(".sum", "£98.00")
	p.shot("filled")

	p.do("reload", chromedp.Reload())
	p.sees(".sum", "£98.00")
	p.sees("#basket-link", "4")
	p.press("Remove " + teapot)
	p.sees("main", "Nothing in it yet.")
}

// What is added when the basket has become an order meanwhile goes into a new one, without
// what is ordered.
func TestBasketIsOrderedMeanwhile(t *testing.T) {
	p := open(t, "")
	p.put(teapot)
	p.press("One more of " + teapot)
	p.press("One more of " + teapot)
	p.sees("#basket-link", "3")
	eval[any](p, `
		fetch('/carts/' + localStorage.getItem('tutti.cart') + '/checkout', { method: 'POST', body: JSON.stringify({
			customerId: 'ada', paymentToken: 'tok_ok', address: { city: 'London' } }) }).then((r) => { globalThis.answer = r.status; });
	`)
	p.wait("the order is accepted", `globalThis.answer === 202`)
	p.press("One more of " + teapot)
	p.sees("#basket-link", "1 item")
	p.expectErrors() // the old basket is refused
}

// put puts a product into the basket.
func (p *page) put(name string) {
	p.t.Helper()
	p.press("Add " + name + " to the basket")
	p.sees("#said", name+" is in the basket.")
}

// order puts a teapot into the basket, and orders it with choices of the demonstration.
func (p *page) order(choices ...string) {
	p.t.Helper()
	p.put(teapot)
	eval[any](p, `location.hash = '#/checkout'`)
	p.sees("h1", "Checkout")
	for _, c := range choices {
		p.press(c)
	}
	p.press("Order for £24.50")
	p.sees("h1", "Your order")
}

func (p *page) history(want ...string) {
	p.t.Helper()
	for _, w := range want {
		p.sees(".timeline", w)
	}
}

func TestOrder(t *testing.T) {
	p := open(t, "#/orders")
	p.sees("main", "No orders yet.")
	p.press("Have a look around")
	p.put(board)
	p.press("Basket, 1 item")
	p.press("Checkout")
	p.fill("City", "")
	p.press("Order for £16.00")
	p.wait("what is missing has the focus", `document.activeElement.matches('[name=city]:invalid')`)
	p.fill("Name", "Bram Visser")
	p.fill("City", "Ghent")
	p.shot("form")
	p.press("Order for £16.00")
	p.sees(".status", "Confirmed")
	p.history("Placed", "Stock reserved", "Paid", "Handed to the carrier", "Confirmed")
	p.sees(".brief", "1 × "+board)
	p.shot("confirmed")
	p.wait("it cannot be cancelled", `![...document.querySelectorAll('button')].some((b) => b.checkVisibility() && b.innerText.includes('Cancel'))`)
	p.wait("the basket is empty", `document.querySelector('#basket-link').innerText === 'Basket'`)

	p.do("reload", chromedp.Reload())
	p.sees(".status", "Confirmed")
	p.press("Orders")
	p.sees(".lines", "Confirmed £16.00")
	p.shot("orders")
}

func TestDeclinedCard(t *testing.T) {
	p := open(t, "")
	p.order("Is declined")
	p.sees(".state", "Cancelled")
	p.history("Payment failed", "Cancelled")
	p.sees(".status", "Your card was declined. Nothing was charged.")
	p.shot("declined")
	p.press("Put it into the basket again")
	p.sees("h1", "Basket")
	p.sees(".lines", teapot)
}

func TestOutOfStock(t *testing.T) {
	p := open(t, "")
	p.put(teapot)
	p.fill("Quantity of "+teapot, "1000000"+kb.Enter)
	p.sees("#basket-link", "1,000,000")
	eval[any](p, `location.hash = '#/checkout'`)
	p.press("Order for £24,500,000.00")
	p.sees(".state", "Cancelled")
	p.sees(".status", "Out of stock: "+teapot+" (1000000 wanted,")
	p.shot("refused")
}

// TestOutOfStockByName orders two products of which one's SKU ends like the other's.
func TestOutOfStockByName(t *testing.T) {
	p := open(t, "")
	p.ask(http.MethodPut, "/products/12", `{"name": "$& a dozen", "price": 100}`)
	p.ask(http.MethodPut, "/products/X12", `{"name": "A crate", "price": 100}`)
	p.ask(http.MethodPost, "/orders", `{"customerId": "ann", "paymentToken": "tok_ok", "lines": [{"sku": "X12", "quantity": 1, "unitPrice": 100},
		{"sku": "12", "quantity": 2, "unitPrice": 100}], "address": {"name": "Ann", "street": "High Street 1", "city": "London", "country": "GB"}}`)
	eval[any](p, `location.hash = '#/orders/asked'`)
	p.sees(".state", "Cancelled")
	p.sees(".status", "A crate (1 wanted, 0 available)")
	p.sees(".status", "$& a dozen (2 wanted, 0 available)")
}

// ask asks the shop for what the page does not offer.
func (p *page) ask(method, path, body string) {
	p.t.Helper()
	what := method + " " + path
	r, err := http.NewRequestWithContext(p.t.Context(), method, shopURL+path, strings.NewReader(body))
	p.must(what, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", "asked")
	answer, err := http.DefaultClient.Do(r)
	p.must(what, err)
	answer.Body.Close()
	if answer.StatusCode >= http.StatusMultipleChoices {
		p.t.Fatalf("%s: %s", what, answer.Status)
	}
}

// TestPriceChange has a price change between what a customer saw and their order.
func TestPriceChange(t *testing.T) {
	p := open(t, "")
	p.put(dipper)
	eval[any](p, `location.hash = '#/checkout'`)
	p.sees(".sum", "£3.25")
	p.ask(http.MethodPut, "/products/DEMO-07", `{"name": "`+dipper+`", "price": 350}`)
	p.wait("the storefront knows", `(() => {
		fetch('/carts/' + localStorage.getItem('tutti.cart')).then((r) => r.json()).then((c) => { globalThis.total = c.total; });
		return globalThis.total === 350;
	})()`)
	p.press("Order for £3.25")
	p.sees(".fault", "Prices have changed: it is £3.50 now. Nothing is ordered yet.")
	p.shot("price")
	p.expectErrors()
	p.press("Order for £3.50")
	p.sees(".state", "Confirmed")
}

func TestCancel(t *testing.T) {
	p := open(t, "")
	p.order("Answers late")
	p.history("Stock reserved")
	p.press("Cancel the order")
	p.sees("#said", "The order will be cancelled.")
	p.sees(".state", "Being cancelled")
	p.shot("cancelling")
	p.sees(".state", "Cancelled")
	p.sees(".status", "You have cancelled it. What was paid is paid back.")
	p.history("Cancelled by you", "Payment refunded", "Stock released")
	p.shot("cancelled")
}
