package saga

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Entry is a line of an instance's history.
type Entry struct {
	At   time.Time `json:"at"`
	Did  string    `json:"did"`            // as in "sent", "done", "timed out", "undone"
	Part string    `json:"part,omitempty"` // with [n] for each loop around it
	// Type is the contract of the command that was sent, or of the message that came.
	Type string `json:"type,omitempty"`
	// Event is the id of the message that led to this.
	Event string `json:"event,omitempty"`
	Note  string `json:"note,omitempty"`
}

// line is an entry that is being written.
type line struct{ Did, Part, Type, Event, Note string }

// A line is stored as a JSON array without its empty ends. Rows are rewritten with each
// change, so what can be told from elsewhere is left out: the time is that since the
// line before, the event "=" the one of the line before, or "=-5" where it has another
// number alone, and the type of a command or of the only reply of a kind is that of the part.

const same = "="

// write appends a line, of which event is the last one's.
func (l line) write(to []byte, at int64, event string) []byte {
	l.Event = shortID(l.Event, event)
	to = append(to, '[')
	to = strconv.AppendInt(to, at, 10)
	fields := [...]string{l.Did, l.Part, l.Type, l.Event, l.Note}
	n := len(fields)
	for n > 0 && fields[n-1] == "" {
		n--
	}
	for _, f := range fields[:n] {
		to = append(to, ',')
		to = quote(to, f)
	}
	return append(to, "]\n"...)
}

// shortID is the id of an event as it is stored, by that of the one before.
func shortID(id, last string) string {
	begin, number := cutID(id)
	lastBegin, _ := cutID(last)
	switch {
	case id == "":
		return ""
	case id == last:
		return same
	case begin != "" && begin == lastBegin:
		return same + number
	case strings.HasPrefix(id, same): // of a foreign event
		return same + id
	}
	return id
}

// longID returns the id of which a short one is stored.
func longID(stored, last string) string {
	rest, marked := strings.CutPrefix(stored, same)
	switch {
	case !marked:
		return stored
	case rest == "":
		return last
	case strings.HasPrefix(rest, "-"):
		begin, _ := cutID(last)
		return begin + rest
	}
	return rest
}

// quote appends a JSON string.
func quote(to []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			b, _ := json.Marshal(s) // a string: cannot fail
			return append(to, b...)
		}
	}
	to = append(to, '"')
	to = append(to, s...)
	return append(to, '"')
}

// entries reads pages of history. p may be nil: then types that were left out stay
// so. A line that cannot be read is shown as it is.
func entries(p *plan, text string) []Entry {
	var out []Entry
	var at int64
	var event string
	for s := range strings.Lines(text) {
		var raw []any
		d := json.NewDecoder(strings.NewReader(s))
		d.UseNumber()
		if err := d.Decode(&raw); err != nil || len(raw) < 2 {
			out = append(out, Entry{At: timeOf(at), Note: strings.TrimSpace(s)})
			continue
		}
		ms, _ := raw[0].(json.Number).Int64()
		at = resolve(ms, at)
		var fields [5]string
		for i, v := range raw[1:min(len(raw), 6)] {
			fields[i], _ = v.(string)
		}
		e := Entry{timeOf(at), fields[0], fields[1], fields[2], fields[3], fields[4]}
		if e.Event = longID(e.Event, event); e.Event != "" {
			event = e.Event
		}
		if e.Type == "" && p != nil {
			e.Type = p.typeOf(e.Did, nameOf(e.Part))
		}
		out = append(out, e)
	}
	return out
}

// typeOf is the contract that a line about a part is about, where that is plain.
func (p *plan) typeOf(did, part string) string {
	n := p.nodes[part]
	if n == nil || n.kind != step {
		return ""
	}
	switch did { // the part may have been another one when the line was written
	case "sent", "sent again":
		if n.send != nil {
			return n.send.contract.String()
		}
	case "undoing", "undoing again":
		if n.undo != nil {
			return n.undo.send.contract.String()
		}
	case "done":
		return n.only(succeeded)
	case "failed":
		return n.only(refused)
	case "undone":
		if n.undo != nil {
			return n.undo.only(succeeded)
		}
	}
	return ""
}

// only is the contract of the one reply of a meaning, if there is one.
func (n *node) only(m meaning) string {
	found := ""
	for _, r := range n.replies {
		if r.means != m {
			continue
		}
		if found != "" {
			return ""
		}
		found = r.contract.String()
	}
	return found
}
