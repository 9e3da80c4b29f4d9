package saga

import (
	"encoding/json"
	"strings"

	"github.com/tutti-go/tutti/event"
)

// Status is how an instance stands.
type Status string

// An instance runs, or is being compensated, until it is completed or compensated.
// Meanwhile it may need a person: to decide, or because it is stuck.
const (
	Running      Status = "running"
	Deciding     Status = "deciding"
	Compensating Status = "compensating"
	Stuck        Status = "stuck"
	Completed    Status = "completed"
	Compensated  Status = "compensated"
)

func (s Status) over() bool { return s == Completed || s == Compensated }

// phase is how far a part of an instance is.
type phase string

const (
	sent    phase = "sent"    // a command, not answered yet
	pausing phase = "pausing" // until the command is sent again
	waiting phase = "waiting" // for an event, a person, a time, another saga, or its own parts
	done    phase = "done"
	failed  phase = "failed"
	unknown phase = "unknown" // a command that was not answered in time
	void    phase = "void"    // it was waited for when the process failed
	undoing phase = "undoing" // the undo was sent, and is not answered yet
	resting phase = "resting" // until the undo is sent again
	undone  phase = "undone"
	stuck   phase = "stuck"   // it needs a person
	skipped phase = "skipped" // a person says that it is done, or undone
)

// mark is where a part of an instance stands. Parts that were never reached have none.
type mark struct {
	Path  string          `json:"p"`           // the part's name, and [n] for each loop around it
	Is    phase           `json:"s"`           //
	Tries int             `json:"n,omitempty"` // attempts, of the command or of its undo
	Due   int64           `json:"d,omitempty"` // ms: when something is to be done about it
	Since int64           `json:"t"`           // ms
	Pick  int             `json:"c,omitempty"` // the branch chosen, or the iteration, from 1
	Note  string          `json:"w,omitempty"` // why it failed; the id of another saga
	State json.RawMessage `json:"x,omitempty"` // as it was when it was done, in a loop
}

// nameOf cuts iterations off a path.
func nameOf(path string) string {
	name, _, _ := strings.Cut(path, "[")
	return name
}

// parent says for which part of which instance a saga runs.
type parent struct {
	Saga string `json:"saga"`
	ID   string `json:"id"`
	Path string `json:"path"`
}

// signal is an event that came before anything waited for it.
type signal struct {
	Envelope event.Envelope  `json:"envelope"`
	Body     json.RawMessage `json:"body"`
}

// document is what is stored of an instance as JSON.
type document struct {
	State   any      `json:"state"` // a pointer
	Marks   []mark   `json:"marks"`
	Back    bool     `json:"back,omitempty"`   // what was done is being undone
	Pivot   bool     `json:"pivot,omitempty"`  // nothing is undone any more
	Parent  *parent  `json:"parent,omitempty"` //
	Signals []signal `json:"signals,omitempty"`
	Cause   cause    `json:"cause"`           // of the flow, for what timers and persons lead to
	Pages   int      `json:"pages,omitempty"` // of history that are not in the row
}

// cause is event.Cause as it is stored.
type cause struct {
	ID            string `json:"id"`
	CorrelationID string `json:"flow,omitempty"`
	TraceParent   string `json:"trace,omitempty"`
	TraceState    string `json:"state,omitempty"`
}

// key names an instance.
type key struct{ saga, id string }

// instance is a run of a plan.
type instance struct {
	key
	n        int64 // of its row
	plan     *plan
	revision int64 // as it is stored; 0: not yet
	status   Status
	started  int64 // ms
	changed  int64
	armed    int64 // when its timer is due; 0: it has none
	reason   string
	document

	history []byte // the page that the row holds, with what was added
	kept    int    // bytes of it that are stored
	event   string // of its last line
	was     int64  // armed, as it is stored
	stood   Status // as it is stored
	gave    string // reason, as it is stored
	version int    // of the plan, as it is stored
	over    bool   // it is stored among those that are over
	dirty   bool
}

// mark returns the mark of a path, or nil.
func (in *instance) mark(path string) *mark {
	for i := len(in.Marks) - 1; i >= 0; i-- {
		if in.Marks[i].Path == path {
			return &in.Marks[i]
		}
	}
	return nil
}
