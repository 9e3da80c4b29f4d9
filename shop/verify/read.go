package verify

import (
	"slices"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/shop/catalogv1"
	"github.com/tutti-go/tutti/shop/customerv1"
	"github.com/tutti-go/tutti/shop/inventoryv1"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/paymentv1"
	"github.com/tutti-go/tutti/shop/shippingv1"
)

// reads is which topics each service reads. What its database says of that may be
// what is wrong with it.
var reads = map[string][]event.Topic{
	"storefront":   {catalogv1.Topic},
	"customer":     {orderv1.Topic},
	"order":        {orderv1.Commands, inventoryv1.Topic, paymentv1.Topic, shippingv1.Topic},
	"inventory":    {inventoryv1.Commands, orderv1.Topic, paymentv1.Topic},
	"payment":      {paymentv1.Commands, orderv1.Topic, inventoryv1.Topic, shippingv1.Topic},
	"shipping":     {shippingv1.Commands, orderv1.Topic, paymentv1.Topic},
	"notification": {orderv1.Topic, customerv1.Topic},
	"fulfilment":   {orderv1.Topic, inventoryv1.Topic, paymentv1.Topic, shippingv1.Topic},
}

// read checks, once all is settled, that services have read to the end of all that
// they read.
func (j *judgement) read() {
	if !j.settled {
		return
	}
	for _, b := range j.services {
		for p, end := range j.trail.ends {
			if !b.reads(p.Topic) {
				continue
			}
			at, known := b.positions[p]
			j.check(known, Settled, b.service, "it has no position in %s, which ends at %d", p, end)
			j.check(!known || at.Next >= end, Settled, b.service, "it has read up to %d of %s, which ends at %d", at.Next, p, end)
		}
	}
}

func (b *books) reads(topic string) bool {
	return slices.ContainsFunc(reads[b.service], func(t event.Topic) bool { return t.Name == topic })
}
