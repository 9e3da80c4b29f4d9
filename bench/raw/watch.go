package main

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// watch calls end with each order that the log says is confirmed, from its present
// end on.
func watch(ctx context.Context, brokers []string, topic string, end func(id string)) (stop func() error, err error) {
	admin, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	ends, err := kadm.NewClient(admin).ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumePartitions(ends.KOffsets()))
	if err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(context.Background())
	go func() {
		for running.Err() == nil {
			client.PollFetches(running).EachRecord(func(r *kgo.Record) {
				for _, h := range r.Headers {
					if h.Key == "ce_type" && string(h.Value) == typePrefix+confirmed {
						end(string(r.Key))
					}
				}
			})
		}
	}()
	return func() error { cancel(); client.Close(); return nil }, nil
}
