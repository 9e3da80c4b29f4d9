package saga_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/internal/admin"
)

// settled is an answer that can be compared: as indented JSON, with ids of events and
// fractions of seconds left out. Time is virtual, so times are the same each time.
func settled(t *testing.T, body []byte) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, body, "", "  "); err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`"event": "[^"]*"`).ReplaceAllString(out.String(), `"event": "…"`)
	return regexp.MustCompile(`(:\d\d)\.\d+Z"`).ReplaceAllString(text, `${1}Z"`)
}

// outlineOf is what an instance's parts say, a line each.
func outlineOf(d admin.SagaDetail) string {
	var b strings.Builder
	for _, p := range d.Parts {
		fmt.Fprintf(&b, "%s%s %s%s: %s", strings.Repeat("  ", p.Depth), p.Kind, p.Part, map[bool]string{true: p.Note}[p.Part == ""], p.Stands)
		if len(p.For) > 0 {
			fmt.Fprintf(&b, " for %s", strings.Join(p.For, ", "))
		}
		if p.Attempts > 0 {
			fmt.Fprintf(&b, " (%d of %d)", p.Attempts, p.Most)
		}
		if !p.Due.IsZero() {
			fmt.Fprintf(&b, " until %s", p.Due.Format("2 15:04"))
		}
		if p.Undo != "" {
			fmt.Fprintf(&b, " undo %s", p.Undo)
		}
		if p.Saga != nil {
			fmt.Fprintf(&b, " %s %s %s", p.Saga.Saga, p.Saga.ID, p.Saga.Status)
		}
		if p.Part != "" && p.Note != "" {
			fmt.Fprintf(&b, " because %s", p.Note)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// album collects how an instance stands at several times.
type album struct {
	*office
	strings.Builder
}

func (s *album) tell(when, id string) {
	s.t.Helper()
	s.Sleep(500 * time.Millisecond)
	d := s.show(id)
	fmt.Fprintf(s, "%s: %s is %s", when, id, d.Status)
	if d.Reason != "" {
		fmt.Fprintf(s, ", because %s", d.Reason)
	}
	fmt.Fprintf(s, "\n%s", outlineOf(d))
	for _, c := range d.Children {
		fmt.Fprintf(s, "it runs %s %s for %s: %s\n", c.Saga, c.ID, c.Part, c.Status)
	}
	s.WriteByte('\n')
}

// TestShow goes through all that can become of a part.
func TestShow(t *testing.T) {
	withOffice(t, func(o *office) {
		s := &album{office: o}
		o.Publish(applied{"c-large"}, applied{"c2"})
		s.tell("at first", "c-large")
		o.Publish(checkBusy{"c-large"})
		s.tell("busy", "c-large")
		o.Sleep(time.Second)
		o.Publish(checked{"c2"})
		o.Sleep(time.Second)
		o.expect(o.change("decide", `,"option":"approve","by":"ada"`, "c-large", "c2"), "c-large true", "c2 true")
		s.tell("approved", "c2")
		o.Publish(checked{"c-large"})
		o.Sleep(time.Hour)
		s.tell("mailed", "c2")
		s.tell("reminded once", "c-large")
		o.Sleep(6 * 24 * time.Hour)
		s.tell("reminded often", "c-large")
		o.Publish(applied{"c3"}, applied{"c4"})
		s.tell("later", "c3")
		o.Publish(flightTaken{"for-c4", "1A"}, checked{"c3"}, checked{"c4"})
		o.Sleep(time.Second)
		o.expect(o.change("decide", `,"option":"reject","by":"ada","note":"no money"`, "c3"), "c3 true")
		s.tell("rejected", "c3")
		o.Publish(unnoted{"c3"})
		s.tell("undone", "c3")
		o.expect(o.change("decide", `,"option":"approve"`, "c4"), "c4 true")
		o.Sleep(time.Hour)
		s.tell("on its way", "c4")
		o.Publish(flightTaken{"for-c4", "1A"}, hotelFull{"for-c4", "no rooms"})
		s.tell("no hotel", "c4")
		o.Publish(flightFree{"for-c4"})
		s.tell("no trip", "c4")
		o.Publish(cannotUndo{"c4"})
		s.tell("not undone", "c4")
		o.expect(o.change("skip", `,"part":"note","by":"ada","note":"burnt it"`, "c4"), "c4 true")
		s.tell("skipped", "c4")
		golden(t, "show.txt", s.String())
		golden(t, "show.json", settled(t, o.call(200, "GET /sagas/claim/c4", "")))
		golden(t, "show-child.json", settled(t, o.call(200, "GET /sagas/trip/for-c4", "")))
	})
}

func TestLists(t *testing.T) {
	withOffice(t, func(o *office) {
		for i := range 7 {
			o.Publish(applied{fmt.Sprintf("a%d", i)})
			o.Quiet() // it has begun
			o.Sleep(time.Minute)
		}
		o.Publish(applied{"b%"}, applied{"bx"}, applied{"ä"}, applied{"äh"})
		o.Quiet()
		o.expect(o.change("cancel", "", "a1", "a3", "bx"), "a1 true", "a3 true", "bx true")
		o.Publish(unnoted{"a1"})
		o.Sleep(time.Second)
		o.Publish(unnoted{"a3"}, cannotUndo{"bx"})
		o.Sleep(time.Second)
		start := o.show("a0").Started
		at := func(d time.Duration) string { return url.QueryEscape(start.Add(d).Format(time.RFC3339Nano)) }
		for _, tc := range []struct {
			query string
			want  string
		}{
			{"", "a0 a2 a4 a5 a6 b% bx ä äh a3 a1"},
			{"status=live", "a0 a2 a4 a5 a6 b% bx ä äh"},
			{"status=deciding", "a0 a2 a4 a5 a6 b% ä äh"},
			{"status=stuck", "bx"},
			{"status=over", "a3 a1"},
			{"status=compensated", "a3 a1"},
			{"status=completed", ""},
			{"status=running", ""},
			{"key=a", "a0 a2 a4 a5 a6 a1 a3"},
			{"key=b%25", "b%"},
			{"key=%C3%A4", "ä äh"},
			{"key=a&status=over", "a1 a3"},
			{"id=a3", "a3"},
			{"id=a3&status=live", ""},
			{"startedBefore=" + at(150*time.Second), "a0 a2 a1"},
			{"startedAfter=" + at(150*time.Second) + "&status=live", "a4 a5 a6 b% bx ä äh"},
			{"startedAfter=" + at(90*time.Second) + "&startedBefore=" + at(270*time.Second), "a2 a4 a3"},
			{"changedBefore=" + at(10*time.Second), "a0"},
			{"changedAfter=" + at(7*time.Minute+500*time.Millisecond) + "&key=a", "a3"},
		} {
			if got := strings.Join(o.ids(tc.query), " "); got != tc.want {
				o.t.Errorf("list of %q is %q, want %q", tc.query, got, tc.want)
			}
			var whole []string
			for _, in := range o.list(tc.query).Instances {
				whole = append(whole, in.ID)
			}
			if got := strings.Join(whole, " "); got != tc.want {
				o.t.Errorf("list of %q in one page is %q, want %q", tc.query, got, tc.want)
			}
		}
	})
}

// TestShowOfLongHistory: history that has gone to pages of its own is shown with the rest.
func TestShowOfLongHistory(t *testing.T) {
	withOffice(t, func(o *office) {
		o.Publish(applied{"c1"})
		o.Quiet()
		o.expect(o.change("decide", `,"option":"approve"`, "c1"), "c1 true")
		for range 16 {
			for range 50 {
				o.Publish(applied{"c1"})
			}
			o.Quiet()
		}
		if n := o.Query("office", `SELECT COUNT(*) FROM saga_page`)[0]; n == "0" {
			o.t.Fatal("no page was turned: does this test still try what it is for?")
		}
		d := o.show("c1")
		duplicates := 0
		for _, h := range d.History {
			if h.Did == "duplicate" {
				duplicates++
			}
		}
		if duplicates != 800 || d.History[0].Did != "started" || !slices.IsSortedFunc(d.History, func(a, b admin.SagaEntry) int { return a.At.Compare(b.At) }) {
			o.t.Errorf("the history has %d duplicates, and begins with %+v", duplicates, d.History[0])
		}
	})
}

// TestTimeOfLate: what comes after the end is shown with its time.
func TestTimeOfLate(t *testing.T) {
	withOffice(t, func(o *office) {
		o.Publish(applied{"c1"}, checked{"c1"})
		o.Sleep(time.Second)
		o.expect(o.change("decide", `,"option":"reject"`, "c1"), "c1 true")
		o.Publish(unnoted{"c1"})
		o.Sleep(time.Hour)
		o.Publish(checked{"c1"})
		o.Sleep(time.Second)
		d := o.show("c1")
		if last := d.History[len(d.History)-1]; last.Did != "late" || last.At.Before(time.Now().Add(-time.Minute)) || last.At.After(time.Now()) {
			t.Errorf("it is %v, and the last line is %+v of %d; the saga is %s", time.Now(), last, len(d.History), d.Status)
		}
	})
}
