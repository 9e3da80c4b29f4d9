package kafka_test

import (
	"context"
	"fmt"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
)

// A broker in this process, a topic, a record and back. Services do this for you:
// they need a [kafka.Bus], and nothing else of this package.
func Example() {
	ctx := context.Background()
	broker, err := kafka.Embed(kafka.BrokerConfig{}) // in memory; give it a Dir to keep its data
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()
	bus, err := kafka.Connect(ctx, kafka.Config{Brokers: broker.Addrs()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer bus.Close()
	if err := bus.EnsureTopics(ctx, []event.Topic{{Name: "shop.order"}}); err != nil {
		fmt.Println(err)
		return
	}

	producer, err := bus.Producer("example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer producer.Close()
	to := event.Partition{Topic: "shop.order", Number: 0}
	producer.Send(ctx, to, event.Record{Key: []byte("4711"), Value: []byte("placed")}, func(offset int64, err error) {
		fmt.Println("acknowledged at offset", offset, err)
	})
	if err := producer.Flush(ctx); err != nil {
		fmt.Println(err)
		return
	}

	consumer, err := bus.Join(kafka.Membership{
		Group: "example", Instance: "example.0", Topics: []string{"shop.order"},
		Start: func(context.Context, []event.Partition) (map[event.Partition]int64, error) { return nil, nil }, // at 0
		Lost:  func([]event.Partition) {},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer consumer.Close(ctx)
	fetched, err := consumer.Poll(ctx, 100)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range fetched {
		for _, r := range f.Records {
			fmt.Printf("%s@%d: %s %s\n", f.Partition, r.Offset, r.Key, r.Value)
		}
	}
	// Output:
	// acknowledged at offset 0 <nil>
	// shop.order/0@0: 4711 placed
}
