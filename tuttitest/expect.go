package tuttitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/store"
)

// Events returns what is in the log, in the order of time. Copies of an event are
// left out, as services leave them out.
func (w *World) Events() []Event {
	w.t.Helper()
	w.seen.refresh()
	var out []Event
	for _, e := range w.seen.entries {
		if !e.copied {
			out = append(out, e.Event)
		}
	}
	return out
}

// Expect waits for events equal to the given ones, in any order. Each event in the
// log meets one expectation.
func (w *World) Expect(bodies ...event.Body) {
	w.t.Helper()
	for _, body := range bodies {
		want := w.marshal(body)
		if !w.wait(func() bool {
			w.seen.refresh()
			return w.seen.take(body.Contract(), want)
		}) {
			w.t.Fatalf("no event %s %s after %v; not yet expected were:\n%s", body.Contract(), want, w.cfg.Patience, w.seen.unexpected())
		}
	}
}

// ExpectNoMore waits until all is quiet, and fails the test if the log then holds
// an event that the test neither published nor expected.
func (w *World) ExpectNoMore() {
	w.t.Helper()
	w.Quiet()
	w.seen.refresh()
	if more := w.seen.unexpected(); more != "" {
		w.t.Errorf("unexpected events:\n%s", more)
	}
}

// take finds an event that no expectation has met yet.
func (j *journal) take(c event.Contract, want []byte) bool {
	for n := range j.entries {
		e := &j.entries[n]
		if e.copied || e.expected || e.Type != c.Type || e.Version != c.Version || e.Topic != c.Topic.Name || !sameJSON(e.Data, want) {
			continue
		}
		e.expected = true
		return true
	}
	return false
}

func (j *journal) unexpected() string {
	var b strings.Builder
	for _, e := range j.entries {
		if !e.copied && !e.expected {
			fmt.Fprintf(&b, "  %s %s/%d %s\n", e.Position(), e.Type, e.Version, e.Data)
		}
	}
	return b.String()
}

// sameJSON compares values: the order of fields does not matter.
func sameJSON(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y any
	for _, side := range []struct {
		text []byte
		to   *any
	}{{a, &x}, {b, &y}} {
		d := json.NewDecoder(bytes.NewReader(side.text))
		d.UseNumber()
		if d.Decode(side.to) != nil {
			return false
		}
	}
	return reflect.DeepEqual(x, y)
}

// Query returns the rows of a query on a running service's database, each as text
// with its columns separated by "|".
func (w *World) Query(name, query string, args ...any) []string {
	w.t.Helper()
	rows, err := w.query(name, query, args)
	if err != nil {
		w.t.Fatalf("query %s: %v in: %s", name, err, query)
	}
	return rows
}

func (w *World) query(name, query string, args []any) ([]string, error) {
	return store.Collect(w.t.Context(), w.running(name).svc.Read(), scanText, query, args...)
}

func scanText(r store.Rows) (string, error) {
	wide, ok := r.(interface{ Columns() ([]string, error) })
	if !ok {
		return "", fmt.Errorf("rows of type %T do not name their columns", r)
	}
	names, err := wide.Columns()
	if err != nil {
		return "", err
	}
	values, dest := make([]any, len(names)), make([]any, len(names))
	for n := range values {
		dest[n] = &values[n]
	}
	if err := r.Scan(dest...); err != nil {
		return "", err
	}
	texts := make([]string, len(values))
	for n, v := range values {
		if b, ok := v.([]byte); ok {
			v = string(b)
		}
		texts[n] = fmt.Sprint(v)
	}
	return strings.Join(texts, "|"), nil
}

// ExpectRows waits until a query has these rows, in this order, as Query returns
// them.
func (w *World) ExpectRows(name, query string, want ...string) {
	w.t.Helper()
	var got []string
	var err error
	if !w.wait(func() bool {
		got, err = w.query(name, query, nil)
		return err == nil && slices.Equal(got, want)
	}) {
		w.t.Fatalf("after %v rows of %q are %q (error %v), want %q", w.cfg.Patience, query, got, err, want)
	}
}

// wait looks now and again whether a condition holds, for as long as the world is
// patient. It looks when nothing can happen without time passing.
func (w *World) wait(holds func() bool) bool {
	begin := time.Now()
	for pause := time.Millisecond; ; pause = min(2*pause, max(time.Second, time.Since(begin)/100)) {
		synctest.Wait()
		if holds() {
			return true
		}
		if time.Since(begin) > w.cfg.Patience {
			return false
		}
		time.Sleep(pause)
	}
}

// soon is how far ahead Quiet looks: retries are sooner than that, and what is
// later is a timer that nobody waits for.
const soon = time.Minute

// Quiet waits until nothing is in flight: faults of [World.Chaos] have ended, every
// running service has handled all that is in the log, all that was committed is
// sent, no job is running, and none, no timer and no retry is due within a minute.
// It waits for a timer of a minute or not, as it may come; where one is running,
// Sleep, or expect what is to be.
func (w *World) Quiet() {
	w.t.Helper()
	w.chaos.Wait()
	var why string
	if !w.wait(func() bool { why = w.pending(); return why == "" }) {
		w.t.Fatalf("not quiet after %v: %s", w.cfg.Patience, why)
	}
	w.surprise()
}

// pending says what is in flight.
func (w *World) pending() string {
	ends := w.broker.Ends(w.topicNames())
	for _, i := range w.all() {
		if i.hasEnded() {
			continue
		}
		why, err := i.svc.Pending(w.t.Context(), ends, time.Now().Add(soon))
		if err != nil {
			return fmt.Sprintf("%s: %v", i.name, err)
		}
		if why != "" {
			return i.name + ": " + why
		}
	}
	// What one has sent after another was looked at is in flight.
	if !maps.Equal(ends, w.broker.Ends(w.topicNames())) {
		return "more was sent meanwhile"
	}
	return ""
}
