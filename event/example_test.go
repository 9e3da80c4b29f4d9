package event_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tutti-go/tutti/event"
)

// Placed says that an order was placed. Its contract is the methods below: names on
// the wire are constants, whatever the Go type is called.
type Placed struct {
	OrderID string `json:"orderId"`
	Total   int64  `json:"total"` // pence
}

func (Placed) Contract() event.Contract {
	return event.Contract{Type: "shop.order.placed", Version: 1, Topic: event.Topic{Name: "shop.order"}}
}

func (p Placed) Key() string { return p.OrderID }

// outbox stands for the transaction of a service, which is what Publish appends to.
type outbox struct{ messages []event.Outgoing }

func (o *outbox) Append(m event.Outgoing) error {
	o.messages = append(o.messages, m)
	return nil
}

func Example() {
	var tx outbox
	if err := event.Publish(context.Background(), &tx, Placed{OrderID: "4711", Total: 1299}); err != nil {
		fmt.Println(err)
	}
	for _, m := range tx.messages {
		fmt.Println(m.Contract, "with key", m.Key, "in topic", m.Contract.Topic.Name)
		fmt.Println(string(m.Data))
	}
	// Output:
	// shop.order.placed/1 with key 4711 in topic shop.order
	// {"orderId":"4711","total":1299}
}

// What travels is a CloudEvent in Kafka's binary mode: consumers in any language
// can read it.
func ExampleEncode() {
	at := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	record := event.Encode(event.Envelope{
		ID: "order.1-1", Source: "/order", Type: "shop.order.placed", Version: 1, Key: "4711", Time: at, CorrelationID: "order.1-1",
	}, []byte(`{"orderId":"4711"}`))
	for _, h := range record.Headers {
		fmt.Printf("%s: %s\n", h.Key, h.Value)
	}
	fmt.Printf("%s = %s\n", record.Key, record.Value)
	// Output:
	// ce_specversion: 1.0
	// ce_id: order.1-1
	// ce_source: /order
	// ce_type: shop.order.placed
	// ce_time: 2026-03-01T12:00:00Z
	// content-type: application/json
	// ce_subject: 4711
	// ce_dataversion: 1
	// ce_correlationid: order.1-1
	// 4711 = {"orderId":"4711"}
}

// A handler says with its error what becomes of the message.
func ExampleReject() {
	var (
		broken = errors.New("quantity is negative")
		closed = errors.New("the warehouse is closed")
	)
	for _, err := range []error{event.Reject(broken), event.Later(closed, time.Hour), errors.New("disk is full")} {
		after, later := event.Delay(err)
		switch {
		case event.Rejected(err):
			fmt.Println(err, "- dead letter at once")
		case later:
			fmt.Println(err, "- again in", after)
		default:
			fmt.Println(err, "- retried with back-off")
		}
	}
	// Output:
	// quantity is negative - dead letter at once
	// the warehouse is closed - again in 1h0m0s
	// disk is full - retried with back-off
}
