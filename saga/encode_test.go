package saga

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tutti-go/tutti/event"
)

// What is written by hand is read as what encoding/json writes.
func FuzzEncode(f *testing.F) {
	f.Add("reserve", "", "no", "s.1.0-5", "s.1.0-17", "", int64(1795951546029), int64(1795951546029), int64(0), 3, true)
	f.Add("pay[2]", "\"\\\n<&>é\x00", "{}", "x-\xff", "\u2028", "x-", int64(1)<<41, int64(1)<<40, int64(1)<<50, 0, false)
	f.Fuzz(func(t *testing.T, path, note, text, id, flow, trace string, since, then, due int64, n int, rare bool) {
		if strings.HasPrefix(id, "-") || strings.HasPrefix(flow, "-") || min(since, then) <= absolute || due != 0 && due <= absolute {
			t.Skip("not what is stored")
		}
		raw, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		d := document{State: &text, Cause: cause{id, flow, trace, note}, Marks: marks{
			{Path: path, Is: done, Tries: n, Due: due, Since: since, Pick: n, Note: note, Child: text, State: raw, Asked: []string{id, flow}[:n&1+1]},
			{Path: path, Is: sent, Since: then, Due: due, Asked: []string{flow, id}, Unasked: []string{flow}},
			{Path: path, Is: sent, Since: then, Unasked: []string{id, id}},
		}}
		if rare {
			d.Back, d.Pivot, d.Pages, d.Parent = true, n > 0, n, &parent{id, note, path}
			d.Signals = []signal{{event.Envelope{ID: id}, raw}}
		}
		byHand, err := d.encode()
		if err != nil {
			t.Fatal(err)
		}
		byJSON, err := json.Marshal(&d)
		if err != nil {
			t.Fatal(err)
		}
		// Builds from before have written all ids and times in full, as encoding/json does.
		if got, want := decoded(t, byHand), decoded(t, byJSON); !reflect.DeepEqual(got, want) {
			t.Errorf("encode() = %s\nis read as %+v\nwant %+v", byHand, got, want)
		}
	})
}

func decoded(t *testing.T, doc []byte) (d document) {
	t.Helper()
	if err := json.Unmarshal(doc, &d); err != nil {
		t.Fatalf("%v: %s", err, doc)
	}
	return d
}

// The ids of events in a history are read as they were, also those of foreign events.
func FuzzHistoryIDs(f *testing.F) {
	f.Add("s.1.0-5", "s.1.0-17", "=", "=-5")
	f.Add("==", "", "-", "a-b-")
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		var text []byte
		var last string
		want := []string{a, b, b, a, c, d, "", c, c}
		for _, id := range want {
			if text = (line{Did: "sent", Event: id, Note: "x"}).write(text, 0, last); id != "" {
				last = id
			}
		}
		for i, e := range entries(nil, string(text)) {
			if e.Event != want[i] && utf8.ValidString(a+" "+b+" "+c+" "+d) {
				t.Errorf("id %d, %q, is read as %q in\n%s", i, want[i], e.Event, text)
			}
		}
	})
}
