package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// watch calls end with each order that the log says is confirmed, from its present
// end on.
func watch(ctx context.Context, brokers []string, topic string, partitions int, end func(id string)) (stop func() error, err error) {
	admin, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	ends, err := endsOf(ctx, kadm.NewClient(admin), topic, partitions)
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

// endsOf asks where the partitions end until it hears of all: a broker may not know yet
// of a topic that was just made.
func endsOf(ctx context.Context, admin *kadm.Client, topic string, partitions int) (kadm.ListedOffsets, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		ends, err := admin.ListEndOffsets(ctx, topic)
		if err == nil {
			err = ends.Error()
		}
		if err == nil && len(ends[topic]) >= partitions {
			return ends, nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, fmt.Errorf("find the ends of %d partitions of %s: %w", partitions, topic, errors.Join(err, ctx.Err()))
		}
	}
}
