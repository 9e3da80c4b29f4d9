package saga_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/saga"
)

// refused is what Define says against a definition of some parts; empty if it takes it.
func refused(parts ...*saga.Node[story]) (why string) {
	defer func() {
		if err := recover(); err != nil {
			why = fmt.Sprint(err)
		}
	}()
	saga.Define("wrong", 1, parts...)
	return ""
}

func TestCheck(t *testing.T) {
	sends := saga.Send(func(s *story) do[a] { return do[a]{} })
	for want, parts := range map[string][]*saga.Node[story]{
		"no parts":                        {},
		`two parts are called "a"`:        {work[a](), work[a]()},
		"never reached":                   {saga.Fail("stop", func(*story) string { return "" }), work[a]()},
		`"x" has no Undo`:                 {saga.Step("x", sends), work[b]()},
		`although "b" can fail beside it`: {saga.Parallel("both", work[b](), saga.Step("x", sends))},
		"nobody will answer":              {saga.Step("x", saga.Done(func(*story, event.Message[did[a]]) {}))},
		"side by side":                    {saga.Parallel("both", work[a](), saga.Step("x", sends, saga.Done(func(*story, event.Message[did[a]]) {})).NothingToUndo())},
		"can fail after the pivot":        {work[a]().Pivot(), work[b]()},
		"waits for no event":              {saga.Wait[story]("nothing")},
		"no options":                      {saga.Decide[story]("nothing")},
		"at most 0 times":                 {saga.While("never", 0, func(*story) bool { return true }, work[a]())},
		"want 1 to 100 characters":        {saga.Step[story]("")},
		"which is for waits":              {work[a]().Otherwise(func(*story) {})},
		"named twice":                     {starts(), starts(), work[a]()},
		"a later iteration can fail":      {saga.While("loop", 5, func(*story) bool { return true }, saga.Step("x", sends))},
		`"x" takes did-a/1 as two replies`: {saga.Step("x", sends, saga.Undo(func(*story) undo[a] { return undo[a]{} }),
			saga.Done(func(*story, event.Message[did[a]]) {}),
			saga.Failed(func(*story, event.Message[did[a]]) string { return "" }))},
		`the undo of "x" takes gone-a/1 as two replies`: {saga.Step("x", sends, saga.Undo(func(*story) undo[a] { return undo[a]{} },
			saga.Done(func(*story, event.Message[gone[a]]) {}),
			saga.Busy(func(*story, event.Message[gone[a]]) string { return "" })))},
		`"x" takes news/1 as two replies`: {saga.Wait("x",
			saga.Failed(func(*story, event.Message[news]) string { return "" }),
			saga.Done(func(*story, event.Message[brief]) {}))},
		`"x" has two options "yes"`: {saga.Decide("x",
			saga.Accept("yes", func(*story, saga.Decision) {}), saga.Refuse("yes", func(*story, saga.Decision) {}))},
		`"x" can only fail: it has no Done or Otherwise`:   {bad()},
		`"x" can only fail: it has no Accept or Otherwise`: {saga.Decide("x", saga.Refuse("no", func(*story, saga.Decision) {}))},
		`"x" can only fail: it has no Done`:                {saga.Step("x", sends, saga.Failed(func(*story, event.Message[wont[a]]) string { return "" }))},
		`"x" has an Otherwise, but no Within`:              {bad().Otherwise(func(*story) {})},
		"negative":                                         {work[a]().Within(-1)},
		"its outcome is unknown when it":                   {saga.Step("x", sends, saga.Done(func(*story, event.Message[did[a]]) {}))},
	} {
		if got := refused(parts...); !strings.Contains(got, want) {
			t.Errorf("definition is refused with %q, want %q", got, want)
		}
	}
	answers := saga.CheckAnswers(nil, outer())
	if answers == nil || !strings.Contains(answers.Error(), "do-a/1, which nobody handles") || !strings.Contains(answers.Error(), "did-a/1, which nobody publishes") {
		t.Errorf("answers: %v", answers)
	}
}

// bad is a wait for bad news only.
func bad() *saga.Node[story] {
	return saga.Wait("x", saga.Failed(func(*story, event.Message[news]) string { return "bad news" }))
}

// A wait may be for bad news only, if it goes on without them.
func TestWaitForFailure(t *testing.T) {
	def := saga.Define("objections", 1, bad().Within(time.Hour).Otherwise(func(*story) {}))
	want := "objections/1\n\n1. x: wait\n   fails with news/1\n   goes on after 1h\n"
	if got := def.String(); got != want {
		t.Errorf("it is drawn as\n%swant\n%s", got, want)
	}
	if got := def.Mermaid(); strings.Contains(got, "wait for") {
		t.Errorf("it waits for nothing:\n%s", got)
	}
}

// A step that says nothing of its undo must not be what is done when a saga is cancelled,
// which can happen wherever it waits before the pivot.
func TestCheckCancel(t *testing.T) {
	leaves := func() *saga.Node[story] {
		return saga.Step("x", saga.Send(func(s *story) ended { return ended{s.ID, ""} }))
	}
	asks := func() *saga.Node[story] {
		return saga.Step("x", saga.Send(func(s *story) do[a] { return do[a]{s.ID, ""} }),
			saga.Done(func(*story, event.Message[did[a]]) {})).Attempts(0)
	}
	seals := func() *saga.Node[story] {
		return saga.Step("seal", saga.Send(func(s *story) ended { return ended{s.ID, ""} })).Pivot()
	}
	nap := func(name string) *saga.Node[story] {
		return saga.Sleep(name, func(*story) time.Duration { return time.Hour })
	}
	yes := func(*story) bool { return true }
	for name, of := range map[string]struct {
		want  string
		parts []*saga.Node[story]
	}{
		"sleep":             {`"x" has no Undo, although the process may be cancelled at "nap" after it`, parts(leaves(), nap("nap"))},
		"wait":              {`cancelled at "news" after it`, parts(leaves(), saga.Wait("news", saga.Done(func(*story, event.Message[news]) {})))},
		"decision":          {`cancelled at "ok" after it`, parts(leaves(), saga.Decide("ok", saga.Accept("yes", func(*story, saga.Decision) {})))},
		"pivot waits":       {`cancelled at "b" after it`, parts(leaves(), quiet[b]().Pivot())},
		"beside":            {`cancelled at "nap" beside it`, parts(saga.Parallel("both", nap("nap"), leaves()))},
		"beside the pivot":  {`cancelled at "b" beside it`, parts(saga.Parallel("both", quiet[b]().Pivot(), leaves()))},
		"pivot perhaps":     {`cancelled at "nap" after it`, parts(saga.If("maybe", yes, seals()), leaves(), nap("nap"))},
		"itself":            {`"x" has no Undo, although the process may be cancelled while it waits for an answer`, parts(asks())},
		"and later":         {`"x" has no Undo`, parts(asks(), nap("nap"))},
		"saga within":       {`"x" of saga sub/1, which is "within", has no Undo, although the process may be cancelled at "nap" after it`, parts(within(saga.Define("sub", 1, leaves())), nap("nap"))},
		"saga with a pivot": {"", parts(within(saga.Define("sub", 1, leaves(), seals())), nap("nap"))},
		"last":              {"", parts(nap("nap"), leaves())},
		"is the pivot":      {"", parts(asks().Pivot(), nap("nap"))},
		"after the pivot":   {"", parts(seals(), asks(), nap("nap"))},
		"pivot at once":     {"", parts(leaves(), seals(), nap("nap"))},
		"pivot either way":  {"", parts(saga.If("bad", yes, saga.Fail("no", func(*story) string { return "no" }), seals()), leaves(), nap("nap"))},
		"nothing to undo":   {"", parts(asks().NothingToUndo(), nap("nap"))},
		"other branch":      {"", parts(saga.If("maybe", yes, leaves(), nap("nap")))},
		"saga within, last": {"", parts(nap("nap"), within(saga.Define("sub", 1, leaves())))},
		"undo":              {"", parts(work[a](), nap("nap"))},
		"done before":       {"", parts(saga.Step[story]("before"), nap("nap"))},
	} {
		if got := refused(of.parts...); !strings.Contains(got, of.want) || of.want == "" && got != "" {
			t.Errorf("%s: the definition is refused with %q, want %q", name, got, of.want)
		}
	}
}

func parts(of ...*saga.Node[story]) []*saga.Node[story] { return of }

// quiet is work that can only be done, and that nothing has to undo.
func quiet[M mark]() *saga.Node[story] {
	return saga.Step(nameOf[M](), saga.Send(func(s *story) do[M] { return do[M]{s.ID, ""} }),
		saga.Done(func(*story, event.Message[did[M]]) {})).Attempts(0).NothingToUndo()
}
