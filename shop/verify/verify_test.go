package verify

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/shop/catalogv1"
	"github.com/tutti-go/tutti/shop/orderv1"
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

// lies are ways in which databases can be wrong.
var lies = []struct {
	name      string
	db        string
	sql       string
	settled   bool // it is wrong only once all is settled
	invariant string
	id        string
}{
	{"charge is gone", "gateway-payment", `DELETE FROM charges WHERE order_id = 'o1'`, false, ShippedPaid, "o1"},
	{"charge was taken back", "gateway-payment", `UPDATE charges SET void = 1, refunded = amount WHERE order_id = 'o1'`, false, ShippedPaid, "o1"},
	{"payment failed", "payment", `UPDATE payments SET status = 'failed' WHERE order_id = 'o1'`, false, ShippedPaid, "o1"},
	{"payment is not known", "payment", `DELETE FROM payments WHERE order_id = 'o1'`, false, ShippedPaid, "o1"},
	{"booked and unpaid", "gateway-carrier", `INSERT INTO bookings VALUES ('book-o2', 'o2', 1, 0)`, false, ShippedPaid, "o2"},
	{"scheduled and unpaid", "shipping", `UPDATE shipments SET status = 'scheduled' WHERE order_id = 'o2'`, false, ShippedPaid, "o2"},
	{"confirmed and not scheduled", "shipping", `UPDATE shipments SET status = 'booking' WHERE order_id = 'o5'`, false, ShippedPaid, "o5"},

	{"confirmed and not booked", "gateway-carrier", `UPDATE bookings SET called_off = 1 WHERE order_id = 'o5'`, false, ChargedShipped, "o5"},
	{"cancelled and charged", "gateway-payment", `INSERT INTO charges VALUES ('charge-o2', 'o2', 200, 1, 0, 0)`, false, ChargedShipped, "o2"},
	{"refund is gone", "gateway-payment", `UPDATE charges SET void = 0, refunded = 0 WHERE order_id = 'o3'`, false, ChargedShipped, "o3"},
	{"refund of a part", "gateway-payment", `UPDATE charges SET refunded = 499 WHERE order_id = 'o3'`, false, ChargedShipped, "o3"},
	{"scheduled, as if it were unpaid", "shipping", `UPDATE shipments SET paid = 0 WHERE order_id = 'o5'`, false, ShippedPaid, "o5"},
	{"charge without order", "gateway-payment", `INSERT INTO charges VALUES ('charge-o9', 'o9', 200, 1, 0, 0)`, false, ChargedShipped, "o9"},
	{"return not refunded", "gateway-payment", `DELETE FROM refunds WHERE charge = 'charge-o1'`, false, ChargedShipped, "o1"},

	{"stock leaks", "inventory", `UPDATE stock SET reserved = reserved + 1 WHERE sku = 'A'`, false, StockLive, "A"},
	{"stock is free", "inventory", `UPDATE stock SET reserved = reserved - 1 WHERE sku = 'B'`, false, StockLive, "B"},
	{"reservation is gone", "inventory", `DELETE FROM reservations WHERE order_id = 'o5'; UPDATE stock SET reserved = reserved - 7 WHERE sku = 'A'`, false, StockLive, "o5"},
	{"reservation of another quantity", "inventory", `UPDATE reservations SET lines = '[{"sku":"A","quantity":8}]' WHERE order_id = 'o5'; UPDATE stock SET reserved = reserved + 1 WHERE sku = 'A'`, false, StockLive, "o5"},
	{"reservation without order", "inventory", `INSERT INTO reservations VALUES ('o9', 'reserved', '[{"sku":"A","quantity":1}]'); UPDATE stock SET reserved = reserved + 1 WHERE sku = 'A'`, false, StockLive, "o9"},
	{"cancelled and reserved", "inventory", `UPDATE reservations SET status = 'reserved' WHERE order_id = 'o2'; UPDATE stock SET reserved = reserved + 2 WHERE sku = 'A'`, true, StockLive, "o2"},
	{"restock without return", "inventory", `INSERT INTO restocks VALUES ('r9', 'o1')`, false, StockLive, "r9"},
	{"restocked twice", "inventory", `UPDATE stock SET reserved = reserved - 1 WHERE sku = 'A'`, false, StockLive, "A"},

	{"more reserved than received", "inventory", `UPDATE stock SET received = 1 WHERE sku = 'A'; UPDATE receipts SET quantity = 1 WHERE sku = 'A'`, false, StockPositive, "A"},
	{"stock below nothing", "inventory", `UPDATE stock SET reserved = -1 WHERE sku = 'B'`, false, StockPositive, "B"},
	{"product out of nowhere", "inventory", `INSERT INTO stock VALUES ('C', 5, 0)`, false, StockPositive, "C"},
	{"stock out of nowhere", "inventory", `UPDATE stock SET received = received + 1 WHERE sku = 'B'`, false, StockPositive, "B"},

	{"order is lost in between", "order", `UPDATE orders SET status = 'placed' WHERE id = 'o1'`, true, OrdersEnd, "o1"},
	{"order is nowhere", "order", `UPDATE orders SET status = 'shipped' WHERE id = 'o1'`, false, OrdersEnd, "o1"},
	{"return is lost in between", "order", `UPDATE returns SET status = 'requested' WHERE id = 'r1'`, true, OrdersEnd, "r1"},
	{"return of a cancelled order", "order", `UPDATE returns SET order_id = 'o2' WHERE id = 'r1'`, false, OrdersEnd, "r1"},
	{"payment is nowhere", "payment", `UPDATE payments SET status = 'paid' WHERE order_id = 'o1'`, false, OrdersEnd, "o1"},

	{"charged twice", "gateway-payment", `INSERT INTO charges VALUES ('charge-o1-again', 'o1', 550, 1, 0, 0)`, false, Once, "o1"},
	{"booked twice", "gateway-carrier", `INSERT INTO bookings VALUES ('book-o1-again', 'o1', 1, 0)`, false, Once, "o1"},
	{"written about twice", "gateway-mail", `INSERT INTO mails VALUES ('confirmed:o1:again', 'o1', 1)`, false, Once, "o1"},
	{"told two things", "notification", `INSERT INTO notifications VALUES ('cancelled:o1', 'o1', 'c1', 'cancelled', 'queued', 1)`, false, Once, "o1"},
	{"told the wrong thing", "notification", `UPDATE notifications SET kind = 'cancelled' WHERE order_id = 'o1'`, false, Once, "confirmed:o1"},
	{"never told", "notification", `DELETE FROM notifications WHERE order_id = 'o1'`, true, Once, "o1"},
	{"mail never sent", "gateway-mail", `DELETE FROM mails WHERE order_id = 'o1'`, false, Once, "confirmed:o1"},

	{"spent too much", "customer", `UPDATE customers SET spend = spend + 1 WHERE id = 'c1'`, false, Spend, "c1"},
	{"customer forgotten", "customer", `DELETE FROM customers WHERE id = 'c2'`, false, Spend, "c2"},
	{"return did not count", "customer", `UPDATE customers SET spend = 550 WHERE id = 'c1'`, false, Spend, "c1"},
	{"orders not read", "customer", `UPDATE tutti_position SET next = 0; UPDATE customers SET spend = 0`, true, Spend, "c1"},

	{"total is wrong", "order", `UPDATE orders SET total = total - 1 WHERE id = 'o1'`, false, Amounts, "o1"},
	{"line is cheaper", "order", `UPDATE orders SET lines = '[{"sku":"A","quantity":7,"unitPrice":99}]' WHERE id = 'o5'`, false, Amounts, "o5"},
	{"charged too much", "gateway-payment", `UPDATE charges SET amount = amount + 1 WHERE order_id = 'o5'`, false, Amounts, "o5"},
	{"payment means another amount", "payment", `UPDATE payments SET amount = 1 WHERE order_id = 'o5'`, false, Amounts, "o5"},
	{"refund is too small", "gateway-payment", `UPDATE refunds SET amount = 99 WHERE charge = 'charge-o1'; UPDATE charges SET refunded = 99 WHERE order_id = 'o1'`, false, Amounts, "r1"},
	{"refund means another amount", "payment", `UPDATE refunds SET amount = 99`, false, Amounts, "r1"},
	{"given back in secret", "gateway-payment", `UPDATE charges SET refunded = refunded + 1 WHERE order_id = 'o1'`, false, Amounts, "o1"},
	{"given back for no return", "gateway-payment", `INSERT INTO refunds VALUES ('return-r9', 'charge-o5', 50, 1); UPDATE charges SET refunded = 50 WHERE order_id = 'o5'`, false, Amounts, "r9"},
	{"given back of another order", "gateway-payment", `UPDATE refunds SET charge = 'charge-o5'; UPDATE charges SET refunded = 0 WHERE order_id = 'o1'; UPDATE charges SET refunded = 100 WHERE order_id = 'o5'`, false, Amounts, "r1"},
	{"refund of no return", "payment", `INSERT INTO refunds VALUES ('r9', 'o5', 50, 'refunding')`, false, Amounts, "r9"},
	{"returned more than was ordered", "order", `UPDATE returns SET lines = '[{"sku":"A","quantity":4,"unitPrice":25}]'`, false, Amounts, "o1"},

	{"confirmed in secret", "order", `UPDATE orders SET status = 'confirmed' WHERE id = 'o2'`, false, Agree, "o2"},
	{"confirmation forgotten", "order", `UPDATE orders SET status = 'placed' WHERE id = 'o5'`, false, Agree, "o5"},
	{"cancellation forgotten", "order", `UPDATE orders SET status = 'cancelling' WHERE id = 'o4'`, false, Agree, "o4"},
	{"order in secret", "order", `INSERT INTO orders SELECT 'o9', customer, status, freed, total, placed_at, deadline, reason, request_hash, lines, history, 0 FROM orders WHERE id = 'o4'`, false, Agree, "o9"},
	{"payment forgotten", "payment", `UPDATE payments SET status = 'pending' WHERE order_id = 'o5'`, false, Agree, "o5"},
	{"payment not stored", "payment", `DELETE FROM payments WHERE order_id = 'o3'`, false, Agree, "o3"},
	{"release forgotten", "inventory", `UPDATE reservations SET status = 'refused' WHERE order_id = 'o2'`, false, Agree, "o2"},
	{"delivery forgotten", "shipping", `UPDATE shipments SET status = 'pending' WHERE order_id = 'o3'`, false, Agree, "o3"},
	{"paid in secret", "shipping", `UPDATE shipments SET paid = 1 WHERE order_id = 'o2'`, false, Agree, "o2"},
	{"paid in secret, and directed", "shipping", `UPDATE shipments SET paid = 1 WHERE order_id = 'd2'`, false, Agree, "d2"},
	{"payment did not get to shipping", "shipping", `UPDATE shipments SET paid = 0 WHERE order_id = 'o3'`, true, Agree, "o3"},
	{"return forgotten", "order", `DELETE FROM returns`, false, Agree, "r1"},
	{"restock forgotten", "inventory", `DELETE FROM restocks; UPDATE stock SET reserved = reserved + 1 WHERE sku = 'A'`, false, Agree, "r1"},
	{"refund forgotten", "payment", `UPDATE refunds SET status = 'refunding'`, false, Agree, "r1"},
	{"database is older than the log", "order", `UPDATE tutti_seq SET seq = seq - 1`, false, Agree, ""},
	{"log is older than the database", "order", `UPDATE tutti_seq SET seq = seq + 1`, false, Agree, ""},
	{"read what is not there", "order", `UPDATE tutti_position SET next = next + 1`, false, Agree, "order"},
	{"read numbers that are not there", "order", `UPDATE tutti_seen SET seq = seq + 1`, false, Agree, "order"},

	{"order is gone", "order", `DELETE FROM orders WHERE id = 'o1'`, false, Kept, "o1"},
	{"acknowledged order is gone", "order", `DELETE FROM orders WHERE id = 'o4'`, false, Kept, "o4"},

	{"saga gave up", "fulfilment", `UPDATE saga_done SET status = 'compensated' WHERE id = 'd1'`, false, Directed, "d1"},
	{"saga got through", "fulfilment", `UPDATE saga_done SET status = 'completed' WHERE id = 'd2'`, false, Directed, "d2"},
	{"saga is gone", "fulfilment", `DELETE FROM saga_done WHERE id = 'd2'`, false, Directed, "d2"},
	{"saga of nobody's", "fulfilment", sagaRow("saga_done", "o5", "completed"), false, Directed, "o5"},
	{"two sagas", "fulfilment", `UPDATE saga_done SET id = 'd1', saga = 'other' WHERE id = 'd2'`, false, Directed, "d1"},
	{"saga is not over", "fulfilment", `DELETE FROM saga_done WHERE id = 'd1'; ` + sagaRow("saga_live", "d1", "stuck"), true, Directed, "d1"},
	{"saga of no order", "fulfilment", sagaRow("saga_live", "o9", "running"), false, Kept, "o9"},

	{"job is left", "shipping", `INSERT INTO tutti_job VALUES ('shipping.calloff', 'o3', 0, 1, 'dead', 0, '{}', '', '', 0)`, true, Settled, "shop"},
	{"event not read", "customer", `UPDATE tutti_seen SET seq = seq - 1`, true, Settled, "shop"},
	{"position is set back", "payment", `UPDATE tutti_position SET next = next - 1 WHERE topic = 'shop.shipment'`, true, Settled, "payment"},
	{"position is gone", "notification", `DELETE FROM tutti_position`, true, Settled, "notification"},
	{"all that was read is gone", "inventory", `DELETE FROM tutti_position; DELETE FROM tutti_seen`, true, Settled, "inventory"},
	{"record is parked", "customer", `INSERT INTO tutti_parked (topic, part, pos, msgkey, state, attempts, due, since, error, headers, body)
		VALUES ('shop.order', 0, 0, 'o1', 'dead', 1, 1, 1, 'odd', '', '')`, true, Settled, "shop"},
}

func TestLies(t *testing.T) {
	f := newFixture(t)
	f.settle()
	log := f.fetched()
	dir := f.stopped()
	covered := map[string]bool{}
	for _, lie := range lies {
		covered[lie.invariant] = true
		t.Run(lie.name, func(t *testing.T) {
			t.Parallel()
			copied := copyDatabases(t, dir)
			falsify(t, copied, lie.db, lie.sql)
			r := judged(t.Context(), t, copied, log, Config{Settled: lie.settled, Acknowledged: []string{"o4"}})
			expect(t, r, lie.invariant, lie.id)
		})
	}
	for _, name := range append(always, Settled) {
		if !covered[name] {
			t.Errorf("no lie is against %s", name)
		}
	}
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
	expect(t, judged(t.Context(), t, dir, log, Config{}), Agree, "catalog")
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
