package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/admin"
	"github.com/tutti-go/tutti/internal/cli"
	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/store"
)

// Messages of a claim, which is noted, approved by a person, signed and paid.
type (
	noteIt  struct{ ID string }
	noted   struct{ ID string }
	dropIt  struct{ ID string }
	dropped struct{ ID string }
	dry     struct{ ID string }
	signed  struct{ ID string }
	payIt   struct{ ID string }
	closed  struct{ ID string }
)

func message(typ, topic string, kind event.Kind) event.Contract {
	return event.Contract{Type: typ, Version: 1, Topic: event.Topic{Name: topic}, Kind: kind}
}

func (noteIt) Contract() event.Contract {
	return message("note.make", "note.command", event.KindCommand)
}
func (dropIt) Contract() event.Contract {
	return message("note.drop", "note.command", event.KindCommand)
}
func (noted) Contract() event.Contract { return message("note.made", "note", event.KindEvent) }
func (dropped) Contract() event.Contract {
	return message("note.dropped", "note", event.KindEvent)
}
func (dry) Contract() event.Contract    { return message("note.dry", "note", event.KindEvent) }
func (signed) Contract() event.Contract { return message("claim.signed", "claim", event.KindEvent) }
func (payIt) Contract() event.Contract {
	return message("claim.pay", "claim.command", event.KindCommand)
}
func (closed) Contract() event.Contract { return message("claim.closed", "claim", event.KindEvent) }

func (m noteIt) Key() string  { return m.ID }
func (m noted) Key() string   { return m.ID }
func (m dropIt) Key() string  { return m.ID }
func (m dropped) Key() string { return m.ID }
func (m dry) Key() string     { return m.ID }
func (m signed) Key() string  { return m.ID }
func (m payIt) Key() string   { return m.ID }
func (m closed) Key() string  { return m.ID }

type claimState struct {
	ID string `json:"id"`
	By string `json:"by,omitempty"`
}

func claimSaga() *saga.Definition[claimState] {
	return saga.Define("claim", 2,
		saga.Step("note",
			saga.Send(func(c *claimState) noteIt { return noteIt{c.ID} }),
			saga.Done(func(*claimState, event.Message[noted]) {}),
			saga.Undo(func(c *claimState) dropIt { return dropIt{c.ID} },
				saga.Done(func(*claimState, event.Message[dropped]) {}),
				saga.Failed(func(*claimState, event.Message[dry]) string { return "the ink is dry" }))).Tries(1, time.Minute),
		saga.Parallel("papers",
			saga.Decide("approval",
				saga.Accept("approve", func(c *claimState, d saga.Decision) { c.By = d.By }),
				saga.Refuse("reject", func(*claimState, saga.Decision) {})).Within(72*time.Hour),
			saga.Wait("signature", saga.Done(func(*claimState, event.Message[signed]) {})).Within(30*24*time.Hour)),
		saga.Step("pay", saga.Send(func(c *claimState) payIt { return payIt{c.ID} })).Pivot(),
		saga.Sleep("rest", func(*claimState) time.Duration { return 48*time.Hour + time.Minute }),
		saga.Step("close", saga.Send(func(c *claimState) closed { return closed{c.ID} })),
	)
}

// claims has the system's service direct claims, and note them as well. What is noted
// cannot be dropped until the system is mended.
func claims(engine **saga.Engine) func(*system) {
	return func(s *system) {
		*engine = saga.Register(s.svc, saga.Config{}, claimSaga())
		event.Publishes[noted](s.svc)
		event.Publishes[dropped](s.svc)
		event.Publishes[dry](s.svc)
		event.On(s.svc, func(ctx context.Context, tx *store.Tx, m event.Message[noteIt]) error {
			return event.Publish(ctx, tx, noted{m.Body.ID})
		})
		event.On(s.svc, func(ctx context.Context, tx *store.Tx, m event.Message[dropIt]) error {
			if !s.mended.Load() {
				return event.Publish(ctx, tx, dry{m.Body.ID})
			}
			return event.Publish(ctx, tx, dropped{m.Body.ID})
		})
	}
}

// start starts claims, and waits until all of them ask for approval.
func (s *system) start(engine *saga.Engine, ids ...string) {
	s.t.Helper()
	for _, id := range ids {
		if err := s.svc.Write(s.t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := engine.Start(ctx, tx, "claim", id, claimState{ID: id})
			return err
		}); err != nil {
			s.t.Fatal(err)
		}
	}
	s.until("all ask for approval", func() bool { return s.sagas("deciding") == len(ids) })
}

// sagas counts instances by status.
func (s *system) sagas(status string) int {
	return strings.Count(s.must("sagas", "list", "--json", "--status", status), "\n")
}

func TestSagas(t *testing.T) {
	var engine *saga.Engine
	s := begin(t, claims(&engine))
	s.start(engine, "c1", "c2", "a/b%\x1b[2J")
	golden(t, "sagas-list.txt", s.must("sagas", "list"))
	golden(t, "sagas-limit.txt", s.must("sagas", "list", "--limit", "1", "--key", "c"))
	golden(t, "sagas-none.txt", s.must("sagas", "list", "--older", "1h"))
	golden(t, "sagas.json", s.must("sagas", "list", "--json", "--status", "deciding", "--younger", "1h"))
	golden(t, "sagas-definition.txt", s.must("sagas", "show", "--saga", "claim"))
	golden(t, "sagas-mermaid.txt", s.must("sagas", "show", "--mermaid"))
	golden(t, "sagas-show.txt", s.must("sagas", "show", "c1"))
	golden(t, "sagas-hard.txt", s.must("sagas", "show", "a/b%\x1b[2J"))

	golden(t, "sagas-decide.txt", s.must("sagas", "decide", "c1", "approve", "--by", "ada", "--note", "well done", "--verbose"))
	golden(t, "sagas-skip.txt", s.must("sagas", "skip", "c1", "--part", "signature", "--by", "ada", "--verbose"))
	golden(t, "sagas-past.txt", s.must("sagas", "show", "c1"))
	if out, err := s.tutti("sagas", "cancel", "c1"); !errors.Is(err, cli.Failed()) {
		t.Errorf("cancel of one that is past its pivot = %v, want that it was left alone", err)
	} else {
		golden(t, "sagas-cancel-late.txt", out)
	}
	if out, err := s.tutti("sagas", "decide", "c2", "burn"); !errors.Is(err, cli.Failed()) || !strings.Contains(out, "want one of approve, reject") {
		t.Errorf("decide for no option = %q, %v", out, err)
	}
	s.must("sagas", "decide", "c2", "reject", "--by", "ada")
	golden(t, "sagas-cancel.txt", s.must("sagas", "cancel", "a/b%\x1b[2J", "--note", "typo", "--by", "bob"))
	s.until("two are stuck", func() bool { return s.sagas("stuck") == 2 })
	golden(t, "sagas-stuck.txt", s.must("sagas", "list", "--status", "stuck", "--saga", "claim"))
	golden(t, "sagas-stuck-show.txt", s.must("sagas", "show", "c2"))
	golden(t, "sagas-retry-dry.txt", s.must("sagas", "retry", "--all", "--dry-run"))
	s.mended.Store(true)
	golden(t, "sagas-retry.txt", s.must("sagas", "retry", "--key", "c", "--verbose", "--by", "ada"))
	golden(t, "sagas-retry.json", s.must("sagas", "retry", "--all", "--json"))
	s.until("two are compensated", func() bool { return s.sagas("over") == 2 })
	golden(t, "sagas-over-show.txt", s.must("sagas", "show", "c2"))
	golden(t, "sagas-all.txt", s.must("sagas", "list", "--status", "all", "--key", "c"))
}

func TestSagasAreWronglyCalled(t *testing.T) {
	var engine *saga.Engine
	s := begin(t, claims(&engine))
	for _, tc := range []struct {
		args  string
		want  string
		usage bool
	}{
		{"list --status fine", `--status is "fine", want one of running`, true},
		{"list --limit -1", "--limit is -1", true},
		{"list --saga nothing", `there is no saga "nothing", only claim`, false},
		{"show nobody", `has no instance "nobody"`, false},
		{"decide nobody approve", `has no instance "nobody"`, false},
		{"decide nobody", "accepts 2 arg", true},
		{"retry", "nothing says which instances", true},
		{"retry c1 --all", "want one of them", true},
		{"retry --older 1h --all", "want one of them", true},
		{"skip c1", "--part is missing", true},
	} {
		_, err := s.tutti(append([]string{"sagas"}, strings.Fields(tc.args)...)...)
		var wrong interface{ Command() string }
		if err == nil || !strings.Contains(err.Error(), tc.want) || errors.As(err, &wrong) != tc.usage {
			t.Errorf("tutti sagas %s = %v, want %q, of the call: %v", tc.args, err, tc.want, tc.usage)
		}
	}
}

// TestSagaSelectionIsFrozen: one of the selection changes, and one more comes to fit,
// before a person has said yes: neither is touched.
func TestSagaSelectionIsFrozen(t *testing.T) {
	var engine *saga.Engine
	s := begin(t, claims(&engine))
	s.start(engine, "c1", "c2")
	var out bytes.Buffer
	con := s.console(&out, io.Discard, "")
	con.asks, con.in = true, &confirming{strings.NewReader("yes\n"), func() {
		s.start(engine, "c1", "c2", "c3")
		s.must("sagas", "decide", "c2", "approve")
	}}
	err := execute(t.Context(), []string{"sagas", "cancel", "--status", "deciding", "--by", "ada"}, con)
	if !errors.Is(err, cli.Failed()) {
		t.Errorf("cancel = %v, want that something was left alone", err)
	}
	golden(t, "sagas-frozen.txt", out.String())
	s.until("c1 is stuck", func() bool { return s.sagas("stuck") == 1 })
	if n := s.sagas("deciding") + s.sagas("running"); n != 2 {
		t.Errorf("%d are left alone, want c2 and c3", n)
	}
}

// TestSagaOfNoID: an id that is empty, as an unset variable of a script is, is no choice of
// any instance.
func TestSagaOfNoID(t *testing.T) {
	var engine *saga.Engine
	s := begin(t, claims(&engine))
	s.start(engine, "c1")
	for _, args := range [][]string{{"decide", "", "approve"}, {"cancel", ""}, {"cancel", "--key", ""}, {"skip", "", "--part", "approval"}} {
		if _, err := s.tutti(append([]string{"sagas"}, args...)...); err == nil || !strings.Contains(err.Error(), "is empty") {
			t.Errorf("tutti sagas %q = %v, want that the id is empty", args, err)
		}
	}
	if n := s.sagas("deciding"); n != 1 {
		t.Errorf("%d are deciding, want c1 as it was", n)
	}
}

func TestSagaCompletion(t *testing.T) {
	var engine *saga.Engine
	s := begin(t, claims(&engine))
	s.start(engine, "c1")
	for args, want := range map[string]string{
		"sagas list --saga ":                  "claim",
		"sagas list --status ":                "compensating",
		"sagas decide --saga claim ":          "c1",
		"sagas decide --saga claim c1 ":       "approve",
		"sagas retry --saga claim --status s": "stuck",
	} {
		fields := append([]string{"__complete"}, strings.Split(args, " ")...)
		if out := s.must(fields...); !strings.Contains("\n"+out, "\n"+want+"\n") {
			t.Errorf("completion of %q is %q, want %s in it", args, out, want)
		}
	}
}

// TestSagaParts draws what the live tests do not come by.
func TestSagaParts(t *testing.T) {
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	con := &console{out: &out}
	at := func(d time.Duration) time.Time { return now.Add(d) }
	con.parts([]admin.SagaPart{
		{Part: "application", Kind: "step", Stands: "done", Since: at(-time.Hour), Attempts: 2, Most: 3, Undo: "a.undo/1"},
		{Part: "large", Kind: "if", Stands: "waiting"},
		{Part: "loop", Kind: "while", Depth: 1, Stands: "waiting", Attempts: 2, Most: 9},
		{Kind: "iteration", Depth: 2, Note: "2", Stands: "waiting"},
		{Part: "ask[2]", Kind: "step", Depth: 3, Stands: "waiting", Pausing: true, Due: at(90 * time.Second), Attempts: 2, Most: 3},
		{Kind: "otherwise", Depth: 0, Stands: "never"},
		{Part: "never", Kind: "fail", Depth: 1, Stands: "never"},
		{Part: "both", Kind: "parallel", Stands: "waiting"},
		{Kind: "branch", Depth: 1, Note: "1", Stands: "unknown"},
		{Part: "silent", Kind: "step", Depth: 2, Stands: "unknown", Note: "silent: no answer within 1m", Undo: "s.undo/1"},
		{Part: "slow", Kind: "step", Depth: 1, Stands: "undoing", For: []string{"u.done/1", "u.failed/1"}, Due: at(125 * time.Minute), Attempts: 3, Most: 10},
		{Part: "again", Kind: "step", Depth: 1, Stands: "undoing", Pausing: true, Due: at(3 * time.Second), Note: "busy"},
		{Part: "child", Kind: "saga", Depth: 1, Stands: "waiting", Saga: &admin.SagaRef{Saga: "trip", ID: "t1", Status: "running"}},
		{Part: "gone", Kind: "saga", Depth: 1, Stands: "undone", Since: now, Saga: &admin.SagaRef{Saga: "trip", ID: "t1"}},
		{Part: "left", Kind: "wait", Stands: "dropped"},
		{Part: "pay", Kind: "step", Stands: "ahead", Command: "pay/1", Pivot: true},
		{Part: "news", Kind: "future", Stands: "odd"},
	}, now)
	golden(t, "sagas-parts.txt", out.String())
}

// TestSagaHints: what is printed for a person to type can be typed.
func TestSagaHints(t *testing.T) {
	for want, tc := range map[string]struct {
		id string
		admin.SagaNeed
	}{
		"a is stuck: tutti sagas retry|skip c1 --saga claim --part a":          {"c1", admin.SagaNeed{Part: "a"}},
		"a is stuck: tutti sagas retry|skip --saga claim --part a -- -x":       {"-x", admin.SagaNeed{Part: "a"}},
		"a b: tutti sagas decide c1 yes|'no way' --saga claim":                 {"c1", admin.SagaNeed{Part: "a b", Options: []string{"yes", "no way"}}},
		"a: tutti sagas decide --saga claim -- -x yes|no":                      {"-x", admin.SagaNeed{Part: "a", Options: []string{"yes", "no"}}},
		"a: tutti sagas decide --saga claim -- c1 yes|-1":                      {"c1", admin.SagaNeed{Part: "a", Options: []string{"yes", "-1"}}},
		"-p is stuck: tutti sagas retry|skip --saga claim --part -p -- '-y z'": {"-y z", admin.SagaNeed{Part: "-p"}},
	} {
		if got := need(admin.SagaDetail{SagaInstance: admin.SagaInstance{Saga: "claim", ID: tc.id}}, tc.SagaNeed); got != want {
			t.Errorf("need() = %q, want %q", got, want)
		}
	}
}

func TestSagasOfNone(t *testing.T) {
	s := begin(t)
	if _, err := s.tutti("sagas", "list"); err == nil || !strings.Contains(err.Error(), "no service there directs sagas") {
		t.Errorf("list where nothing directs sagas = %v", err)
	}
}
