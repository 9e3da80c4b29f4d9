package tuttitest

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
)

// publisher is the test as a producer: with a lane, as services have, or without,
// as others.
type publisher struct {
	bus      *kafka.Bus
	producer *kafka.Producer
	seqs     map[event.Partition]int64
	ids      int
}

const lane = "tuttitest.0"

func newPublisher(bus *kafka.Bus) (*publisher, error) {
	producer, err := bus.Producer("tuttitest")
	if err != nil {
		return nil, err
	}
	return &publisher{bus: bus, producer: producer, seqs: map[event.Partition]int64{}}, nil
}

// envelope is what surrounds the next event of the test.
func (p *publisher) envelope(body event.Body, source string) event.Envelope {
	c := body.Contract()
	p.ids++
	id := fmt.Sprintf("test-%d", p.ids)
	return event.Envelope{
		ID: id, Source: source, Type: c.Type, Version: c.Version, Kind: c.Kind, Key: body.Key(), Time: time.Now().UTC(), CorrelationID: id,
	}
}

// send writes a record and waits for its acknowledgement.
func (p *publisher) send(ctx context.Context, to event.Partition, r event.Record) (int64, error) {
	type answer struct {
		offset int64
		err    error
	}
	answered := make(chan answer, 1)
	p.producer.Send(ctx, to, r, func(offset int64, err error) { answered <- answer{offset, err} })
	a := <-answered
	return a.offset, a.err
}

// Publish publishes events as a service would, and waits until they are in the
// log; where a fault refuses one, it is sent again. A service that sees one twice drops
// the second.
func (w *World) Publish(bodies ...event.Body) {
	w.t.Helper()
	for _, body := range bodies {
		to := w.partition(body.Contract().Topic, body.Key())
		e := w.out.envelope(body, "/tuttitest")
		w.out.seqs[to]++
		e.Lane, e.Seq = lane, w.out.seqs[to]
		w.write(to, event.Encode(e, w.marshal(body)))
	}
}

// PublishForeign publishes events as a producer does that knows nothing of lanes,
// and waits until they are in the log.
func (w *World) PublishForeign(bodies ...event.Body) {
	w.t.Helper()
	for _, body := range bodies {
		to := w.partition(body.Contract().Topic, body.Key())
		w.write(to, event.Encode(w.out.envelope(body, "/foreign"), w.marshal(body)))
	}
}

// Produce writes a record of any bytes to the topic of a contract, and waits until
// it is in the log.
func (w *World) Produce(topic event.Topic, r event.Record) {
	w.t.Helper()
	w.write(w.partition(topic, string(r.Key)), r)
}

func (w *World) marshal(body event.Body) []byte {
	w.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		w.t.Fatalf("publish %s: %v", body.Contract(), err)
	}
	return data
}

func (w *World) partition(topic event.Topic, key string) event.Partition {
	w.t.Helper()
	if err := w.bus.EnsureTopics(w.t.Context(), []event.Topic{topic}); err != nil {
		w.t.Fatal(err)
	}
	w.note([]event.Topic{topic})
	n, err := w.bus.Partition(topic.Name, key)
	if err != nil {
		w.t.Fatal(err)
	}
	return event.Partition{Topic: topic.Name, Number: n}
}

// insist is how long a record of the test is sent again that the broker refuses, as
// services do: a fault of [World.Chaos] may be why.
const insist = time.Minute

func (w *World) write(to event.Partition, r event.Record) {
	w.t.Helper()
	begin := time.Now()
	offset, err := w.out.send(w.t.Context(), to, r)
	for err != nil && time.Since(begin) < insist {
		time.Sleep(time.Second)
		offset, err = w.out.send(w.t.Context(), to, r)
	}
	if err != nil {
		w.t.Fatalf("write to %s: %v", to, err)
	}
	w.seen.own[place{to, offset}] = true
}

// Duplicate writes copies of the last n records of a topic again, in their order,
// as an instance does that was taken for dead and is not.
func (w *World) Duplicate(topic event.Topic, n int) {
	w.t.Helper()
	w.seen.refresh()
	for _, e := range w.seen.last(topic.Name, n) {
		if _, err := w.out.send(w.t.Context(), e.at.Partition, e.raw); err != nil {
			w.t.Fatalf("write to %s: %v", e.at.Partition, err)
		}
	}
}

func (j *journal) last(topic string, n int) []entry {
	var out []entry
	for _, e := range j.entries {
		if e.Topic == topic {
			out = append(out, e)
		}
	}
	return out[max(0, len(out)-n):]
}
