package verify_test

import (
	"slices"
	"testing"

	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/shop/catalog"
	"github.com/tutti-go/tutti/shop/customer"
	"github.com/tutti-go/tutti/shop/fulfilment"
	"github.com/tutti-go/tutti/shop/inventory"
	"github.com/tutti-go/tutti/shop/notification"
	"github.com/tutti-go/tutti/shop/order"
	"github.com/tutti-go/tutti/shop/payment"
	"github.com/tutti-go/tutti/shop/shipping"
	"github.com/tutti-go/tutti/shop/storefront"
	"github.com/tutti-go/tutti/shop/verify"
)

// The auditor's list of who reads what is what the services do.
func TestReads(t *testing.T) {
	for name, register := range map[string]func(*service.Service){
		"storefront": storefront.Register, "catalog": catalog.Register, "customer": customer.Register, "order": order.Register(order.Config{}),
		"inventory": inventory.Register, "payment": payment.Register(nil), "shipping": shipping.Register(nil),
		"notification": notification.Register(nil), "fulfilment": fulfilment.Register(fulfilment.Config{}),
	} {
		s := service.New(name, nil, service.Config{})
		register(s)
		var topics, listed []string
		for _, c := range s.Handles() {
			topics = append(topics, c.Topic.Name)
		}
		for _, topic := range verify.Reads[name] {
			listed = append(listed, topic.Name)
		}
		slices.Sort(topics)
		slices.Sort(listed)
		if topics = slices.Compact(topics); !slices.Equal(listed, topics) {
			t.Errorf("%s is listed to read %v, and reads %v", name, listed, topics)
		}
	}
}
