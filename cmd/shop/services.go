package main

import (
	"context"
	"slices"

	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/shop/catalog"
	"github.com/tutti-go/tutti/shop/customer"
	"github.com/tutti-go/tutti/shop/fulfilment"
	"github.com/tutti-go/tutti/shop/gateway"
	"github.com/tutti-go/tutti/shop/inventory"
	"github.com/tutti-go/tutti/shop/notification"
	"github.com/tutti-go/tutti/shop/order"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/payment"
	"github.com/tutti-go/tutti/shop/shipping"
	"github.com/tutti-go/tutti/shop/storefront"
)

// kind is one of the shop's services.
type kind struct {
	name    string
	segment string // first segment of the paths that it serves, if it serves any
	open    func(ctx context.Context, s *shop) (register func(*service.Service), err error)
}

var kinds = []kind{
	{"storefront", "", with(storefront.Register)},
	{"catalog", "products", with(catalog.Register)},
	{"customer", "customers", with(customer.Register)},
	{"order", "orders", openOrder},
	{"inventory", "stock", with(inventory.Register)},
	{"payment", "payments", openPayment},
	{"shipping", "shipments", openShipping},
	{"notification", "notifications", openNotification},
	{"fulfilment", "", openFulfilment},
}

func names() []string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = k.name
	}
	return out
}

func with(register func(*service.Service)) func(context.Context, *shop) (func(*service.Service), error) {
	return func(context.Context, *shop) (func(*service.Service), error) { return register, nil }
}

func openOrder(_ context.Context, s *shop) (func(*service.Service), error) {
	return order.Register(order.Config{Deadline: s.cfg.deadline, Style: orderv1.Style(s.cfg.style)}), nil
}

func openFulfilment(_ context.Context, s *shop) (func(*service.Service), error) {
	return fulfilment.Register(fulfilment.Config{Flow: fulfilment.Flow(s.cfg.flow)}), nil
}

func openPayment(ctx context.Context, s *shop) (func(*service.Service), error) {
	gw, err := gateway.OpenPayment(ctx, s.cfg.databaseOf("gateway-payment"), gateway.Config{})
	if err != nil {
		return nil, err
	}
	s.opened(gw.Close)
	return payment.Register(gw), nil
}

func openShipping(ctx context.Context, s *shop) (func(*service.Service), error) {
	gw, err := gateway.OpenCarrier(ctx, s.cfg.databaseOf("gateway-carrier"), gateway.Config{})
	if err != nil {
		return nil, err
	}
	s.opened(gw.Close)
	return shipping.Register(gw), nil
}

func openNotification(ctx context.Context, s *shop) (func(*service.Service), error) {
	gw, err := gateway.OpenMail(ctx, s.cfg.databaseOf("gateway-mail"), gateway.Config{})
	if err != nil {
		return nil, err
	}
	s.opened(gw.Close)
	return notification.Register(gw), nil
}

// runs reports whether a service runs in this process.
func (c *config) runs(name string) bool { return slices.Contains(c.services, name) }
