package service_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/admin"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// ask sends a request to a service's admin interface, and decodes the answer.
func ask(t *testing.T, s *service.Service, method, path string, body, into any) int {
	t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		in = bytes.NewReader(text)
	}
	r := httptest.NewRequest(method, "/services/"+s.Name()+path, in)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.Admin().ServeHTTP(w, r)
	if into != nil {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			t.Fatalf("%s %s = %d %s: %v", method, path, w.Code, w.Body, err)
		}
	}
	return w.Code
}

// refs names records as they are now.
func refs(rs []admin.Record) (c admin.Change) {
	for _, r := range rs {
		c.Refs = append(c.Refs, admin.Ref{ID: r.ID, Version: r.Version})
	}
	return c
}

// TestAdminFrozenSelection: what was selected is changed, and nothing else: neither
// what died since, nor what was tried again since.
func TestAdminFrozenSelection(t *testing.T) {
	bus := cluster(t)
	s, _ := start(t, bus, "picky", t.TempDir(), quick, picky(func(m Made) error {
		if m.N < 0 {
			return event.Reject(errors.New("negative"))
		}
		return nil
	}))
	dead := func(n int) (out admin.Records) {
		t.Helper()
		eventually(t, s, fmt.Sprint(n, " dead letters"), func() bool {
			ask(t, s, "GET", "/parked?state=dead", nil, &out)
			return len(out.Records) == n
		})
		return out
	}
	produce(t, bus, madeTopic, made("a", -1), made("b", -1), made("a", 2))
	selected := dead(2)
	if r := selected.Records[0]; r.ID != "test.made/0@0" || r.Type != "test.made" || r.Key != "a" || r.Behind != 1 || r.Size == 0 || r.Died.IsZero() || r.Attempts != 1 {
		t.Errorf("the first dead letter is %+v", r)
	}
	produce(t, bus, madeTopic, made("c", -1)) // dies after the selection
	dead(3)
	if err := s.Redrive(t.Context(), parked(t, s, store.Selection{Key: "b", State: store.StateDead})[0]); err != nil {
		t.Fatal(err)
	}
	eventually(t, s, "b has died again", func() bool { return s.Status().Redelivered == 1 })
	dead(3)
	var out admin.Outcomes
	if code := ask(t, s, "POST", "/deadletters/discard", refs(selected.Records), &out); code != http.StatusOK || len(out.Outcomes) != 2 {
		t.Fatalf("discard = %d %+v", code, out)
	}
	if !out.Outcomes[0].Done || out.Outcomes[1].Done || !strings.Contains(out.Outcomes[1].Reason, "changed since") {
		t.Errorf("discard = %+v, want a done, and b skipped because it has changed", out)
	}
	eventually(t, s, "a2 is done, which waited behind", func() bool { return rows(t, s)["a2"] == 1 })
	left := dead(2)
	if left.Records[0].Key != "b" || left.Records[1].Key != "c" {
		t.Errorf("left are %+v, want b and c", left.Records)
	}
	if ask(t, s, "POST", "/deadletters/discard", refs(selected.Records[:1]), &out); out.Outcomes[0].Done || !strings.Contains(out.Outcomes[0].Reason, "not there") {
		t.Errorf("discarded again: %+v, want that it is not there", out)
	}
}

func TestAdminShowAndEdit(t *testing.T) {
	bus := cluster(t)
	s, _ := start(t, bus, "picky", t.TempDir(), quick, picky(func(Made) error { return nil }))
	raw := event.Record{Key: []byte("r"), Value: []byte{0, 1, 0xff}, Headers: []event.Header{{Key: "x", Value: []byte{0xff}}}}
	produce(t, bus, madeTopic, foreign("j", "j", "{"), raw, made("j", 2))
	eventually(t, s, "three are parked", func() bool { return len(parked(t, s, store.Selection{})) == 3 })
	var d admin.Detail
	ask(t, s, "GET", "/parked/test.made/0@1", nil, &d)
	if !bytes.Equal(d.Bytes, raw.Value) || d.Event != nil || d.Undecodable == "" || !bytes.Equal(d.Headers[0].Bytes, []byte{0xff}) {
		t.Errorf("the raw record is %+v", d)
	}
	d = admin.Detail{}
	ask(t, s, "GET", "/parked/test.made/0@0", nil, &d)
	if string(d.Bytes) != "{" || d.Event == nil || d.Event.Source != "/foreign" || fmt.Sprint(d.Waiting) != "[test.made/0@2]" {
		t.Errorf("the broken JSON is %+v", d)
	}
	var problem struct{ Detail string }
	if code := ask(t, s, "PUT", "/deadletters/test.made/0@0?version="+d.Version, "[", &problem); code != http.StatusUnprocessableEntity || !strings.Contains(problem.Detail, "would not be understood") {
		t.Errorf("edit to another broken body = %d %+v, want it refused", code, problem)
	}
	var out admin.Outcomes
	if ask(t, s, "PUT", "/deadletters/test.made/0@0?version=old", `{"id":"j","n":1}`, &out); out.Outcomes[0].Done {
		t.Errorf("edit of another version: %+v, want it skipped", out)
	}
	if ask(t, s, "PUT", "/deadletters/test.made/0@0?version="+d.Version, `{"id":"j","n":1}`, &out); !out.Outcomes[0].Done {
		t.Errorf("edit: %+v, want it done", out)
	}
	eventually(t, s, "both are done", func() bool { return rows(t, s)["j1"] == 1 && rows(t, s)["j2"] == 1 })
	if code := ask(t, s, "GET", "/parked/test.made/0@0", nil, nil); code != http.StatusNotFound {
		t.Errorf("show what was handled = %d, want 404", code)
	}
}

// TestAdminStructured: of a record in structured mode the type is in the body, and is shown
// and picked by like others.
func TestAdminStructured(t *testing.T) {
	bus := cluster(t)
	s, _ := start(t, bus, "picky", t.TempDir(), quick, picky(func(Made) error { return event.Reject(errors.New("no")) }))
	structured := func(body string) event.Record {
		return event.Record{Key: []byte("k"), Value: []byte(body), Headers: []event.Header{{Key: "Content-Type", Value: []byte("application/cloudevents+json; charset=utf-8")}}}
	}
	produce(t, bus, madeTopic, structured(`{"specversion":"1.0","id":"1","source":"/s","type":"test.made","data":{"id":"k","n":1}}`),
		structured("{"), structured(`{"type":"test.made"}`), made("k", 2))
	eventually(t, s, "all are parked", func() bool { return len(parked(t, s, store.Selection{})) == 4 })
	for query, want := range map[string]string{"": "[test.made  test.made test.made]", "?type=test.*": "[test.made test.made test.made]"} {
		var page admin.Records
		ask(t, s, "GET", "/parked"+query, nil, &page)
		types := []string{}
		for _, r := range page.Records {
			types = append(types, r.Type)
		}
		if got := fmt.Sprint(types); got != want {
			t.Errorf("types of /parked%s are %s, want %s", query, got, want)
		}
	}
}

// TestAdminShowsAnyTime: a time that JSON does not have can be looked at.
func TestAdminShowsAnyTime(t *testing.T) {
	bus := cluster(t)
	s, _ := start(t, bus, "picky", t.TempDir(), quick, picky(func(Made) error { return event.Reject(errors.New("no")) }))
	late := made("a", 1)
	for i, h := range late.Headers {
		if h.Key == "ce_time" {
			late.Headers[i].Value = []byte("9999-12-31T23:59:59-12:00")
		}
	}
	produce(t, bus, madeTopic, late)
	eventually(t, s, "it is parked", func() bool { return len(parked(t, s, store.Selection{})) == 1 })
	if code := ask(t, s, "GET", "/parked/test.made/0@0", nil, nil); code != http.StatusOK {
		t.Errorf("show = %d, want 200", code)
	}
}

func TestAdminPages(t *testing.T) {
	bus := cluster(t)
	s, _ := start(t, bus, "picky", t.TempDir(), quick, picky(func(Made) error { return event.Reject(errors.New("no")) }))
	var records []event.Record
	for i := range 25 {
		r := made(fmt.Sprint("k", i), 1)
		if i%2 == 0 {
			r = event.Encode(event.Envelope{ID: fmt.Sprint(i), Source: "/f", Type: "test.made", Version: 9, Key: "v"}, []byte("{}"))
			r.Key = nil
		}
		records = append(records, r)
	}
	produce(t, bus, madeTopic, records...)
	eventually(t, s, "all are dead", func() bool { return len(parked(t, s, store.Selection{State: store.StateDead})) == 25 })
	for query, want := range map[string]int{"": 25, "&type=test.*": 25, "&type=other": 0, "&key=k1": 1, "&error=VERSION+9": 13, "&id=test.made/0@3": 1} {
		for _, limit := range []int{1, 4, 25, 1000} {
			seen := map[string]bool{}
			for after := ""; ; {
				var page admin.Records
				ask(t, s, "GET", fmt.Sprintf("/parked?limit=%d&after=%s%s", limit, after, query), nil, &page)
				for _, r := range page.Records {
					if seen[r.ID] {
						t.Errorf("query %q by %d has %s twice", query, limit, r.ID)
					}
					seen[r.ID] = true
				}
				if after = page.Next; after == "" {
					break
				}
			}
			if len(seen) != want {
				t.Errorf("query %q by %d has %d records, want %d", query, limit, len(seen), want)
			}
		}
	}
}

func TestAdminRefusals(t *testing.T) {
	s, stop := start(t, cluster(t), "picky", t.TempDir(), quick, picky(func(Made) error { return nil }))
	for _, tc := range []struct {
		method, path, body string
		code               int
	}{
		{"GET", "/parked?state=odd", "", 400}, {"GET", "/parked?limit=0", "", 400}, {"GET", "/parked?after=x", "", 400}, {"GET", "/parked?id=x", "", 400},
		{"GET", "/parked/t/x", "", 400}, {"GET", "/parked/t/0@1", "", 404}, {"POST", "/deadletters/burn", "{}", 404},
		{"POST", "/deadletters/redrive", `{"refs":[{"id":"x"}]}`, 400}, {"POST", "/deadletters/redrive", `{`, 400},
		{"PUT", "/deadletters/t/0@1", `{}`, 404}, {"GET", "/jobs?state=odd", "", 400}, {"GET", "/jobs?after=x", "", 400},
		{"POST", "/jobs/burn", "{}", 404}, {"GET", "/nope", "", 404}, {"DELETE", "/jobs", "", 405}, {"GET", "", "", 200}, {"GET", "/lag", "", 200},
	} {
		if code := ask(t, s, tc.method, tc.path, tc.body, nil); code != tc.code {
			t.Errorf("%s %s %s = %d, want %d", tc.method, tc.path, tc.body, code, tc.code)
		}
	}
	w := httptest.NewRecorder()
	s.Admin().ServeHTTP(w, httptest.NewRequest("GET", "/services/other/lag", nil))
	if w.Code != 404 || !strings.Contains(w.Body.String(), "picky") {
		t.Errorf("another service = %d %s, want 404, and which there are", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	s.Admin().ServeHTTP(w, httptest.NewRequest("POST", "/services/picky/deadletters/redrive", strings.NewReader("{}")))
	if w.Code != 400 {
		t.Errorf("a change that a form could send = %d, want 400", w.Code)
	}
	stop()
	if code := ask(t, s, "GET", "/lag", nil, nil); code != 503 {
		t.Errorf("lag of a stopped service = %d, want 503", code)
	}
}

// TestAdminOddText: text that a database does not take is no fault of the service.
func TestAdminOddText(t *testing.T) {
	s, _ := start(t, cluster(t), "picky", t.TempDir(), quick, picky(func(Made) error { return nil }))
	for _, path := range []string{"/parked?topic=%00", "/parked?error=%ff", "/parked?key=%ff%00", "/parked?after=%00/0@1", "/parked/%ff/0@1", "/jobs?kind=%00", "/jobs?id=%ff",
		"/jobs?after=due%3D1%26kind%3D%2500"} {
		if code := ask(t, s, "GET", path, nil, nil); code >= 500 {
			t.Errorf("GET %s = %d", path, code)
		}
	}
	for path, ref := range map[string]admin.Ref{"/jobs/retry": {Kind: "\x00", ID: "1"}, "/deadletters/redrive": {ID: "\x00/0@1"}} {
		if code := ask(t, s, "POST", path, admin.Change{Refs: []admin.Ref{ref}}, nil); code >= 500 {
			t.Errorf("POST %s = %d", path, code)
		}
	}
}

func TestAdminJobs(t *testing.T) {
	var mended atomic.Bool
	var handled atomic.Int32
	s, _ := start(t, cluster(t), "worker", t.TempDir(), quick, func(s *service.Service) {
		job.OnDue(s, func(context.Context, *store.Tx, job.Due[check]) error {
			if !mended.Load() {
				return event.Reject(errors.New("no"))
			}
			handled.Add(1)
			return nil
		})
	})
	if err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for _, id := range []string{"1", "2"} {
			if err := job.At(ctx, tx, time.Now(), id, check{id}); err != nil {
				return err
			}
		}
		return job.At(ctx, tx, time.Now().Add(time.Hour), "3", check{"3"})
	}); err != nil {
		t.Fatal(err)
	}
	var dead admin.Jobs
	eventually(t, s, "two are dead", func() bool {
		dead = admin.Jobs{}
		ask(t, s, "GET", "/jobs?state=dead&limit=1", nil, &dead)
		// A page and the counts are read one after the other, and jobs die in between.
		return len(dead.Jobs) == 1 && len(dead.Counts) == 2 && dead.Counts[0].Jobs == 2
	})
	var next admin.Jobs
	ask(t, s, "GET", "/jobs?state=dead&limit=1&after="+strings.ReplaceAll(dead.Next, "&", "%26"), nil, &next)
	if len(next.Jobs) != 1 || next.Jobs[0].ID == dead.Jobs[0].ID || !strings.Contains(next.Jobs[0].Error, "no") || next.Jobs[0].Body == nil {
		t.Fatalf("the second page is %+v after %+v", next, dead)
	}
	mended.Store(true)
	var out admin.Outcomes
	one, two := dead.Jobs[0], next.Jobs[0]
	change := admin.Change{Refs: []admin.Ref{{Kind: one.Kind, ID: one.ID, Version: one.Version}, {Kind: one.Kind, ID: "3"}, {Kind: two.Kind, ID: two.ID, Version: "x"}}}
	if ask(t, s, "POST", "/jobs/retry", change, &out); !out.Outcomes[0].Done || out.Outcomes[1].Done || out.Outcomes[2].Done {
		t.Errorf("retry = %+v, want only the first done", out)
	}
	eventually(t, s, "it is handled", func() bool { return handled.Load() == 1 })
	if ask(t, s, "POST", "/jobs/discard", admin.Change{Refs: []admin.Ref{{Kind: two.Kind, ID: two.ID, Version: two.Version}}}, &out); !out.Outcomes[0].Done {
		t.Errorf("discard = %+v, want it done", out)
	}
	var left admin.Jobs
	if ask(t, s, "GET", "/jobs", nil, &left); len(left.Jobs) != 1 || left.Jobs[0].ID != "3" {
		t.Errorf("left are %+v, want the timer alone", left)
	}
}

func TestAdminLag(t *testing.T) {
	bus := cluster(t)
	block := make(chan struct{})
	s, _ := start(t, bus, "picky", t.TempDir(), service.Config{Batch: 1}, picky(func(m Made) error {
		if m.N == 1 {
			<-block
		}
		return nil
	}))
	defer close(block)
	produce(t, bus, madeTopic, made("a", 0), made("a", 1), made("a", 2))
	eventually(t, s, "a0 is done", func() bool { return rows(t, s)["a0"] == 1 })
	var lags admin.Lags
	ask(t, s, "GET", "/lag", nil, &lags)
	if len(lags.Lags) != 1 || lags.Lags[0].Position != 1 || lags.Lags[0].End != 3 || lags.Lags[0].Lag != 2 || lags.Lags[0].Seconds <= 0 {
		t.Errorf("lag is %+v, want 2 records behind position 1, with their age", lags)
	}
}

// TestTooMuchParked: a service that reads no more because too much is parked says so,
// and goes on when there is room.
func TestTooMuchParked(t *testing.T) {
	size := store.Parked{Record: made("a", -1)}.Size()
	for says, limit := range map[string]service.Config{
		"3 records are parked and the limit is 3":                                         {Parked: 3},
		"records of 3 keys are parked and the limit is 3":                                 {ParkedKeys: 3},
		fmt.Sprintf("records of %d bytes are parked and the limit is %d", 3*size, 3*size): {ParkedBytes: int(3 * size)},
	} {
		t.Run(strings.Fields(says)[2], func(t *testing.T) {
			bus := cluster(t)
			cfg := quick
			cfg.Parked, cfg.ParkedKeys, cfg.ParkedBytes = limit.Parked, limit.ParkedKeys, limit.ParkedBytes
			s, _ := start(t, bus, "picky", t.TempDir(), cfg, picky(func(m Made) error {
				if m.N < 0 {
					return event.Reject(errors.New("negative"))
				}
				return nil
			}))
			produce(t, bus, madeTopic, made("a", -1), made("b", -1), made("c", -1))
			eventually(t, s, "it is not ready", func() bool { return !s.Status().Ready })
			problems := strings.Join(s.Status().Problems, "\n")
			for _, want := range []string{says, "3 of them are dead letters", "tutti deadletters list --service picky"} {
				if !strings.Contains(problems, want) {
					t.Errorf("the problems are %q, want %q in them", problems, want)
				}
			}
			produce(t, bus, madeTopic, made("d", 1))
			if err := s.Discard(t.Context(), parked(t, s, store.Selection{Key: "a"})[0]); err != nil {
				t.Fatal(err)
			}
			eventually(t, s, "it reads on", func() bool { return s.Status().Ready && rows(t, s)["d1"] == 1 })
		})
	}
}

// TestBusyKeyBehindADeadLetter: what comes of a key whose first record is a dead letter
// does not keep others from going on.
func TestBusyKeyBehindADeadLetter(t *testing.T) {
	t.Parallel()
	bus := cluster(t)
	cfg := quick
	cfg.Unsynced = true
	s, _ := start(t, bus, "picky", t.TempDir(), cfg, picky(func(m Made) error {
		if m.ID == "busy" {
			return event.Reject(errors.New("no"))
		}
		return nil
	}))
	const behind = 12_000
	records := make([]event.Record, behind)
	for n := range records {
		records[n] = made("busy", n)
	}
	produce(t, bus, madeTopic, append(records, made("other", 1))...)
	eventually(t, s, "the other is done", func() bool { return rows(t, s)["other1"] == 1 })
	eventually(t, s, "it is ready, with all that is behind parked", func() bool { // it counts after the commit
		st := s.Status()
		return st.Ready && st.Parked == behind
	})
}

// TestHandlerRemoved: a parked record whose handler is gone becomes a dead letter that
// says so, and is handled once it is back.
func TestHandlerRemoved(t *testing.T) {
	bus, dir := cluster(t), t.TempDir()
	s, stop := start(t, bus, "picky", dir, service.Config{}, picky(func(Made) error { return event.Later(errors.New("not yet"), 50*time.Millisecond) }))
	produce(t, bus, madeTopic, made("a", 1), made("a", 2))
	eventually(t, s, "both are parked", func() bool { return len(parked(t, s, store.Selection{})) == 2 })
	stop()
	s, stop = start(t, bus, "picky", dir, service.Config{}, func(*service.Service) {})
	eventually(t, s, "a dead letter", func() bool { return len(parked(t, s, store.Selection{State: store.StateDead})) == 1 })
	if all := parked(t, s, store.Selection{}); len(all) != 2 || !strings.Contains(all[0].Error, "no handler for test.made") || all[1].State != store.StateWaiting {
		t.Errorf("parked: %+v, want the first dead because nobody handles it, and the second behind it", all)
	}
	stop()
	s, _ = start(t, bus, "picky", dir, service.Config{}, picky(func(Made) error { return nil }))
	eventually(t, s, "both are handled", func() bool { return len(parked(t, s, store.Selection{})) == 0 && rows(t, s)["a2"] == 1 })
}
