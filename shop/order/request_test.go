package order

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/shop/orderv1"
)

func request(id string) orderv1.Place {
	return orderv1.Place{
		OrderID: id, CustomerID: "c1", PaymentToken: "tok_ok", Address: orderv1.Address{Name: "Ann", City: "York", Country: "UK"},
		Lines: []orderv1.Line{{SKU: "A", Quantity: 2, UnitPrice: 100}, {SKU: "B", Quantity: 1, UnitPrice: 50}},
	}
}

func TestValidate(t *testing.T) {
	if err := validate(request("o1")); err != nil {
		t.Errorf("validate() = %v, want nil", err)
	}
	for _, c := range []struct {
		name  string
		spoil func(*orderv1.Place)
		want  string
	}{
		{"id", func(p *orderv1.Place) { p.OrderID = "a b" }, `order id "a b"`},
		{"id of dots", func(p *orderv1.Place) { p.OrderID = ".." }, `order id ".."`},
		{"long id", func(p *orderv1.Place) { p.OrderID = strings.Repeat("x", 129) }, "order id"},
		{"no customer", func(p *orderv1.Place) { p.CustomerID = "" }, `customerId ""`},
		{"slash", func(p *orderv1.Place) { p.CustomerID = "a/b" }, `customerId "a/b"`},
		{"no lines", func(p *orderv1.Place) { p.Lines = nil }, "0 lines"},
		{"many lines", func(p *orderv1.Place) { p.Lines = make([]orderv1.Line, 2001) }, "2001 lines"},
		{"sku", func(p *orderv1.Place) { p.Lines[1].SKU = "é" }, "line 2: sku"},
		{"no quantity", func(p *orderv1.Place) { p.Lines[0].Quantity = 0 }, "line 1: quantity 0"},
		{"quantity", func(p *orderv1.Place) { p.Lines[0].Quantity = 1_000_001 }, "line 1: quantity 1000001"},
		{"free", func(p *orderv1.Place) { p.Lines[0].UnitPrice = 0 }, "line 1: unitPrice 0"},
		{"price", func(p *orderv1.Place) { p.Lines[0].UnitPrice = 100_000_001 }, "line 1: unitPrice 100000001"},
		{"no token", func(p *orderv1.Place) { p.PaymentToken = "" }, "paymentToken: "},
		{"no city", func(p *orderv1.Place) { p.Address.City = "" }, "address.city is empty"},
		{"long street", func(p *orderv1.Place) { p.Address.Street = strings.Repeat("é", 201) }, "address.street has 201 characters"},
		{"control character", func(p *orderv1.Place) { p.Address.Name = "A\x00B" }, "address.name has control characters"},
	} {
		p := request("o1")
		c.spoil(&p)
		err := validate(p)
		if problem.KindOf(err) != problem.Unacceptable || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: validate() = %v, want an unacceptable %q", c.name, err, c.want)
		}
	}
}

func TestValidateReportsAllFaults(t *testing.T) {
	err := validate(orderv1.Place{OrderID: "o1", Lines: []orderv1.Line{{}, {}}, PaymentToken: "4111 1111 1111 1111"})
	for _, want := range []string{"customerId", "line 1: sku", "line 2: quantity", "line 2: unitPrice", "card number", "address.city"} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("validate() = %v, want it to name %q", err, want)
		}
	}
	if strings.Contains(fmt.Sprint(err), "4111") {
		t.Errorf("validate() = %v, which quotes the card number", err)
	}
	p := request("o1")
	p.Lines = make([]orderv1.Line, 2000)
	if err := validate(p); len(err.Error()) > 10_000 || !strings.Contains(err.Error(), "and 5950 more") {
		t.Errorf("validate() of 2000 wrong lines = %d bytes, want a list that is cut", len(err.Error()))
	}
}

func TestLargestOrderFits(t *testing.T) {
	p := request("o1")
	p.Lines = nil
	for range maxLines {
		p.Lines = append(p.Lines, orderv1.Line{SKU: "A", Quantity: maxQuantity, UnitPrice: maxUnitPrice})
	}
	if err := validate(p); err != nil {
		t.Fatal(err)
	}
	if got, want := total(p.Lines), int64(2e17); got != want {
		t.Errorf("total() = %d, want %d", got, want)
	}
}

func TestAccept(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	ev := Config{Deadline: 30 * time.Minute}.accept(request("o1"), now)
	if ev.Total != 250 || !ev.Deadline.Equal(now.Add(30*time.Minute)) || ev.OrderID != "o1" || ev.CustomerID != "c1" {
		t.Errorf("accept() = %+v", ev)
	}
}

func TestFingerprint(t *testing.T) {
	same, other := request("o1"), request("o1")
	other.Lines[0].Quantity++
	if fingerprint(request("o1")) != fingerprint(same) {
		t.Error("fingerprints of equal requests differ")
	}
	if fingerprint(request("o1")) == fingerprint(other) {
		t.Error("fingerprints of different requests are equal")
	}
}
