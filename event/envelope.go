package event

import (
	"fmt"
	"time"
)

// Limits of an envelope. A record that exceeds them is malformed.
const (
	maxAttribute = 1024    // bytes of one attribute
	MaxKey       = 1024    // bytes of a key
	MaxData      = 900_000 // bytes of an encoded body: below Kafka's default of 1 MiB a record batch
)

// Envelope is what surrounds a body: the CloudEvents attributes, the message's
// place among others, and its place in the log.
type Envelope struct {
	ID      string    // unique within Source
	Source  string    // the service that published it, as a URI reference
	Type    string    // wire name of the contract
	Version int       // major version of the body; 0 in foreign events that name none
	Kind    Kind      // event or command
	Key     string    // aggregate id; the CloudEvents subject and the Kafka key
	Time    time.Time // when it happened, UTC

	CorrelationID string // the id of the first message of the flow
	CausationID   string // the id of the message that led to this one; empty for the first
	TraceParent   string // W3C trace context, empty if none
	TraceState    string

	ContentType string // of the data; empty means application/json

	// Lane and Seq number the events of one sender, densely within each lane and
	// partition, from 1. They are empty in events of foreign producers.
	Lane string
	Seq  int64

	// Where the record was read; zero before it is written.
	Topic     string
	Partition int32
	Offset    int64
}

// Cause is what the handling of a message passes on to what it publishes.
type Cause struct {
	ID            string
	CorrelationID string
	TraceParent   string
	TraceState    string
}

// Cause returns what messages published because of e carry on.
func (e Envelope) Cause() Cause {
	c := Cause{ID: e.ID, CorrelationID: e.CorrelationID, TraceParent: e.TraceParent, TraceState: e.TraceState}
	if c.CorrelationID == "" {
		c.CorrelationID = e.ID
	}
	return c
}

// Position returns topic/partition@offset, for messages to people.
func (e Envelope) Position() string { return fmt.Sprintf("%s/%d@%d", e.Topic, e.Partition, e.Offset) }

// Message is a body of type T in its envelope, as handlers get it.
type Message[T any] struct {
	Envelope
	Body T
}

// Outgoing is a message to be published: the envelope is completed, and lane,
// sequence number and partition are given, by the transaction that appends it.
type Outgoing struct {
	Contract Contract
	Key      string
	Data     []byte
}

// Record is a message as bytes: what Kafka stores, without its place in the log.
type Record struct {
	Key     []byte
	Value   []byte
	Headers []Header
}

// Header is a Kafka record header.
type Header struct {
	Key   string
	Value []byte
}
