package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tutti-go/tutti/event"
)

// Producer sends records.
type Producer struct{ client *kgo.Client }

// Producer makes a producer. Its records are acknowledged by all in-sync replicas,
// and it repeats by itself what can be repeated without harm (idempotent
// producer, KIP-98).
func (b *Bus) Producer(id string) (*Producer, error) {
	client, err := kgo.NewClient(append(b.options(id),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.MaxBufferedRecords(100_000),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
	)...)
	if err != nil {
		return nil, fmt.Errorf("make producer %s: %w", id, err)
	}
	return &Producer{client}, nil
}

// Send hands a record over. done is called once, from another goroutine, when the
// record is acknowledged or has failed for good; it must not block.
func (p *Producer) Send(ctx context.Context, to event.Partition, r event.Record, done func(offset int64, err error)) {
	headers := make([]kgo.RecordHeader, len(r.Headers))
	for i, h := range r.Headers {
		headers[i] = kgo.RecordHeader(h)
	}
	record := &kgo.Record{Topic: to.Topic, Partition: to.Number, Key: r.Key, Value: r.Value, Headers: headers}
	// The client tries a record whose context has ended, but which may have been
	// written, again and again without a pause. It ends with the producer instead.
	p.client.Produce(context.WithoutCancel(ctx), record, func(r *kgo.Record, err error) { done(r.Offset, err) })
}

// Flush waits until all that was handed over is acknowledged or has failed.
func (p *Producer) Flush(ctx context.Context) error { return p.client.Flush(ctx) }

// Close fails what is not acknowledged, and ends the connections.
func (p *Producer) Close() { p.client.Close() }

// Closed reports whether a send failed because the producer was closed or its
// context ended: the record may or may not have been written.
func Closed(err error) bool {
	return errors.Is(err, kgo.ErrClientClosed) || errors.Is(err, context.Canceled)
}
