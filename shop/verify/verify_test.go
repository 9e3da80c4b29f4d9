package verify

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/shop/catalogv1"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/store"
)

func violations(r Report) string {
	var b strings.Builder
	for name, inv := range r.Invariants {
		for _, v := range inv.Examples {
			fmt.Fprintf(&b, "\n%s: %v", name, v)
		}
	}
	return b.String()
}

func TestConsistent(t *testing.T) {
	f := newFixture(t)
	f.settle()
	log := f.fetched()
	r := judged(t.Context(), t, copyDatabases(t, f.stopped()), log, Config{Settled: true, Acknowledged: []string{"o1", "o5"}})
	if !r.OK() || r.Unsettled.Any() {
		t.Errorf("a consistent shop is not: %v%s", r.Unsettled, violations(r))
	}
	if r.Orders != 7 || r.Confirmed != 3 || r.Cancelled != 4 || r.Returns != 1 || r.Events == 0 || len(r.Invariants) != len(always)+1 {
		t.Errorf("report = %+v", r)
	}
}

func TestConsistentUnderWay(t *testing.T) {
	f := newFixture(t)
	f.settle()
	f.interrupt()
	log := f.fetched()
	dir := f.stopped()
	r := judged(t.Context(), t, copyDatabases(t, dir), log, Config{})
	if !r.OK() {
		t.Errorf("a consistent shop is not:%s", violations(r))
	}
	// Six services have yet to read of o6, o7 and, twice, o8; three of two reservations,
	// and four of a payment.
	if want := (Unsettled{Orders: 3, Jobs: 1, Messages: 34, Sagas: 1}); r.Unsettled != want {
		t.Errorf("under way is %v, want %v", r.Unsettled, want)
	}
	r = judged(t.Context(), t, copyDatabases(t, dir), log, Config{Settled: true})
	if r.Invariants[Settled].OK || r.Invariants[OrdersEnd].Violations != 3 {
		t.Errorf("invariants of what must be settled: %+v", r.Invariants)
	}
}

// stopped closes the databases and returns where they are.
func (f *fixture) stopped() string {
	f.close()
	return f.dir
}

// expect expects a violation, with the offending id unless it is empty.
func expect(t *testing.T, r Report, invariant, id string) {
	t.Helper()
	inv := r.Invariants[invariant]
	named := slices.ContainsFunc(inv.Examples, func(v Violation) bool { return id == "" || v.ID == id })
	if inv.OK || !named || r.OK() {
		t.Errorf("%s of %q is not found; found is:%s", invariant, id, violations(r))
	}
}

// TestRecovered: lanes that a database had before it was restored from a copy are no
// lie, although it has forgotten their numbers.
func TestRecovered(t *testing.T) {
	f := newFixture(t)
	f.settle()
	log := f.fetched()
	dir := copyDatabases(t, f.stopped())
	db, err := store.Open(t.Context(), filepath.Join(dir, "payment.db"), store.Config{Owner: "payment", Unsynced: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Reincarnate(t.Context()), db.Close()); err != nil {
		t.Fatal(err)
	}
	if r := judged(t.Context(), t, dir, log, Config{}); !r.OK() {
		t.Errorf("found is:%s", violations(r))
	}
}

// TestSpendIsLarge: what many large orders make is told as it is, beyond an int64.
func TestSpendIsLarge(t *testing.T) {
	const most = math.MaxInt64
	s := newShop()
	for _, id := range []string{"o1", "o2", "o3"} {
		s.orders[id] = &order{id: id, customer: "c1", status: "confirmed", total: most}
	}
	found := newFindings(Config{})
	tr := newTrail(s, found)
	tr.reads.positions = map[event.Partition]store.Position{{Topic: orderv1.Topic.Name}: {Next: 9}}
	for i := range 3 {
		e := event.Envelope{ID: fmt.Sprint(i), Source: "/order", Type: ofOrder[confirmed].Type, Topic: orderv1.Topic.Name, Key: fmt.Sprint("o", i+1)}
		tr.take(e, []byte(`{"customerId":"c1","total":9223372036854775807}`))
	}
	r := judge(Config{Settled: true, Examples: 9}, s, tr, found)
	for _, want := range []string{"events that customer has read make 27670116110564327421", "orders and returns make 27670116110564327421"} {
		if got := violations(r); !strings.Contains(got, want) {
			t.Errorf("found is %s, want %q", got, want)
		}
	}
}

// TestDatabaseIsGone: a database that has said something is missed, also where no other
// says the same.
func TestDatabaseIsGone(t *testing.T) {
	f := newFixture(t)
	f.settle()
	f.did("catalog", `INSERT INTO products (sku, name, price, search) VALUES ('A', 'A', 1, 'a')`, catalogv1.Listed{SKU: "A", Name: "A", Price: 1})
	log := f.fetched()
	dir := copyDatabases(t, f.stopped())
	if r := judged(t.Context(), t, dir, log, Config{}); !r.OK() {
		t.Errorf("found is:%s", violations(r))
	}
	if err := os.Remove(filepath.Join(dir, "catalog.db")); err != nil {
		t.Fatal(err)
	}
	r := judged(t.Context(), t, dir, log, Config{})
	expect(t, r, Agree, "catalog")
	if !slices.Equal(r.Missing, []string{"catalog"}) || len(r.Invariants) != len(always)-1 {
		t.Errorf("missing is %v, and %d invariants were checked, want all but %s", r.Missing, len(r.Invariants), Kept)
	}
}

// TestPartOfAShop: what a part of a shop does not have is named, and nothing else is
// found.
func TestPartOfAShop(t *testing.T) {
	f := newFixture(t)
	f.settle()
	log := f.fetched()
	whole := f.stopped()
	var all []string
	for _, d := range newShop().databases() {
		all = append(all, d.owner)
	}
	for _, c := range []struct {
		has, lacks []string // one of them
		settled    bool
		missing    bool
	}{
		{has: []string{"order", "payment", "gateway-payment"}, missing: true},
		{has: []string{"order", "payment", "gateway-payment"}, settled: true, missing: true},
		{has: []string{"inventory", "customer"}, missing: true},
		{lacks: []string{"order"}, missing: true},
		{lacks: []string{"gateway-carrier"}, missing: true},
		{lacks: []string{"notification"}, missing: true},
		{lacks: []string{"notification", "gateway-mail"}, settled: true, missing: true},
		{lacks: []string{"customer"}, settled: true, missing: true},
		{lacks: []string{"storefront"}}, // it has done nothing yet
	} {
		dir := copyDatabases(t, whole)
		var want []string
		for _, name := range all {
			if slices.Contains(c.lacks, name) || c.has != nil && !slices.Contains(c.has, name) {
				want = append(want, name)
				if err := os.Remove(filepath.Join(dir, name+".db")); err != nil {
					t.Fatal(err)
				}
			}
		}
		if !c.missing {
			want = nil
		}
		r := judged(t.Context(), t, dir, log, Config{Settled: c.settled})
		if !slices.Equal(r.Missing, want) || r.OK() == c.missing || r.Unsettled.Any() {
			t.Errorf("of %+v is missing %v, want %v", c, r.Missing, want)
		}
		for name, inv := range r.Invariants {
			if name == Agree && inv.Violations != len(want) || name != Agree && !inv.OK {
				t.Errorf("of %+v is found:%s", c, violations(r))
				break
			}
		}
	}
}

// TestLogLies falsifies the log.
func TestLogLies(t *testing.T) {
	f := newFixture(t)
	f.settle()
	log := f.fetched()
	dir := f.stopped()
	find := func(typ, key string) (part, record int) {
		for i, p := range log {
			for j, r := range p.Records {
				e, _, err := event.Decode(r.Record)
				if err == nil && e.Type == typ && e.Key == key {
					return i, j
				}
			}
		}
		t.Fatalf("no %s of %s", typ, key)
		return 0, 0
	}
	// again is a record that says the same once more, as another event.
	again := func(r kafka.Consumed, id string, seq int64) kafka.Consumed {
		e, data, err := event.Decode(r.Record)
		if err != nil {
			t.Fatal(err)
		}
		e.ID, e.Seq = id, seq
		r.Record = event.Encode(e, data)
		return r
	}
	confirmed := orderv1.Confirmed{}.Contract().Type
	last := f.sent["order"][event.Partition{Topic: orderv1.Topic.Name}]
	part, at := find(confirmed, "o5")
	record := log[part].Records[at]
	envelope, _, err := event.Decode(record.Record)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name      string
		change    func(rs []kafka.Consumed) []kafka.Consumed
		invariant string // empty: it is no lie
		id        string
	}{
		{"sent twice", func(rs []kafka.Consumed) []kafka.Consumed { return append(rs, rs...) }, "", ""},
		{"published twice", func(rs []kafka.Consumed) []kafka.Consumed { return append(rs, again(record, "other", last+1)) }, Once, "o5"},
		{"id given twice", func(rs []kafka.Consumed) []kafka.Consumed { return append(rs, again(record, envelope.ID, last+1)) }, Once, envelope.ID},
		{"number given twice", func(rs []kafka.Consumed) []kafka.Consumed {
			return append(rs, again(record, "other", envelope.Seq))
		}, Once, "other"},
		{"event is missing", func(rs []kafka.Consumed) []kafka.Consumed { return slices.Delete(rs, at, at+1) }, Agree, "o5"},
		{"end is missing", func(rs []kafka.Consumed) []kafka.Consumed { return rs[:len(rs)-1] }, Agree, "o5"},
		{"unreadable body", func(rs []kafka.Consumed) []kafka.Consumed {
			rs[at].Value = []byte("{")
			return rs
		}, Agree, "o5"},
		{"confirmed and cancelled", func(rs []kafka.Consumed) []kafka.Consumed {
			e := envelope
			e.ID, e.Seq, e.Type = "other", last+1, orderv1.Cancelled{}.Contract().Type
			r := record
			r.Record = event.Encode(e, []byte("{}"))
			return append(rs, r)
		}, OrdersEnd, "o5"},
		{"answered what is not so", func(rs []kafka.Consumed) []kafka.Consumed {
			r := again(record, "other", last+1)
			e := decoded(t, r)
			e.Type = orderv1.Cancelled{}.Contract().Type
			r.Record = event.Encode(e, []byte(`{"unchanged":true}`))
			return append(rs, r)
		}, Directed, "o5"},
		{"foreign noise", func(rs []kafka.Consumed) []kafka.Consumed {
			return append(rs, kafka.Consumed{Record: event.Record{Value: []byte("?")}, Offset: record.Offset + 1})
		}, "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			changed := slices.Clone(log)
			changed[part].Records = c.change(slices.Clone(log[part].Records))
			r := judged(t.Context(), t, copyDatabases(t, dir), changed, Config{})
			if c.invariant != "" {
				expect(t, r, c.invariant, c.id)
			} else if !r.OK() {
				t.Errorf("found is:%s", violations(r))
			}
		})
	}
}

func decoded(t *testing.T, r kafka.Consumed) event.Envelope {
	t.Helper()
	e, _, err := event.Decode(r.Record)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestRun checks a whole directory, which stays as it is.
func TestRun(t *testing.T) {
	f := newFixture(t)
	f.settle()
	f.interrupt()
	t.Setenv("TMPDIR", t.TempDir())
	if _, err := Run(t.Context(), Config{Dir: f.dir}); err == nil || !strings.Contains(err.Error(), "the shop is running") {
		t.Errorf("Run() of a running shop = %v", err)
	}
	// What a killed process leaves: write-ahead logs, and nobody to fold them in.
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(dir, os.DirFS(f.dir)); err != nil {
		t.Fatal(err)
	}
	if wals, err := filepath.Glob(filepath.Join(dir, "*.db-wal")); err != nil || len(wals) < len(services) {
		t.Fatalf("the fixture has %d write-ahead logs: %v", len(wals), err)
	}
	before := contents(t, dir)
	r, err := Run(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK() || r.Orders != 10 || r.Unsettled.Orders != 3 {
		t.Errorf("report = %+v%s", r, violations(r))
	}
	after := contents(t, dir)
	if len(before) != len(after) {
		t.Errorf("%d files became %d", len(before), len(after))
	}
	for path, b := range before {
		if !bytes.Equal(b, after[path]) {
			t.Errorf("%s was changed", path)
		}
	}
	falsify(t, dir, "order", `UPDATE orders SET total = 1 WHERE id = 'o1'`)
	if r, err = Run(t.Context(), Config{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	expect(t, r, Amounts, "o1")
	if left, err := filepath.Glob(filepath.Join(os.TempDir(), "shop-verify-*")); err != nil || len(left) > 0 {
		t.Errorf("copies are left: %v, %v", left, err)
	}
}

// A data directory, and what is in it, may be links to other disks.
func TestRunFollowsLinks(t *testing.T) {
	f := newFixture(t)
	f.settle()
	f.interrupt()
	real, moved := t.TempDir(), t.TempDir()
	if err := os.CopyFS(real, os.DirFS(f.dir)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"broker", "order.db", "order.db-wal"} {
		if err := os.Rename(filepath.Join(real, name), filepath.Join(moved, name)); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	for to, from := range map[string]string{
		real:                             link,
		filepath.Join(moved, "broker"):   filepath.Join(real, "broker"),
		filepath.Join(moved, "order.db"): filepath.Join(real, "order.db"),
	} {
		if err := os.Symlink(to, from); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Run(t.Context(), Config{Dir: link})
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK() || r.Orders != 10 {
		t.Errorf("report = %+v%s", r, violations(r))
	}
}

func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		out[path], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestNoShop(t *testing.T) {
	empty := t.TempDir()
	noLog := t.TempDir()
	if err := os.WriteFile(filepath.Join(noLog, "order.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		filepath.Join(empty, "none"): "no such file",
		empty:                        "has no databases",
		noLog:                        "the log is not in it",
	} {
		if _, err := Run(t.Context(), Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Run(%s) = %v, want %q in it", dir, err, want)
		}
	}
}
