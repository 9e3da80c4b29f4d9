package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// order is an order at one of its steps: the body of an event.
type order struct {
	ID       string `json:"id"`
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
	Amount   int64  `json:"amount"`
	Customer string `json:"customer"`
	Status   string `json:"status"`
}

// The steps of an order.
const (
	placed    = "placed"
	reserved  = "reserved"
	paid      = "paid"
	shipped   = "shipped"
	confirmed = "confirmed"
)

// next is the step that follows each.
var next = map[string]string{placed: reserved, reserved: paid, paid: shipped, shipped: confirmed}

// batch is the events of one transaction: one row of the outbox.
type batch struct {
	number int64
	at     time.Time
	orders []order
	bodies [][]byte
}

// newBatch encodes the events.
func newBatch(number int64, at time.Time, orders []order) (batch, error) {
	b := batch{number, at, orders, make([][]byte, len(orders))}
	for i, o := range orders {
		var err error
		if b.bodies[i], err = json.Marshal(o); err != nil {
			return b, fmt.Errorf("encode order %s: %w", o.ID, err)
		}
	}
	return b, nil
}

// pack is the batch as the outbox keeps it: its time, and each body after its length.
func (b batch) pack() []byte {
	size := 8
	for _, body := range b.bodies {
		size += 3 + len(body)
	}
	out := binary.BigEndian.AppendUint64(make([]byte, 0, size), uint64(b.at.UnixMilli()))
	for _, body := range b.bodies {
		out = append(binary.AppendUvarint(out, uint64(len(body))), body...)
	}
	return out
}

var errDamaged = errors.New("a row of the outbox is damaged")

func unpack(number int64, row []byte) (batch, error) {
	if len(row) < 8 {
		return batch{}, errDamaged
	}
	b := batch{number: number, at: time.UnixMilli(int64(binary.BigEndian.Uint64(row)))}
	for row = row[8:]; len(row) > 0; {
		size, n := binary.Uvarint(row)
		if n <= 0 || size > uint64(len(row)-n) {
			return batch{}, errDamaged
		}
		body := row[n : n+int(size)]
		row = row[n+int(size):]
		var o order
		if err := json.Unmarshal(body, &o); err != nil {
			return batch{}, fmt.Errorf("%w: %w", errDamaged, err)
		}
		b.orders, b.bodies = append(b.orders, o), append(b.bodies, body)
	}
	return b, nil
}

var (
	specVersion = []byte("1.0")
	dataVersion = []byte("1")
	jsonType    = []byte("application/json")
	source      = []byte("/orders")
)

const typePrefix = "bench.order."

// records are the batch's events as CloudEvents in Kafka's binary mode. Ids follow
// from the order and its step, so that an event has the same id when it is sent
// again.
func (b batch) records(topic string) []*kgo.Record {
	at := []byte(b.at.UTC().Format(time.RFC3339Nano))
	out := make([]*kgo.Record, len(b.orders))
	for i, o := range b.orders {
		key := []byte(o.ID)
		out[i] = &kgo.Record{Topic: topic, Key: key, Value: b.bodies[i], Headers: []kgo.RecordHeader{
			{Key: "ce_specversion", Value: specVersion},
			{Key: "ce_id", Value: []byte(o.ID + "/" + o.Status)},
			{Key: "ce_source", Value: source},
			{Key: "ce_type", Value: []byte(typePrefix + o.Status)},
			{Key: "ce_time", Value: at},
			{Key: "content-type", Value: jsonType},
			{Key: "ce_subject", Value: key},
			{Key: "ce_dataversion", Value: dataVersion},
			{Key: "ce_correlationid", Value: key},
		}}
	}
	return out
}
