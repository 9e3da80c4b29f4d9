package main

import (
	"context"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// relay sends batches, and knows which of them Kafka has acknowledged.
type relay struct {
	client *kgo.Client
	topic  string
	room   chan struct{}

	mu     sync.Mutex
	last   int64 // acknowledged with all before it
	left   map[int64]int
	failed error
}

func newRelay(client *kgo.Client, topic string, last int64) *relay {
	return &relay{client: client, topic: topic, room: make(chan struct{}, mostUnsent), last: last, left: map[int64]int{}}
}

// send hands a batch over to the client. It waits while too many are under way.
func (r *relay) send(ctx context.Context, b batch) error {
	select {
	case r.room <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	r.mu.Lock()
	r.left[b.number] = len(b.orders)
	failed := r.failed
	r.mu.Unlock()
	if failed != nil {
		return failed
	}
	for _, record := range b.records(r.topic) {
		r.client.Produce(ctx, record, func(_ *kgo.Record, err error) { r.answered(b.number, err) })
	}
	return nil
}

// answered counts. A record that has failed for good ends the flow: it is sent again
// from the outbox after the next start.
func (r *relay) answered(number int64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.failed = err
		return
	}
	if r.left[number]--; r.left[number] > 0 {
		return
	}
	<-r.room
	for left, ok := r.left[r.last+1]; ok && left == 0; left, ok = r.left[r.last+1] {
		delete(r.left, r.last+1)
		r.last++
	}
}

// landed is the last batch that is acknowledged with all before it.
func (r *relay) landed() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}
