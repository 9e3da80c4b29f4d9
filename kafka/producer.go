package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tutti-go/tutti/event"
)

// Producer sends records.
type Producer struct {
	client     *kgo.Client
	identified atomic.Bool
	room       chan struct{} // holds one for each record that is not answered
}

// mostBuffered is how many records a producer takes before Send waits. The client
// itself takes more, since waiting for it cannot be ended.
const mostBuffered = 50_000

// Producer makes a producer. Its records are acknowledged by all in-sync replicas,
// and it repeats by itself what can be repeated without harm (idempotent
// producer, KIP-98). Batches are compressed by Snappy, which every client reads: events
// of one service are much alike.
func (b *Bus) Producer(id string) (*Producer, error) {
	client, err := kgo.NewClient(append(b.options(id),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.MaxBufferedRecords(2*mostBuffered),
		kgo.ProducerBatchCompression(kgo.SnappyCompression()),
	)...)
	if err != nil {
		return nil, fmt.Errorf("make producer %s: %w", id, err)
	}
	return &Producer{client: client, room: make(chan struct{}, mostBuffered)}, nil
}

// Send hands a record over. The first Send waits for an answer of the cluster, and each
// while 50,000 records are not answered; if ctx ends meanwhile, the record has failed.
// done is called once, from another goroutine or from this one, when the record is
// acknowledged or has failed for good; it must not block.
func (p *Producer) Send(ctx context.Context, to event.Partition, r event.Record, done func(offset int64, err error)) {
	if err := p.identify(ctx); err != nil {
		done(0, err)
		return
	}
	select {
	case p.room <- struct{}{}:
	default:
		select {
		case p.room <- struct{}{}:
		case <-ctx.Done():
			done(0, fmt.Errorf("send to %s: %w", to, context.Cause(ctx)))
			return
		}
	}
	record := &kgo.Record{Topic: to.Topic, Partition: to.Number, Key: r.Key, Value: r.Value, Headers: theirs(r.Headers)}
	// The client tries a record whose context has ended, but which may have been
	// written, again and again without a pause. It ends with the producer instead.
	p.client.Produce(context.WithoutCancel(ctx), record, func(r *kgo.Record, err error) {
		<-p.room
		done(r.Offset, err)
	})
}

// identify makes sure that the client has its producer id before it has records. A client
// that has some and no id asks for one by itself. It takes whatever goes wrong with that
// for a fault that passes, and asks again without a pause (franz-go 1.22, sink.produce):
// where connections fail at once, because there is no network, or TLS or a login fails,
// it would use up a core, and in virtual time no time would pass. Here the record fails,
// and its sender waits as it does after any failure. An id once given does not have to be
// asked for again: after errors, the client counts up its epoch by itself (KIP-360).
func (p *Producer) identify(ctx context.Context) error {
	if p.identified.Load() {
		return nil
	}
	if _, _, err := p.client.ProducerID(ctx); err != nil {
		return fmt.Errorf("get a producer id: %w", err)
	}
	p.identified.Store(true)
	return nil
}

// Flush waits until all that was handed over is acknowledged or has failed.
func (p *Producer) Flush(ctx context.Context) error { return p.client.Flush(ctx) }

// Close fails what is not acknowledged, and ends the connections.
func (p *Producer) Close() { p.client.Close() }

// Closed reports whether a send failed because the producer was closed or its
// context ended: the record may or may not have been written.
func Closed(err error) bool {
	return errors.Is(err, kgo.ErrClientClosed) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
