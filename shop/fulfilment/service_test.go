package fulfilment_test

import (
	"slices"
	"testing"

	"github.com/tutti-go/tutti/shop/fulfilment"
)

// The services and all that can go wrong are in the tests of package shop.

func TestFlows(t *testing.T) {
	for _, flow := range append([]fulfilment.Flow{""}, fulfilment.Flows...) {
		if n := len(fulfilment.Sagas(fulfilment.Config{Flow: flow})); n != len(fulfilment.Flows) {
			t.Errorf("of flow %q %d sagas are known, want all %d: orders may be on their way by any", flow, n, len(fulfilment.Flows))
		}
	}
	if slices.Contains(fulfilment.Flows, "ebb") {
		t.Fatal("there is such a flow")
	}
	defer func() {
		if recover() == nil {
			t.Error("a flow that is none is taken")
		}
	}()
	fulfilment.Register(fulfilment.Config{Flow: "ebb"})
}
