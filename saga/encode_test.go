package saga

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/tutti-go/tutti/event"
)

// What is written by hand is what encoding/json writes, in another order.
func FuzzEncode(f *testing.F) {
	f.Add("reserve", "", "no", "id", "o-1", "", int64(1), int64(0), 3, true)
	f.Add("pay[2]", "\"\\\n<&>é\x00", "{}", "\xff", "\u2028", "x", int64(-1), int64(1)<<40, 0, false)
	f.Fuzz(func(t *testing.T, path, note, text, id, flow, trace string, since, due int64, n int, rare bool) {
		raw, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		d := document{State: &text, Cause: cause{id, flow, trace, note}, Marks: []mark{
			{Path: path, Is: done, Tries: n, Due: due, Since: since, Pick: n, Note: note, Child: text, State: raw, Asked: []string{id, flow}[:n&1+1]},
			{Path: path, Is: sent, Since: since},
		}}
		if rare {
			d.Back, d.Pivot, d.Pages, d.Parent = true, n > 0, n, &parent{id, note, path}
			d.Signals = []signal{{event.Envelope{ID: id}, raw}}
		}
		got, err := d.encode()
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(&d)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := plainly(t, got), plainly(t, want); !reflect.DeepEqual(a, b) {
			t.Errorf("encode() = %s, want what is in %s", got, want)
		}
	})
}

func plainly(t *testing.T, doc []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(doc, &v); err != nil {
		t.Fatalf("%v: %s", err, doc)
	}
	return v
}
