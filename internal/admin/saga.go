package admin

import (
	"encoding/json"
	"time"
)

// SagaDefinition is a process that a service directs.
type SagaDefinition struct {
	Service  string `json:"service"`
	Saga     string `json:"saga"`
	Versions []int  `json:"versions"` // that are known here; new instances run the highest
	// Upgrades are older versions whose instances become ones of the highest.
	Upgrades []int       `json:"upgrades,omitempty"`
	Counts   []SagaCount `json:"counts,omitempty"`
	Text     string      `json:"text"`    // an outline of the highest version
	Mermaid  string      `json:"mermaid"` // the same as a flowchart
}

// SagaCount is how many instances are in a status.
type SagaCount struct {
	Status    string `json:"status"`
	Instances int    `json:"instances"`
	// More says that there may be more: counting stops after a while.
	More bool `json:"more,omitempty"`
}

// SagaDefinitions lists them.
type SagaDefinitions struct {
	Definitions []SagaDefinition `json:"definitions"`
}

// SagaInstance is a run of a process.
type SagaInstance struct {
	Service    string    `json:"service"`
	Saga       string    `json:"saga"`
	ID         string    `json:"id"`
	Definition int       `json:"definition"` // the version of its definition
	Version    string    `json:"version"`    // changes with each change
	Status     string    `json:"status"`
	Reason     string    `json:"reason,omitempty"` // why it fails
	Started    time.Time `json:"started"`
	Changed    time.Time `json:"changed"`
	Due        time.Time `json:"due,omitzero"` // when something is looked at next
	// Needs are what a person is to see to.
	Needs []SagaNeed `json:"needs,omitempty"`
}

// SagaNeed is a part of an instance that waits for a person.
type SagaNeed struct {
	Part    string    `json:"part"`
	Options []string  `json:"options,omitempty"` // to decide on; a part without is stuck
	Due     time.Time `json:"due,omitzero"`
	Reason  string    `json:"reason,omitempty"`
}

// SagaInstances is a page of instances.
type SagaInstances struct {
	Instances []SagaInstance `json:"instances"`
	// Next is where the next page begins; empty after the last. A page may be short, or
	// empty, and not the last.
	Next string `json:"next,omitempty"`
}

// SagaRef names an instance.
type SagaRef struct {
	Saga   string `json:"saga"`
	ID     string `json:"id"`
	Part   string `json:"part,omitempty"`   // of the parent, for which the other runs
	Status string `json:"status,omitempty"` // empty if it is not there any more
}

// SagaDetail is all of an instance.
type SagaDetail struct {
	SagaInstance
	State    json.RawMessage `json:"state,omitempty"`
	Past     bool            `json:"past,omitempty"` // it is past its pivot
	Parent   *SagaRef        `json:"parent,omitempty"`
	Children []SagaRef       `json:"children,omitempty"`
	Early    []string        `json:"early,omitempty"` // types of events that are kept until it gets there
	Parts    []SagaPart      `json:"parts"`
	History  []SagaEntry     `json:"history"`
}

// SagaPart is where an instance stands in a part of its definition.
type SagaPart struct {
	// Part is its name, and [n] for each loop around it; empty for what only groups others.
	Part string `json:"part,omitempty"`
	// Kind is step, wait, decide, sleep, saga, fail, parallel, if or while; of what groups
	// others, branch, otherwise or iteration.
	Kind  string `json:"kind"`
	Depth int    `json:"depth"` // within how many others it is
	// Stands is done, waiting, undoing, undone, failed, unknown (no answer came), dropped
	// (it was waited for when the process failed), stuck, skipped, ahead (not reached
	// yet) or never (not reached, and it will not be).
	Stands   string    `json:"stands"`
	Command  string    `json:"command,omitempty"` // what it sends
	Undo     string    `json:"undo,omitempty"`    // what undoes it, if it is to be undone or was
	For      []string  `json:"for,omitempty"`     // types of the messages that it waits for
	Options  []string  `json:"options,omitempty"` // to decide on
	Pausing  bool      `json:"pausing,omitempty"` // it is asked for again when it is due
	Attempts int       `json:"attempts,omitempty"`
	Most     int       `json:"most,omitempty"` // attempts; 0: as often as it takes
	Since    time.Time `json:"since,omitzero"`
	Due      time.Time `json:"due,omitzero"`
	Saga     *SagaRef  `json:"saga,omitempty"` // that it runs
	Pivot    bool      `json:"pivot,omitempty"`
	Note     string    `json:"note,omitempty"` // why it failed or is stuck
}

// SagaEntry is a line of an instance's history.
type SagaEntry struct {
	At    time.Time `json:"at,omitzero"`
	Did   string    `json:"did"`
	Part  string    `json:"part,omitempty"`
	Type  string    `json:"type,omitempty"`
	Event string    `json:"event,omitempty"` // the id of the message that led to this
	Note  string    `json:"note,omitempty"`
}

// SagaChange asks for a change of exactly these instances. The kind of a ref is the name
// of its saga. A version may be left out if there is one ref.
type SagaChange struct {
	Refs []Ref  `json:"refs"`
	By   string `json:"by,omitempty"`
	Note string `json:"note,omitempty"`
	// Part is which part to retry, skip or decide.
	Part   string `json:"part,omitempty"`
	Option string `json:"option,omitempty"` // of a decision
}
