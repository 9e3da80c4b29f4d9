package saga

import (
	"encoding/json"
	"slices"
	"strconv"
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
	skipped phase = "skipped" // a person says that it is done
	settled phase = "settled" // it was to be undone, and a person says that it is
)

// mark is where a part of an instance stands. Parts that were never reached have none.
type mark struct {
	Path    string          `json:"p"`           // the part's name, and [n] for each loop around it
	Is      phase           `json:"s"`           //
	Tries   int             `json:"n,omitempty"` // attempts, of the command or of its undo
	Due     int64           `json:"d,omitempty"` // ms: when something is to be done about it
	Since   int64           `json:"t"`           // ms
	Pick    int             `json:"c,omitempty"` // the branch chosen, or the iteration, from 1
	Note    string          `json:"w,omitempty"` // why it failed
	Child   string          `json:"k,omitempty"` // the id of another saga; in documents of before, the note
	State   json.RawMessage `json:"x,omitempty"` // as it was when it was done, in a loop
	Asked   []string        `json:"i,omitempty"` // ids of its last commands, where answers do not say whose they are
	Unasked []string        `json:"j,omitempty"` // of the last ones that were to undo it
}

const maxAsked = 10

// ask notes the id of a command that is sent next.
func ask(ids []string, id string) []string {
	if len(ids) == maxAsked { // the first one stays, to tell those that are forgotten
		ids = append(ids[:1:1], ids[2:]...)
	}
	return append(ids, id)
}

// forgot reports whether an id may be one of those that are not kept any more.
func forgot(ids []string, id string) bool {
	return len(ids) == maxAsked && earlier(ids[0], id) && earlier(id, ids[1])
}

// earlier reports whether one id was given before another one of the same lane.
func earlier(a, b string) bool {
	i, j := strings.LastIndexByte(a, '-'), strings.LastIndexByte(b, '-')
	if i < 0 || j < 0 || a[:i] != b[:j] {
		return false
	}
	return len(a) < len(b) || len(a) == len(b) && a < b
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

// document is what is stored of an instance as JSON, written by its encode.
type document struct {
	State   any      `json:"state"` // a pointer
	Marks   marks    `json:"marks"`
	Back    bool     `json:"back,omitempty"`   // what was done is being undone
	Pivot   bool     `json:"pivot,omitempty"`  // nothing is undone any more
	Parent  *parent  `json:"parent,omitempty"` //
	Signals []signal `json:"signals,omitempty"`
	Cause   cause    `json:"cause"`           // of the flow, for what timers and persons lead to
	Pages   int      `json:"pages,omitempty"` // of history that are not in the row
}

// encode is json.Marshal of a document, which is what most of a mediator's work would be
// otherwise: by hand but for what is the user's, or rare.
func (d *document) encode() ([]byte, error) {
	state, err := json.Marshal(d.State)
	if err != nil {
		return nil, err
	}
	to := make([]byte, 0, len(state)+96*len(d.Marks)+256)
	to = append(append(to, `{"state":`...), state...)
	to = d.Marks.append(append(to, `,"marks":`...))
	if d.Back || d.Pivot || d.Parent != nil || len(d.Signals) > 0 || d.Pages > 0 {
		rare, err := json.Marshal(struct {
			Back    bool     `json:"back,omitempty"`
			Pivot   bool     `json:"pivot,omitempty"`
			Parent  *parent  `json:"parent,omitempty"`
			Signals []signal `json:"signals,omitempty"`
			Pages   int      `json:"pages,omitempty"`
		}{d.Back, d.Pivot, d.Parent, d.Signals, d.Pages})
		if err != nil {
			return nil, err
		}
		to = append(to, ',')
		to = append(to, rare[1:len(rare)-1]...)
	}
	c := d.Cause
	to = quote(append(to, `,"cause":{"id":`...), c.ID)
	to = appendText(to, `,"flow":`, c.CorrelationID)
	to = appendText(to, `,"trace":`, c.TraceParent)
	to = appendText(to, `,"state":`, c.TraceState)
	return append(to, "}}"...), nil
}

func appendNumber(to []byte, name string, n int64) []byte {
	if n == 0 {
		return to
	}
	return strconv.AppendInt(append(to, name...), n, 10)
}

func appendText(to []byte, name, text string) []byte {
	if text == "" {
		return to
	}
	return quote(append(to, name...), text)
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
	armed    arming
	reason   string
	document

	history []byte // the page that the row holds, with what was added
	kept    int    // bytes of it that are stored
	event   string // of its last line
	was     arming // as it is stored
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

// asked returns the path of the part that sent a command, if that is known, and whether
// it was to undo it.
func (in *instance) asked(id string) (path string, back bool) {
	if id == "" {
		return "", false
	}
	first := "" // of what it may be one of
	for i := range in.Marks {
		m := &in.Marks[i]
		for j, ids := range [][]string{m.Asked, m.Unasked} {
			if slices.Contains(ids, id) {
				return m.Path, j == 1
			}
			if forgot(ids, id) && (first == "" || earlier(first, ids[0])) {
				first, path, back = ids[0], m.Path, j == 1
			}
		}
	}
	return path, back
}
