package saga_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/saga"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
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
		t.Errorf("%s: got\n%swant\n%s", name, got, want)
	}
}

// Messages of a process that has parts of every kind.
type (
	applied    struct{ ID string }
	withdrawn  struct{ ID string }
	checkIt    struct{ ID string }
	checked    struct{ ID string }
	checkBusy  struct{ ID string }
	signed     struct{ ID string }
	declined   struct{ ID string }
	payOut     struct{ ID string }
	paidOut    struct{ ID string }
	mailIt     struct{ ID string }
	remindIt   struct{ ID string }
	noteIt     struct{ ID string }
	unnoteIt   struct{ ID string }
	unnoted    struct{ ID string }
	cannotUndo struct{ ID string }
)

func (applied) Contract() event.Contract { return contract("loan.applied", "loan", event.KindEvent) }
func (withdrawn) Contract() event.Contract {
	return contract("loan.withdrawn", "loan", event.KindEvent)
}
func (checkIt) Contract() event.Contract {
	return contract("check.run", "check.command", event.KindCommand)
}
func (checked) Contract() event.Contract   { return contract("check.passed", "check", event.KindEvent) }
func (checkBusy) Contract() event.Contract { return contract("check.busy", "check", event.KindEvent) }
func (signed) Contract() event.Contract    { return contract("loan.signed", "loan", event.KindEvent) }
func (declined) Contract() event.Contract  { return contract("loan.declined", "loan", event.KindEvent) }
func (payOut) Contract() event.Contract    { return contract("pay.out", "pay.command", event.KindCommand) }
func (paidOut) Contract() event.Contract   { return contract("pay.done", "pay", event.KindEvent) }
func (mailIt) Contract() event.Contract {
	return contract("mail.send", "mail.command", event.KindCommand)
}
func (remindIt) Contract() event.Contract {
	return contract("mail.remind", "mail.command", event.KindCommand)
}
func (noteIt) Contract() event.Contract {
	return contract("note.make", "note.command", event.KindCommand)
}
func (unnoteIt) Contract() event.Contract {
	return contract("note.drop", "note.command", event.KindCommand)
}
func (unnoted) Contract() event.Contract { return contract("note.dropped", "note", event.KindEvent) }
func (cannotUndo) Contract() event.Contract {
	return contract("note.kept", "note", event.KindEvent)
}

func (m applied) Key() string    { return m.ID }
func (m withdrawn) Key() string  { return m.ID }
func (m checkIt) Key() string    { return m.ID }
func (m checked) Key() string    { return m.ID }
func (m checkBusy) Key() string  { return m.ID }
func (m signed) Key() string     { return m.ID }
func (m declined) Key() string   { return m.ID }
func (m payOut) Key() string     { return m.ID }
func (m paidOut) Key() string    { return m.ID }
func (m mailIt) Key() string     { return m.ID }
func (m remindIt) Key() string   { return m.ID }
func (m noteIt) Key() string     { return m.ID }
func (m unnoteIt) Key() string   { return m.ID }
func (m unnoted) Key() string    { return m.ID }
func (m cannotUndo) Key() string { return m.ID }

type loan struct {
	ID      string
	Large   bool
	Reminds int
	By      string
}

// everything has a part of every kind. Names have what could break a drawing.
func everything() *saga.Definition[loan] {
	return saga.Define("loan", 3,
		saga.StartedBy(func(l *loan, m event.Message[applied]) { l.ID = m.Key }),
		saga.CancelledBy(func(*loan, event.Message[withdrawn]) string { return "withdrawn" }),
		saga.From(2, func(old loan) (loan, error) { return old, nil }),
		saga.Step[loan]("application"),
		saga.Step("note",
			saga.Send(func(l *loan) noteIt { return noteIt{l.ID} }),
			saga.Undo(func(l *loan) unnoteIt { return unnoteIt{l.ID} },
				saga.Done(func(*loan, event.Message[unnoted]) {}),
				saga.Failed(func(*loan, event.Message[cannotUndo]) string { return "kept" }))).Tries(2, time.Hour),
		saga.Parallel("examination",
			saga.Step("check",
				saga.Send(func(l *loan) checkIt { return checkIt{l.ID} }),
				saga.Done(func(*loan, event.Message[checked]) {}),
				saga.Busy(func(*loan, event.Message[checkBusy]) string { return "busy" })).Within(90*time.Second).NothingToUndo(),
			saga.Sequence(
				saga.Wait("signature <\"now\">",
					saga.Done(func(*loan, event.Message[signed]) {}),
					saga.Failed(func(*loan, event.Message[declined]) string { return "declined" })).Within(30*24*time.Hour),
				saga.Sleep("think it over", func(*loan) time.Duration { return time.Hour }),
			),
			saga.Sub("trip", booking(), func(l *loan) (string, trip) { return "for-" + l.ID, trip{ID: "for-" + l.ID} }, func(*loan, trip) {}),
		),
		saga.If("large", func(l *loan) bool { return l.Large },
			saga.Decide("approval",
				saga.Accept("approve", func(l *loan, d saga.Decision) { l.By = d.By }),
				saga.Refuse("reject", func(*loan, saga.Decision) {})).Within(7*24*time.Hour),
			saga.Decide("second look",
				saga.Accept("fine", func(*loan, saga.Decision) {})).Within(time.Hour).Otherwise(func(*loan) {}),
			saga.If("never", func(*loan) bool { return false }, saga.Fail("forbidden", func(*loan) string { return "forbidden" })),
		),
		saga.While("reminders", 3, func(l *loan) bool { return l.Reminds < 2 },
			saga.Step("remind", saga.Send(func(l *loan) remindIt { l.Reminds++; return remindIt{l.ID} })).NothingToUndo(),
			saga.SleepUntil("a day", func(*loan) time.Time { return time.Now().Add(24 * time.Hour) }),
		),
		saga.Step("pay",
			saga.Send(func(l *loan) payOut { return payOut{l.ID} }),
			saga.Done(func(*loan, event.Message[paidOut]) {})).Attempts(0).Pivot(),
		saga.Step("mail", saga.Send(func(l *loan) mailIt { return mailIt{l.ID} })),
	)
}

func TestString(t *testing.T) { golden(t, "loan.txt", everything().String()) }

func TestMermaid(t *testing.T) { golden(t, "loan.mmd", everything().Mermaid()) }
