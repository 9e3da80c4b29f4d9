package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/cli"
	"github.com/tutti-go/tutti/internal/listen"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Thing is what the service of these tests handles.
type Thing struct {
	ID string `json:"id"`
	N  int    `json:"n"`
}

func (Thing) Contract() event.Contract {
	return event.Contract{Type: "test.thing.made", Version: 1, Topic: event.Topic{Name: "test.thing"}}
}

type alarm struct {
	ID string `json:"id"`
}

func (alarm) JobType() string { return "test.alarm" }

// system is a service that runs, with a broker, and what its handler does.
type system struct {
	t       *testing.T
	bus     *kafka.Bus
	brokers string
	admin   string
	svc     *service.Service
	mended  atomic.Bool
	mu      sync.Mutex
	handled []string
}

// begin starts a broker and a service. A thing of a negative number is rejected until
// the system is mended. The service may be given more to do.
func begin(t *testing.T, register ...func(*system)) *system {
	t.Helper()
	broker, err := kafka.Embed(kafka.BrokerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { broker.Close() })
	s := &system{t: t, brokers: strings.Join(broker.Addrs(), ",")}
	if s.bus, err = kafka.Connect(t.Context(), kafka.Config{Brokers: broker.Addrs()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.bus.Close)
	s.svc = service.New("picky", s.bus, service.Config{Database: "sqlite:" + filepath.Join(t.TempDir(), "picky.db"), Logger: slog.New(slog.DiscardHandler)})
	event.On(s.svc, func(_ context.Context, _ *store.Tx, m event.Message[Thing]) error {
		if m.Body.N < 0 && !s.mended.Load() {
			return event.Reject(fmt.Errorf("number %d is negative", m.Body.N))
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.handled = append(s.handled, fmt.Sprint(m.Body.ID, m.Body.N))
		return nil
	})
	job.OnDue(s.svc, func(_ context.Context, _ *store.Tx, d job.Due[alarm]) error {
		if !s.mended.Load() {
			return event.Reject(errors.New("the bell is broken"))
		}
		return nil
	})
	for _, fn := range register {
		fn(s)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- s.svc.Run(ctx) }()
	web, err := listen.Private(":0", s.svc.Admin(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.admin = web.URL()
	go func() { ended <- web.Run(ctx, time.Second) }()
	t.Cleanup(func() {
		stop()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
	select {
	case <-s.svc.Ready():
	case <-time.After(20 * time.Second):
		t.Fatal("the service is not ready")
	}
	return s
}

// thing is a record as a foreign producer writes it.
func thing(id string, n int) event.Record {
	e := event.Envelope{ID: fmt.Sprint(id, n), Source: "/test", Type: "test.thing.made", Version: 1, Key: id, CorrelationID: "c-" + id}
	return event.Encode(e, fmt.Appendf(nil, `{"id":%q,"n":%d}`, id, n))
}

// produce writes records.
func (s *system) produce(records ...event.Record) {
	s.t.Helper()
	p, err := s.bus.Producer("test")
	if err != nil {
		s.t.Fatal(err)
	}
	defer p.Close()
	for _, r := range records {
		p.Send(s.t.Context(), event.Partition{Topic: "test.thing"}, r, func(_ int64, err error) {
			if err != nil {
				s.t.Error(err)
			}
		})
	}
	if err := p.Flush(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// until waits for a condition.
func (s *system) until(what string, ok func() bool) {
	s.t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Fatalf("not in 10 s: %s", what)
}

// dead waits for so many dead letters.
func (s *system) dead(n int) {
	s.t.Helper()
	s.until(fmt.Sprint(n, " dead letters"), func() bool {
		all, err := s.svc.Parked(s.t.Context(), store.Selection{State: store.StateDead})
		return err == nil && len(all) == n
	})
}

func (s *system) done(what string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(" "+strings.Join(s.handled, " ")+" ", " "+what+" ")
}

// console answers what is typed to a command.
func (s *system) console(out, err io.Writer, typed string) *console {
	env := map[string]string{"TUTTI_ADMIN": s.admin, "TUTTI_BROKERS": s.brokers}
	return &console{in: strings.NewReader(typed), out: out, err: err, asks: typed != "", getenv: func(name string) string { return env[name] }}
}

// tutti runs a command, and returns what it prints.
func (s *system) tutti(args ...string) (string, error) {
	var out bytes.Buffer
	err := execute(s.t.Context(), args, s.console(&out, io.Discard, ""))
	return out.String(), err
}

// must is tutti for commands that do not fail.
func (s *system) must(args ...string) string {
	s.t.Helper()
	out, err := s.tutti(args...)
	if err != nil {
		s.t.Errorf("tutti %q: %v", args, err)
	}
	return out
}

var times = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z|"seconds":[0-9.e+-]+|dead\.\d\.\d+`)

// golden compares what was printed with a file. Times stand as they are long.
func golden(t *testing.T, name, got string) {
	t.Helper()
	got = times.ReplaceAllStringFunc(got, func(s string) string { return strings.Repeat("#", min(len(s), 20)) })
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: printed\n%swant\n%s", name, got, want)
	}
}

func TestDeadLetters(t *testing.T) {
	s := begin(t)
	raw := event.Record{Key: []byte("raw\x1b[2J"), Value: []byte{0, 1, 0xff}, Headers: []event.Header{{Key: "h", Value: []byte("a\x1b]0;x\u202e")}}}
	s.produce(thing("a", -1), thing("a", 2), thing("b", -2), raw)
	s.dead(3)
	golden(t, "list.txt", s.must("deadletters", "list"))
	golden(t, "list-all.txt", s.must("deadletters", "list", "--state", "all", "--key", "a"))
	golden(t, "list-limit.txt", s.must("deadletters", "list", "--limit", "1"))
	golden(t, "list.json", s.must("deadletters", "list", "--json", "--error", "NUMBER -2"))
	golden(t, "show.txt", s.must("deadletters", "show", "test.thing/0@0"))
	golden(t, "show-raw.txt", s.must("deadletters", "show", "test.thing/0@3", "--service", "picky"))
	golden(t, "redrive-dry.txt", s.must("deadletters", "redrive", "--type", "test.*", "--dry-run"))
	golden(t, "redrive-dry.json", s.must("deadletters", "redrive", "--all", "--dry-run", "--json"))
	s.dead(3)
	if out, err := s.tutti("deadletters", "redrive", "test.thing/0@1"); err == nil || !strings.Contains(err.Error(), "is no dead letter") {
		t.Errorf("redrive of one that waits = %q, %v, want that it is no dead letter", out, err)
	}
	s.mended.Store(true)
	golden(t, "redrive.txt", s.must("deadletters", "redrive", "--key", "a", "--verbose"))
	s.until("a2, which waited behind", func() bool { return s.done("a-1") && s.done("a2") })
	golden(t, "discard.json", s.must("deadletters", "discard", "test.thing/0@3", "test.thing/0@3", "--json"))
	s.dead(1)
	golden(t, "redrive-none.txt", s.must("deadletters", "redrive", "--error", "nothing has this"))
}

// confirming reads a yes only after the system has changed: as if a person thought it
// over meanwhile.
type confirming struct {
	io.Reader
	before func()
}

func (c *confirming) Read(p []byte) (int, error) {
	if c.before != nil {
		c.before()
		c.before = nil
	}
	return c.Reader.Read(p)
}

// TestSelectionIsFrozen: between the selection and the change one more dies, and one
// of the selection is tried again: neither is touched.
func TestSelectionIsFrozen(t *testing.T) {
	s := begin(t)
	s.produce(thing("a", -1), thing("b", -1))
	s.dead(2)
	var out bytes.Buffer
	con := s.console(&out, io.Discard, "")
	con.asks, con.in = true, &confirming{strings.NewReader("yes\n"), func() {
		s.produce(thing("c", -1))
		s.dead(3)
		before := s.svc.Status().Dead
		s.must("deadletters", "redrive", "test.thing/0@1")
		s.until("b has died again", func() bool { return s.svc.Status().Dead > before })
	}}
	err := execute(t.Context(), []string{"deadletters", "discard", "--error", "negative"}, con)
	if !errors.Is(err, cli.Failed()) {
		t.Errorf("discard = %v, want that something was skipped", err)
	}
	golden(t, "frozen.txt", out.String())
	left, err := s.svc.Parked(t.Context(), store.Selection{})
	if err != nil || len(left) != 2 || left[0].Key() != "b" || left[1].Key() != "c" {
		t.Errorf("left are %+v, %v, want b and c", left, err)
	}
}

// TestOneInstanceIsDown: the others answer for its service, if that is known to be all
// that is wanted.
func TestOneInstanceIsDown(t *testing.T) {
	s := begin(t)
	admin := "127.0.0.1:1," + s.admin
	if out, err := s.tutti("deadletters", "list", "--admin", admin, "--service", "picky"); err != nil || out != "0 dead letters\n" {
		t.Errorf("list of one service = %q, %v", out, err)
	}
	for _, service := range []string{"", "other"} {
		if _, err := s.tutti("deadletters", "list", "--admin", admin, "--service", service); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1/services") {
			t.Errorf("list of %q = %v, want who does not answer", service, err)
		}
	}
}

func TestDiscardAsks(t *testing.T) {
	s := begin(t)
	s.produce(thing("a", -1), thing("b", -1))
	s.dead(2)
	if _, err := s.tutti("deadletters", "discard", "--all"); err == nil || !strings.Contains(err.Error(), "want --yes") {
		t.Errorf("discard with nobody to ask = %v, want that --yes is missing", err)
	}
	if err := execute(t.Context(), []string{"deadletters", "discard", "--all"}, s.console(io.Discard, io.Discard, "y\n")); err == nil || !strings.Contains(err.Error(), "nothing is discarded") {
		t.Errorf("discard, not confirmed = %v, want nothing discarded", err)
	}
	s.dead(2)
	s.must("deadletters", "discard", "--all", "--yes")
	s.dead(0)
}

func TestEdit(t *testing.T) {
	s := begin(t)
	s.produce(thing("a", -1), thing("b", -1), thing("c", -1))
	s.dead(3)
	edit := func(editor, typed string, args ...string) (string, error) {
		var out bytes.Buffer
		con := s.console(&out, io.Discard, typed)
		env := con.getenv
		con.getenv = func(name string) string {
			if name == "EDITOR" {
				return editor
			}
			return env(name)
		}
		err := execute(t.Context(), append([]string{"deadletters", "edit"}, args...), con)
		return out.String(), err
	}
	if _, err := edit("", "", "test.thing/0@0"); err == nil || !strings.Contains(err.Error(), "$EDITOR") {
		t.Errorf("edit without an editor = %v", err)
	}
	if _, err := edit("", "", "test.thing/0@0", "--body", "{"); err == nil || !strings.Contains(err.Error(), "would not be understood") {
		t.Errorf("edit to broken JSON = %v, want it refused", err)
	}
	if _, err := edit("true", "", "test.thing/0@0"); err != nil {
		t.Errorf("edit that changes nothing = %v", err)
	}
	if _, err := edit("false", "", "test.thing/0@0"); err == nil || !strings.Contains(err.Error(), "nothing is changed") {
		t.Errorf("edit with an editor that fails = %v", err)
	}
	s.dead(3)
	out, err := edit("sed -i s/-1/1/", "", "test.thing/0@0")
	if err != nil || !strings.Contains(out, "edited and redriven: test.thing/0@0 of picky") {
		t.Errorf("edit = %q, %v", out, err)
	}
	if out, err := edit("", `{"id":"b","n":2}`, "test.thing/0@1", "--file", "-", "--json"); err != nil || !strings.Contains(out, `"done":true`) {
		t.Errorf("edit from standard input = %q, %v", out, err)
	}
	s.until("both are handled", func() bool { return s.done("a1") && s.done("b2") })
	if out, err := edit("", "", "test.thing/0@2", "--body", `{"id":"c","n":3}`, "--dry-run"); err != nil || out != "would become {\"id\":\"c\",\"n\":3}\n" {
		t.Errorf("edit --dry-run = %q, %v", out, err)
	}
	s.dead(1)
}

// TestEditIsKept: what was written for a dead letter that has changed meanwhile is not
// thrown away.
func TestEditIsKept(t *testing.T) {
	s := begin(t)
	s.produce(thing("a", -1))
	s.dead(1)
	var said bytes.Buffer
	con := s.console(io.Discard, &said, "")
	con.in = &confirming{strings.NewReader("\n"), func() {
		before := s.svc.Status().Dead
		s.must("deadletters", "redrive", "test.thing/0@0")
		s.until("a has died again", func() bool { return s.svc.Status().Dead > before })
	}}
	env := con.getenv
	con.getenv = func(name string) string {
		if name == "EDITOR" {
			return "read -r line; sed -i s/-1/1/"
		}
		return env(name)
	}
	t.Setenv("TMPDIR", t.TempDir())
	err := execute(t.Context(), []string{"deadletters", "edit", "test.thing/0@0"}, con)
	if !errors.Is(err, cli.Failed()) {
		t.Errorf("edit = %v, want it skipped", err)
	}
	path := filepath.Join(os.TempDir(), "tutti-edit-*", "body.json")
	kept, err := filepath.Glob(path)
	if err != nil || len(kept) != 1 || !strings.Contains(said.String(), kept[0]) {
		t.Fatalf("kept is %v, %v, and said %q", kept, err, said.String())
	}
	s.must("deadletters", "edit", "test.thing/0@0", "--file", kept[0])
	s.until("it is handled", func() bool { return s.done("a1") })
}

func TestJobs(t *testing.T) {
	s := begin(t)
	if err := s.svc.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for _, id := range []string{"1", "2"} {
			if err := job.At(ctx, tx, time.Now(), id, alarm{id}); err != nil {
				return err
			}
		}
		return job.At(ctx, tx, time.Now().Add(time.Hour), "3", alarm{"3"})
	}); err != nil {
		t.Fatal(err)
	}
	s.until("two dead jobs", func() bool { return strings.HasPrefix(lastLine(s.must("jobs")), "2 dead") })
	golden(t, "jobs.txt", s.must("jobs", "list"))
	golden(t, "jobs-limit.txt", s.must("jobs", "--limit", "1", "--state", "dead"))
	if n := strings.Count(s.must("jobs", "--json", "--kind", "test.alarm"), "\n"); n != 3 {
		t.Errorf("jobs --json has %d lines, want 3", n)
	}
	if _, err := s.tutti("jobs", "retry", "test.alarm", "3"); err == nil || !strings.Contains(err.Error(), "is no dead job") {
		t.Errorf("retry of a timer that waits = %v", err)
	}
	for _, args := range [][]string{{"test.alarm", ""}, {"", "1"}} { // as where a script has an unset variable
		if _, err := s.tutti(append([]string{"jobs", "retry"}, args...)...); err == nil || !strings.Contains(err.Error(), "is empty") {
			t.Errorf("retry of %q = %v, want that one is empty", args, err)
		}
	}
	s.mended.Store(true)
	golden(t, "jobs-retry.txt", s.must("jobs", "retry", "test.alarm", "1", "--verbose"))
	golden(t, "jobs-discard.txt", s.must("jobs", "discard", "--error", "BELL"))
	s.until("one is left", func() bool { return lastLine(s.must("jobs")) == "0 dead, 0 running, 1 waiting" })
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

func TestTopicsAndLag(t *testing.T) {
	s := begin(t)
	s.produce(thing("a", 1), thing("b", 2))
	s.until("the offsets are committed", func() bool { return strings.Contains(s.must("topics"), "picky (lag 0)") })
	var line struct {
		Name      string
		Records   int64
		Retention int64 `json:"retentionMs"`
		Consumers []struct{ Group string }
	}
	if err := json.Unmarshal([]byte(s.must("topics", "test.thing", "--json")), &line); err != nil || line.Name != "test.thing" || line.Records != 2 ||
		line.Retention != -1 || len(line.Consumers) != 1 || line.Consumers[0].Group != "picky" {
		t.Errorf("topics --json is %+v, %v", line, err)
	}
	if _, err := s.tutti("topics", "nope"); err == nil || !strings.Contains(err.Error(), "there is no topic nope, only test.thing") {
		t.Errorf("topics of one that is not there = %v", err)
	}
	golden(t, "lag.txt", s.must("lag"))
	golden(t, "lag.json", s.must("lag", "--json"))
	golden(t, "lag.txt", s.must("lag", "--kafka"))
	if _, err := s.tutti("lag", "--kafka", "--service", "nope"); err == nil || !strings.Contains(err.Error(), "no such group") {
		t.Errorf("lag of no group = %v", err)
	}
}

func TestTail(t *testing.T) {
	s := begin(t)
	structured := event.Record{
		Key: []byte("s"), Headers: []event.Header{{Key: "content-type", Value: []byte("application/cloudevents+json; charset=UTF-8")}},
		Value: []byte(`{"specversion":"1.0","id":"s1","source":"/s","type":"test.other","correlationid":"c-a","data":{"text":"\u009b2J"}}`),
	}
	raw := event.Record{Key: []byte("raw\x1b[2J"), Value: []byte{0, 1, 0xff}}
	s.produce(thing("a", 1), structured, raw, thing("b", 2), thing("a", 3))
	for name, args := range map[string][]string{
		"tail.txt":             nil,
		"tail-type.txt":        {"--type", "test.o*"},
		"tail-key.txt":         {"--key", "a"},
		"tail-correlation.txt": {"--correlation", "c-a", "--topic", "test.*"},
		"tail-last.txt":        {"--from", "-2"},
		"tail-offset.txt":      {"--from", "3", "--limit", "1"},
		"tail-ago.txt":         {"--from", "1h", "--limit", "1"},
		"tail-end.txt":         {"--from", "end"},
		"tail.json":            {"--json"},
	} {
		golden(t, name, s.must(append([]string{"tail", "--follow=false"}, args...)...))
	}
	all := s.must("tail", "--follow=false")
	for _, from := range []string{"1960-01-01", "1969-12-31T23:59:59.999Z", "2000000h"} { // before there were times in Kafka
		if got := s.must("tail", "--follow=false", "--from", from); got != all {
			t.Errorf("tail --from %s prints %q, want all", from, got)
		}
	}
	if _, err := s.tutti("tail", "--topic", "nope"); err == nil || !strings.Contains(err.Error(), "no topic is nope: there are test.thing") {
		t.Errorf("tail of a topic that is not there = %v", err)
	}
}

// TestTailFollows: it prints what comes after it began, and Ctrl-C ends it cleanly.
func TestTailFollows(t *testing.T) {
	s := begin(t)
	s.produce(thing("old", 1))
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := execute(ctx, []string{"tail", "--from", "-1"}, s.console(in, io.Discard, ""))
		in.Close()
		ended <- err
	}()
	buffer := make([]byte, 4096)
	n, err := out.Read(buffer)
	if err != nil || !strings.Contains(string(buffer[:n]), "key=old") {
		t.Fatalf("tail prints %q, %v, want the last one", buffer[:n], err)
	}
	s.produce(thing("new", 2))
	if n, err = out.Read(buffer); err != nil || !strings.Contains(string(buffer[:n]), "key=new") {
		t.Errorf("tail prints %q, %v, want the new one", buffer[:n], err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("tail ended with %v, want nil", err)
	}
}

// TestTailOfKafkaThatIsGone: what is to end ends, and who follows is told.
func TestTailOfKafkaThatIsGone(t *testing.T) {
	broker, err := kafka.Embed(kafka.BrokerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	bus, err := kafka.Connect(t.Context(), kafka.Config{Brokers: broker.Addrs()})
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	if err := errors.Join(bus.EnsureTopics(t.Context(), []event.Topic{{Name: "gone"}}), broker.Close()); err != nil {
		t.Fatal(err)
	}
	p := event.Partition{Topic: "gone"}
	for _, follow := range []bool{false, true} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		reader, writer := io.Pipe()
		said := make(chan string, 1)
		go func() {
			line := make([]byte, 500)
			n, _ := reader.Read(line)
			said <- string(line[:n])
			cancel()
		}()
		tail := &tailing{follow: follow, asks: 50 * time.Millisecond}
		err := tail.read(ctx, &console{out: io.Discard, err: writer}, bus, map[event.Partition]int64{p: 0}, map[event.Partition]int64{p: 1})
		ended := ctx.Err() == nil
		_ = writer.Close()
		if got := <-said; follow != strings.Contains(got, "waiting for Kafka: ") || follow == ended || follow == (err != nil) {
			t.Errorf("with --follow=%v tail ended with %v, and said %q", follow, err, got)
		}
	}
}
