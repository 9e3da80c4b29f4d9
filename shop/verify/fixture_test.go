package verify

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/shop/catalogv1"
	"github.com/tutti-go/tutti/shop/inventoryv1"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/paymentv1"
	"github.com/tutti-go/tutti/shop/shippingv1"
	"github.com/tutti-go/tutti/store"
)

// fixture writes a consistent shop, with the services' own tables but without the
// services: what they would have stored and published, step by step.
type fixture struct {
	t        *testing.T
	dir      string
	bus      *kafka.Bus
	producer *kafka.Producer
	dbs      map[string]*store.Store
	sent     map[string]map[event.Partition]int64 // the last number by service
	ends     map[event.Partition]int64
}

var services = []string{"order", "inventory", "payment", "shipping", "notification", "customer", "catalog", "storefront", "fulfilment"}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	ctx := t.Context()
	f := &fixture{t: t, dir: t.TempDir(), dbs: map[string]*store.Store{}, sent: map[string]map[event.Partition]int64{}, ends: map[event.Partition]int64{}}
	broker, err := kafka.Embed(kafka.BrokerConfig{Dir: filepath.Join(f.dir, "broker"), Unsynced: true})
	f.must(err)
	f.bus, err = kafka.Connect(ctx, kafka.Config{Brokers: broker.Addrs()})
	f.must(err)
	f.must(f.bus.EnsureTopics(ctx, []event.Topic{catalogv1.Topic, orderv1.Topic, inventoryv1.Topic, paymentv1.Topic, shippingv1.Topic, shippingv1.Commands}))
	f.producer, err = f.bus.Producer("fixture")
	f.must(err)
	publishes := map[event.Contract]bool{scheduleDelivery: true, catalogv1.Listed{}.Contract(): true}
	for _, c := range append(ofOrder[:], ofReturn[:]...) {
		publishes[c] = true
	}
	for _, name := range services {
		migrations := "../" + name + "/migrations"
		if name == "fulfilment" {
			migrations = "../../saga/migrations"
		}
		f.open(name, migrations, store.Config{Owner: name, Unsynced: true, Publishes: publishes, Partition: f.bus.Partition})
		_, _, err := f.dbs[name].TakeLane(ctx)
		f.must(err)
		f.sent[name] = map[event.Partition]int64{}
	}
	for _, name := range []string{"payment", "carrier", "mail"} {
		f.open("gateway-"+name, "../gateway/migrations/"+name, store.Config{Owner: "gateway-" + name, Unsynced: true})
	}
	t.Cleanup(func() {
		f.close()
		f.producer.Close()
		f.bus.Close()
		if err := broker.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) open(name, migrations string, cfg store.Config) {
	f.t.Helper()
	db, err := store.Open(f.t.Context(), filepath.Join(f.dir, name+".db"), cfg)
	f.must(err)
	f.dbs[name] = db
	f.must(db.Migrate(f.t.Context(), os.DirFS(migrations)))
}

// close closes the databases, as a stop does.
func (f *fixture) close() {
	for name, db := range f.dbs {
		if err := db.Close(); err != nil {
			f.t.Error(err)
		}
		delete(f.dbs, name)
	}
}

// did stores what a service did in one transaction, and sends what it published.
func (f *fixture) did(name, statements string, published ...event.Body) {
	f.t.Helper()
	c := f.commit(name, statements, published...)
	for _, e := range c.Events {
		f.send(name, e)
	}
	if c.Batch > 0 {
		f.must(f.dbs[name].Sweep(f.t.Context(), c.Batch))
	}
}

func (f *fixture) commit(name, statements string, published ...event.Body) store.Committed {
	f.t.Helper()
	ctx := f.t.Context()
	tx, err := f.dbs[name].Begin(ctx)
	f.must(err)
	for _, s := range strings.Split(statements, ";") {
		if strings.TrimSpace(s) != "" {
			f.must(tx.Exec(ctx, s))
		}
	}
	for _, body := range published {
		f.must(event.Publish(ctx, tx, body))
	}
	c, err := tx.Commit(ctx, store.Books{})
	f.must(err)
	return c
}

func (f *fixture) send(name string, e store.Sendable) {
	f.t.Helper()
	done := make(chan error, 1)
	f.producer.Send(f.t.Context(), e.Partition, e.Record, func(_ int64, err error) { done <- err })
	f.must(<-done)
	f.ends[e.Partition]++
	f.sent[name][e.Partition] = e.Seq
}

// consumed stores that a service has read some topics up to their ends.
func (f *fixture) consumed(name string, topics ...event.Topic) {
	f.t.Helper()
	ctx := f.t.Context()
	tx, err := f.dbs[name].Begin(ctx)
	f.must(err)
	var b store.Books
	for _, topic := range topics {
		p := event.Partition{Topic: topic.Name}
		b.Advance = append(b.Advance, store.Advance{Partition: p, To: f.ends[p], New: true})
		for writer, sent := range f.sent {
			if seq := sent[p]; seq > 0 {
				b.Seen = append(b.Seen, store.Seen{Partition: p, Lane: f.dbs[writer].Name() + ".0", Seq: seq})
			}
		}
	}
	_, err = tx.Commit(ctx, b)
	f.must(err)
}

type lines = []orderv1.Line

func text(v any) string {
	b, _ := json.Marshal(v) // plain values
	return string(b)
}

func sum(ls lines) (n int64) {
	for _, l := range ls {
		n += l.Quantity * l.UnitPrice
	}
	return n
}

// place is an order's first transaction.
func (f *fixture) place(id, customer string, ls lines) (string, orderv1.Placed) {
	t := text(sum(ls))
	return `INSERT INTO orders (id, customer, status, total, placed_at, deadline, request_hash, lines, history)
			VALUES ('` + id + `', '` + customer + `', 'placed', ` + t + `, 1, 2, 'h', '` + text(ls) + `', '')`,
		orderv1.Placed{OrderID: id, CustomerID: customer, Lines: ls, Total: sum(ls)}
}

// order takes an order through the services, until it is reserved.
func (f *fixture) reserve(id, customer string, ls lines) {
	statement, ev := f.place(id, customer, ls)
	f.did("order", statement, ev)
	f.did("payment", `INSERT INTO payments VALUES ('`+id+`', 'pending', `+text(sum(ls))+`, 'tok', '', 0, 0, '', 0)`)
	f.did("shipping", `INSERT INTO shipments VALUES ('`+id+`', 'pending', '{}', 0, 0, '', '', '', 0)`)
	var moves strings.Builder
	for _, l := range ls {
		moves.WriteString(`; UPDATE stock SET reserved = reserved + ` + text(l.Quantity) + ` WHERE sku = '` + l.SKU + `'`)
	}
	f.did("inventory", `INSERT INTO reservations VALUES ('`+id+`', 'reserved', '`+text(ls)+`')`+moves.String(), inventoryv1.Reserved{OrderID: id})
}

func (f *fixture) release(id string, ls lines) {
	var moves strings.Builder
	for _, l := range ls {
		moves.WriteString(`; UPDATE stock SET reserved = reserved - ` + text(l.Quantity) + ` WHERE sku = '` + l.SKU + `'`)
	}
	f.did("inventory", `UPDATE reservations SET status = 'released' WHERE order_id = '`+id+`'`+moves.String(), inventoryv1.Released{OrderID: id})
}

func (f *fixture) pay(id string, amount int64) {
	f.did("gateway-payment", `INSERT INTO charges VALUES ('charge-`+id+`', '`+id+`', `+text(amount)+`, 1, 0, 0)`)
	f.did("payment", `UPDATE payments SET status = 'charged', payment_id = 'p' WHERE order_id = '`+id+`'`, paymentv1.Completed{OrderID: id, Amount: amount})
}

func (f *fixture) cancel(id, customer string) {
	f.did("order", `UPDATE orders SET status = 'cancelled' WHERE id = '`+id+`'`, orderv1.Cancelled{OrderID: id, CustomerID: customer})
	f.tell(id, customer, "cancelled")
}

func (f *fixture) tell(id, customer, kind string) {
	key := kind + ":" + id
	f.did("notification", `INSERT INTO notifications VALUES ('`+key+`', '`+id+`', '`+customer+`', '`+kind+`', 'sent', 1)`)
	f.did("gateway-mail", `INSERT INTO mails VALUES ('`+key+`', '`+id+`', 1)`)
}

// settle writes a shop in which all is settled: o1 is confirmed and partly
// returned by r1, o2 was declined, o3 found no carrier, o4 was out of stock, and o5
// is confirmed. A mediator directed d1, which is confirmed, and d2, which was declined.
func (f *fixture) settle() {
	a := func(n int64) lines { return lines{{SKU: "A", Quantity: n, UnitPrice: 100}} }
	f.did("inventory", `INSERT INTO receipts VALUES ('1', 'A', 100); INSERT INTO receipts VALUES ('2', 'B', 50);
		INSERT INTO stock VALUES ('A', 100, 0); INSERT INTO stock VALUES ('B', 50, 0)`)
	f.did("customer", `INSERT INTO customers VALUES ('c1', 'C', 'c@example.com', 'UK', 0, 1); INSERT INTO customers VALUES ('c2', '', '', '', 0, 0)`)

	o1 := append(a(3), orderv1.Line{SKU: "B", Quantity: 1, UnitPrice: 250})
	f.deliver("o1", "c1", o1)
	back := a(1)
	f.did("order", `INSERT INTO returns (id, order_id, status, refund, created_at, request_hash, lines)
		VALUES ('r1', 'o1', 'settled', 100, 1, 'h', '`+text(back)+`')`, orderv1.Returned{OrderID: "o1", ReturnID: "r1", CustomerID: "c1", Lines: back, Refund: 100})
	f.did("gateway-payment", `INSERT INTO refunds VALUES ('return-r1', 'charge-o1', 100, 1); UPDATE charges SET refunded = 100 WHERE order_id = 'o1'`)
	f.did("payment", `INSERT INTO refunds VALUES ('r1', 'o1', 100, 'refunded')`, paymentv1.ReturnRefunded{OrderID: "o1", ReturnID: "r1", Amount: 100})
	f.did("inventory", `INSERT INTO restocks VALUES ('r1', 'o1'); UPDATE stock SET reserved = reserved - 1 WHERE sku = 'A'`, inventoryv1.Restocked{OrderID: "o1", ReturnID: "r1"})
	f.did("customer", `UPDATE customers SET spend = 450 WHERE id = 'c1'`)

	f.reserve("o2", "c1", a(2))
	f.did("payment", `UPDATE payments SET status = 'failed' WHERE order_id = 'o2'`, paymentv1.Failed{OrderID: "o2"})
	f.release("o2", a(2))
	f.cancel("o2", "c1")

	f.reserve("o3", "c2", a(5))
	f.pay("o3", 500)
	f.did("shipping", `UPDATE shipments SET status = 'unavailable', paid = 1 WHERE order_id = 'o3'`, shippingv1.Unavailable{OrderID: "o3"})
	f.did("order", `UPDATE orders SET status = 'cancelling' WHERE id = 'o3'`)
	f.did("gateway-payment", `UPDATE charges SET refunded = amount, void = 1 WHERE order_id = 'o3'`)
	f.did("payment", `UPDATE payments SET status = 'refunded' WHERE order_id = 'o3'`, paymentv1.Refunded{OrderID: "o3", Amount: 500})
	f.release("o3", a(5))
	f.cancel("o3", "c2")

	statement, ev := f.place("o4", "c2", a(1000))
	f.did("order", statement, ev)
	f.did("payment", `INSERT INTO payments VALUES ('o4', 'pending', 100000, 'tok', '', 0, 0, '', 0)`)
	f.did("inventory", `INSERT INTO reservations VALUES ('o4', 'refused', '[]')`, inventoryv1.OutOfStock{OrderID: "o4"})
	f.cancel("o4", "c2")

	f.deliver("d1", "c2", a(1))
	f.direct("d1", "saga_done", "completed")
	f.did("fulfilment", "", shippingv1.ScheduleDelivery{OrderID: "d1"})
	f.did("order", "", orderv1.Confirmed{OrderID: "d1", CustomerID: "c2", Total: 100, Directed: true, Unchanged: true})
	f.reserve("d2", "c2", a(2))
	f.did("payment", `UPDATE payments SET status = 'failed' WHERE order_id = 'd2'`, paymentv1.Failed{OrderID: "d2", Directed: true})
	f.release("d2", a(2))
	f.did("inventory", "", inventoryv1.Released{OrderID: "d2", Directed: true, Unchanged: true})
	f.cancel("d2", "c2")
	f.direct("d2", "saga_done", "compensated")

	f.deliver("o5", "c2", a(7))
	f.did("customer", `UPDATE customers SET spend = 800 WHERE id = 'c2'`)
	for name, topics := range reads {
		f.consumed(name, topics...)
	}
}

func (f *fixture) deliver(id, customer string, ls lines) {
	f.reserve(id, customer, ls)
	f.pay(id, sum(ls))
	f.did("gateway-carrier", `INSERT INTO bookings VALUES ('book-`+id+`', '`+id+`', 1, 0)`)
	f.did("shipping", `UPDATE shipments SET status = 'scheduled', paid = 1 WHERE order_id = '`+id+`'`, shippingv1.Scheduled{OrderID: id})
	f.did("order", `UPDATE orders SET status = 'confirmed' WHERE id = '`+id+`'`, orderv1.Confirmed{OrderID: id, CustomerID: customer, Total: sum(ls)})
	f.tell(id, customer, "confirmed")
}

// direct stores that a mediator directs an order, and how far it is.
func (f *fixture) direct(id, table, status string) {
	f.did("order", `UPDATE orders SET directed = 1 WHERE id = '`+id+`'`)
	f.did("fulfilment", sagaRow(table, id, status))
}

// sagaRow is the statement that stores the saga of an order.
func sagaRow(table, id, status string) string {
	columns, values := "", ""
	if table == "saga_live" {
		columns, values = "armed, ", "0, "
	}
	return `INSERT INTO ` + table + ` (saga, id, version, revision, status, started, changed, ` + columns + `reason, doc, history)
		VALUES ('shop.fulfilment', '` + id + `', 1, 1, '` + status + `', 1, 1, ` + values + `'', '{}', '')`
}

// interrupt adds orders in the middle of things: o6 is stored, and its event not
// sent yet; o7, which is directed, is charged, and nobody has read of it; o8 is being
// undone.
func (f *fixture) interrupt() {
	ls := lines{{SKU: "B", Quantity: 2, UnitPrice: 10}}
	f.reserve("o7", "c1", ls)
	f.pay("o7", 20)
	f.direct("o7", "saga_live", "running")
	f.reserve("o8", "c1", ls)
	f.did("order", `UPDATE orders SET status = 'cancelling' WHERE id = 'o8'`, orderv1.CancellationRequested{OrderID: "o8"})
	f.did("order", `INSERT INTO tutti_job VALUES ('order.deadline', 'o8', 0, 1, 'waiting', 0, '{}', '', '', 0)`)
	statement, ev := f.place("o6", "c1", ls)
	unsent := f.commit("order", statement, ev)
	if len(unsent.Events) != 1 {
		f.t.Fatalf("%d events are unsent, want 1", len(unsent.Events))
	}
}

// fetched reads the log.
func (f *fixture) fetched() []kafka.Fetched {
	f.t.Helper()
	var all []kafka.Fetched
	f.must(readLog(f.t.Context(), f.bus, func(p kafka.Fetched) { all = append(all, p) }))
	return all
}

// copyDatabases copies a fixture's databases, for a test to falsify.
func copyDatabases(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	paths, err := filepath.Glob(filepath.Join(dir, "*.db"))
	for _, path := range paths {
		err = errors.Join(err, copyFile(path, filepath.Join(to, filepath.Base(path))))
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// falsify changes a database.
func falsify(t *testing.T, dir, name, statements string) {
	t.Helper()
	ctx := t.Context()
	db, err := store.Open(ctx, filepath.Join(dir, name+".db"), store.Config{Owner: name, Unsynced: true})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(ctx, func(tx *store.Tx) error {
		for _, s := range strings.Split(statements, ";") {
			n, err := tx.Affected(ctx, s)
			if err != nil {
				return err
			}
			if n == 0 {
				t.Errorf("nothing is changed by %s", s)
			}
		}
		return nil
	})
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// judged loads databases and judges them with a log.
func judged(ctx context.Context, t *testing.T, dir string, log []kafka.Fetched, cfg Config) Report {
	t.Helper()
	cfg.Examples = 100
	s, err := load(ctx, source{dir: dir, running: true})
	if err != nil {
		t.Fatal(err)
	}
	found := newFindings(cfg)
	tr := newTrail(s, found)
	for _, f := range log {
		tr.visit(f)
	}
	return judge(cfg, s, tr, found)
}
