package admin

import (
	"encoding/json"
	"time"
)

// Service says what runs behind an admin interface.
type Service struct {
	Service  string   `json:"service"`
	Ready    bool     `json:"ready"`
	Problems []string `json:"problems,omitempty"`
	// Topics are those that it reads; Types those that it handles there.
	Topics []string `json:"topics"`
	Types  []string `json:"types"`
	Jobs   []string `json:"jobs"` // kinds
}

// Record is a parked record, without its body.
type Record struct {
	Service   string    `json:"service"`
	ID        string    `json:"id"`      // topic/partition@offset
	Version   string    `json:"version"` // changes with each attempt and each change
	State     string    `json:"state"`   // retry, waiting or dead
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Type      string    `json:"type,omitempty"` // empty where that cannot be read
	Key       string    `json:"key"`
	Attempts  int       `json:"attempts"`
	Error     string    `json:"error,omitempty"`
	Since     time.Time `json:"since"`         // when it was parked
	Due       time.Time `json:"due,omitzero"`  // of one to be retried
	Died      time.Time `json:"died,omitzero"` // of a dead letter
	Size      int       `json:"size"`          // bytes of the body
	Behind    int       `json:"behind"`        // records of its key that wait behind it
}

// Detail is all of a parked record.
type Detail struct {
	Record
	Event   *Event   `json:"event,omitempty"` // nil if it is no CloudEvent
	Headers []Header `json:"headers"`
	Content
	// Undecodable says why nobody can read it, if so.
	Undecodable string   `json:"undecodable,omitempty"`
	Waiting     []string `json:"waiting,omitempty"` // the first ids behind it
}

// Event is the attributes of a CloudEvent.
type Event struct {
	ID            string    `json:"id"`
	Source        string    `json:"source"`
	Type          string    `json:"type"`
	Version       int       `json:"version,omitempty"`
	Kind          string    `json:"kind"`
	Time          time.Time `json:"time,omitzero"`
	CorrelationID string    `json:"correlationId,omitempty"`
	CausationID   string    `json:"causationId,omitempty"`
	TraceParent   string    `json:"traceParent,omitempty"`
	Lane          string    `json:"lane,omitempty"`
	Seq           int64     `json:"seq,omitempty"`
}

// Header is a Kafka header: one of text or bytes.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
	Bytes []byte `json:"bytes,omitempty"` // as base64, where the value is not UTF-8
}

// Content is a body: JSON as it is, or the bytes as base64.
type Content struct {
	Body  json.RawMessage `json:"body,omitempty"`
	Bytes []byte          `json:"bytes,omitempty"`
}

// Records is a page of parked records.
type Records struct {
	Records []Record `json:"records"`
	// Next is where the next page begins; empty after the last.
	Next string `json:"next,omitempty"`
}

// Ref names a record, or a job by kind and id, as it was when it was selected.
type Ref struct {
	Kind    string `json:"kind,omitempty"`
	ID      string `json:"id"`
	Version string `json:"version"`
}

// Change asks for a change of exactly these.
type Change struct {
	Refs []Ref `json:"refs"`
}

// MaxRefs is the most that one change may name.
const MaxRefs = 500

// Outcome says what became of one.
type Outcome struct {
	Service string `json:"service"`
	Action  string `json:"action"` // redrive, edit, discard or retry
	Kind    string `json:"kind,omitempty"`
	ID      string `json:"id"`
	Done    bool   `json:"done"`
	DryRun  bool   `json:"dryRun,omitempty"`
	Reason  string `json:"reason,omitempty"` // why it was not done
}

// Outcomes answers a change.
type Outcomes struct {
	Outcomes []Outcome `json:"outcomes"`
}

// Job is a job or a timer in a service's table.
type Job struct {
	Service       string    `json:"service"`
	Kind          string    `json:"kind"`
	ID            string    `json:"id"`
	Version       string    `json:"version"`
	State         string    `json:"state"` // waiting, running or dead
	Due           time.Time `json:"due"`   // of a dead one: when it died
	Attempts      int       `json:"attempts"`
	Error         string    `json:"error,omitempty"`
	CorrelationID string    `json:"correlationId,omitempty"`
	Content                 // its arguments
}

// Jobs is a page of jobs. Counts has all of the table, on the first page.
type Jobs struct {
	Jobs   []Job      `json:"jobs"`
	Counts []JobCount `json:"counts,omitempty"`
	Next   string     `json:"next,omitempty"`
}

// JobCount is how many jobs of a kind are in a state.
type JobCount struct {
	Kind  string `json:"kind"`
	State string `json:"state"`
	Jobs  int    `json:"jobs"`
}

// Lag is how far a service is in a partition.
type Lag struct {
	Service   string  `json:"service"`
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	Position  int64   `json:"position"` // of the next record to be handled
	End       int64   `json:"end"`
	Lag       int64   `json:"lag"`     // records between them
	Seconds   float64 `json:"seconds"` // how long the oldest of these has been in the log
}

// Lags lists them.
type Lags struct {
	Lags []Lag `json:"lags"`
}
