package storefront

import (
	"reflect"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/shop/orderv1"
)

var (
	home    = orderv1.Address{Name: "Ada Lovelace", Street: "12 St James's Square", City: "London", Country: "United Kingdom"}
	request = checkout{CustomerID: "ada", PaymentToken: "tok_ok", Address: home}
	full    = cart{id: "c1", lines: []line{
		{SKU: "85123A", Name: "Heart", Quantity: 6, UnitPrice: 255, Total: 1530},
		{SKU: "22086", Name: "Paper chain", Quantity: 1, UnitPrice: 295, Total: 295},
	}}
)

func TestValidateCheckout(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*checkout)
		ok     bool
	}{
		{"good", func(*checkout) {}, true},
		{"long street", func(r *checkout) { r.Address.Street = strings.Repeat("ß", maxField) }, true},
		{"short digits", func(r *checkout) { r.PaymentToken = "12345" }, true},
		{"no customer", func(r *checkout) { r.CustomerID = "" }, false},
		{"slash in customer", func(r *checkout) { r.CustomerID = "a/b" }, false},
		{"no token", func(r *checkout) { r.PaymentToken = "" }, false},
		{"card number", func(r *checkout) { r.PaymentToken = "4111111111111111" }, false},
		{"card number in groups", func(r *checkout) { r.PaymentToken = "4111-1111-1111-1111" }, false},
		{"card number behind a prefix", func(r *checkout) { r.PaymentToken = "tok_4111.1111.1111.1111" }, false},
		{"no name and street", func(r *checkout) { r.Address.Name, r.Address.Street = "", "" }, true},
		{"digits apart", func(r *checkout) { r.PaymentToken = "tok_1MqLi1234567H2eZ1234567" }, true},
		{"no city", func(r *checkout) { r.Address.City = "" }, false},
		{"long country", func(r *checkout) { r.Address.Country = strings.Repeat("x", maxField+1) }, false},
		{"line break in name", func(r *checkout) { r.Address.Name = "Ada\nLovelace" }, false},
		{"negative total", func(r *checkout) { r.Total = -1 }, false},
	} {
		r := request
		tc.change(&r)
		err := r.validate()
		if (err == nil) != tc.ok || err != nil && problem.KindOf(err) != problem.Unacceptable {
			t.Errorf("%s: validate() = %v, want ok %v", tc.name, err, tc.ok)
		}
		if err != nil && strings.Contains(err.Error(), "1111") {
			t.Errorf("%s: validate() quotes a card number: %v", tc.name, err)
		}
	}
}

func TestCheckOut(t *testing.T) {
	other, agreed, outdated := request, request, request
	other.PaymentToken = "tok_decline"
	agreed.Total, outdated.Total = 1825, 1800
	ordered := full
	ordered.order, ordered.hash = "web-c1", request.hash()
	large := cart{id: "c1"}
	for range maxLines {
		large.lines = append(large.lines, line{SKU: strings.Repeat("&", 128), Quantity: 1, UnitPrice: 1, Total: 1})
	}
	place := orderv1.Place{
		OrderID: "web-c1", CustomerID: "ada", PaymentToken: "tok_ok", Address: home,
		Lines: []orderv1.Line{{SKU: "85123A", Quantity: 6, UnitPrice: 255}, {SKU: "22086", Quantity: 1, UnitPrice: 295}},
	}
	for _, tc := range []struct {
		name string
		cart cart
		req  checkout
		cmd  orderv1.Place
		done bool
		kind problem.Kind
	}{
		{"first", full, request, place, false, problem.Internal},
		{"at the total shown", full, agreed, place, false, problem.Internal},
		{"at another total", full, outdated, orderv1.Place{}, false, problem.Clash},
		{"empty cart", cart{id: "c1"}, request, orderv1.Place{}, false, problem.Unacceptable},
		{"more than a command holds", large, request, orderv1.Place{}, false, problem.Unacceptable},
		{"again", ordered, request, orderv1.Place{}, true, problem.Internal},
		{"again with another token", ordered, other, orderv1.Place{}, false, problem.Unacceptable},
	} {
		cmd, done, err := tc.cart.checkOut(tc.req)
		if !reflect.DeepEqual(cmd, tc.cmd) || done != tc.done || problem.KindOf(err) != tc.kind || err == nil && tc.kind != problem.Internal {
			t.Errorf("%s: checkOut() = %+v, %v, %v", tc.name, cmd, done, err)
		}
	}
}

func TestHashTellsRequestsApart(t *testing.T) {
	seen := map[string]bool{request.hash(): true}
	for i, change := range []func(*checkout){
		func(r *checkout) { r.CustomerID = "bob" },
		func(r *checkout) { r.PaymentToken = "tok_late" },
		func(r *checkout) { r.Address.Name = "A" },
		func(r *checkout) { r.Address.Street = "A" },
		func(r *checkout) { r.Address.City = "A" },
		func(r *checkout) { r.Address.Country = "A" },
		func(r *checkout) { r.Total = 1 },
	} {
		r := request
		change(&r)
		if seen[r.hash()] {
			t.Errorf("change %d does not change the hash", i)
		}
		seen[r.hash()] = true
	}
}
