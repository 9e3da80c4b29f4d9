package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// database keeps the orders, the positions and the outbox.
type database interface {
	// recover returns where each partition is to be read on, the number of the last
	// batch, and the batches that may not have been sent.
	recover(ctx context.Context, partitions int) (positions map[int32]int64, last int64, unsent []batch, err error)
	// commit does the work in one transaction, and returns the events that follow.
	commit(ctx context.Context, w work) (batch, error)
	close() error
}

// work is what one transaction does.
type work struct {
	placed []order         // new orders
	steps  []order         // events, in the order of the log
	moves  map[int32]*move // of positions
	number int64           // of the batch of events that follow
	swept  int64           // batches up to this one are deleted
	sent   int64           // batches up to this one can be
	at     time.Time
}

// move is from where to where a partition was read.
type move struct{ from, to int64 }

const (
	batchSize  = 1000 // events or requests of a transaction
	mostUnsent = 20   // batches that Kafka has not acknowledged
)

// flow reads events and requests, handles them in transactions, and sends what
// follows.
type flow struct {
	db       database
	client   *kgo.Client
	topic    string
	requests chan request
	fetched  chan fetch
	relay    *relay
	number   int64
	swept    int64

	transactions, records atomic.Int64
}

// request is an order to be placed; done is told when it is durable.
type request struct {
	order order
	done  chan error
}

// fetch is events that were read and decoded.
type fetch struct {
	steps []order
	moves map[int32]*move
	err   error
}

var errAhead = errors.New("the database is ahead of the log: one of them went back in time")

func newFlow(ctx context.Context, db database, brokers []string, topic string, partitions int) (*flow, error) {
	if err := createTopic(ctx, brokers, topic, partitions); err != nil {
		return nil, err
	}
	positions, last, unsent, err := db.recover(ctx, partitions)
	if err != nil {
		return nil, fmt.Errorf("recover: %w", err)
	}
	from := map[int32]kgo.Offset{}
	for p, at := range positions {
		from[p] = kgo.NewOffset().At(at)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.FetchMaxBytes(8<<20), kgo.FetchMaxPartitionBytes(2<<20),
		kgo.ProducerLinger(0), kgo.MaxBufferedRecords(100_000), kgo.ProducerBatchCompression(kgo.SnappyCompression()))
	if err != nil {
		return nil, err
	}
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	for p, at := range positions {
		if end, ok := ends.Lookup(topic, p); ok && at > end.Offset {
			return nil, fmt.Errorf("%w: partition %d is at %d of %d", errAhead, p, at, end.Offset)
		}
	}
	f := &flow{db: db, client: client, topic: topic, number: last, swept: last - int64(len(unsent)),
		requests: make(chan request, batchSize), fetched: make(chan fetch, 1), relay: newRelay(client, topic, last-int64(len(unsent)))}
	for _, b := range unsent {
		if err := f.relay.send(ctx, b); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func createTopic(ctx context.Context, brokers []string, topic string, partitions int) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = kadm.NewClient(client).CreateTopic(ctx, int32(partitions), -1, nil, topic)
	if err != nil {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	return nil
}

// place returns once the order is durable.
func (f *flow) place(ctx context.Context, o order) error {
	r := request{o, make(chan error, 1)}
	select {
	case f.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run handles what comes until ctx ends. Any error ends it: what is not done is done
// after the next start.
func (f *flow) run(ctx context.Context) error {
	defer f.client.Close()
	go f.fetch(ctx)
	for {
		w, waiting, err := f.gather(ctx)
		if err != nil {
			return ended(ctx, err)
		}
		b, err := f.db.commit(ctx, w)
		for _, r := range waiting {
			r.done <- err
		}
		if err != nil {
			return ended(ctx, err)
		}
		f.transactions.Add(1)
		f.records.Add(int64(len(w.steps)))
		f.swept = w.sent
		if len(b.orders) == 0 {
			continue
		}
		f.number = b.number
		if err := f.relay.send(ctx, b); err != nil {
			return ended(ctx, err)
		}
	}
}

// ended is nil where ctx has ended: then errors are of the end.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// gather waits until there is something to do, and takes all of it.
func (f *flow) gather(ctx context.Context) (w work, waiting []request, err error) {
	w = work{number: f.number + 1, swept: f.swept, at: time.Now()}
	take := func(in fetch) { w.steps, w.moves, err = in.steps, in.moves, in.err }
	ask := func(r request) { w.placed, waiting = append(w.placed, r.order), append(waiting, r) }
	select {
	case in := <-f.fetched:
		take(in)
	case r := <-f.requests:
		ask(r)
		select {
		case in := <-f.fetched:
			take(in)
		default:
		}
	case <-ctx.Done():
		return w, nil, ctx.Err()
	}
	for len(waiting) < batchSize {
		select {
		case r := <-f.requests:
			ask(r)
			continue
		default:
		}
		break
	}
	w.sent = f.relay.landed()
	return w, waiting, err
}

// fetch reads and decodes, one batch ahead of the transactions.
func (f *flow) fetch(ctx context.Context) {
	for ctx.Err() == nil {
		polled := f.client.PollRecords(ctx, batchSize)
		in := fetch{moves: map[int32]*move{}, err: polled.Err()}
		in.steps = make([]order, 0, polled.NumRecords())
		polled.EachRecord(func(r *kgo.Record) {
			m := in.moves[r.Partition]
			if m == nil {
				m = &move{from: r.Offset}
				in.moves[r.Partition] = m
			}
			m.to = r.Offset + 1
			var o order
			if err := json.Unmarshal(r.Value, &o); err != nil {
				in.err = errors.Join(in.err, fmt.Errorf("decode %s/%d@%d: %w", r.Topic, r.Partition, r.Offset, err))
			}
			if next[o.Status] != "" { // the last step leads to nothing
				in.steps = append(in.steps, o)
			}
		})
		select {
		case f.fetched <- in:
		case <-ctx.Done():
		}
	}
}

func (f *flow) count() map[string]float64 {
	return map[string]float64{"transactions": float64(f.transactions.Load()), "records": float64(f.records.Load())}
}
