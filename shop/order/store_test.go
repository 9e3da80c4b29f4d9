package order

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/shop/inventoryv1"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/paymentv1"
	"github.com/tutti-go/tutti/shop/shippingv1"
	"github.com/tutti-go/tutti/store"
)

// db is a database of the order service, and what was published from it.
type db struct {
	*testing.T
	*store.Store
}

func open(t *testing.T) db {
	t.Helper()
	publishes := map[event.Contract]bool{}
	for _, b := range []event.Body{orderv1.Placed{}, orderv1.CancellationRequested{}, orderv1.Confirmed{}, orderv1.Cancelled{}, orderv1.Returned{}} {
		publishes[b.Contract()] = true
	}
	st, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "order.db"), store.Config{
		Owner: "order", Unsynced: true, Publishes: publishes,
		Partition: func(topic, key string) (int32, error) { return 0, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	if err := st.Migrate(t.Context(), migrations); err != nil {
		t.Fatal(err)
	}
	if _, _, err := st.TakeLane(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db{t, st}
}

// update runs fn in a transaction and returns the types of what it published.
func (d db) update(fn func(ctx context.Context, tx *store.Tx) error) ([]string, error) {
	d.Helper()
	tx, err := d.Begin(d.Context())
	if err != nil {
		d.Fatal(err)
	}
	defer tx.Rollback()
	if err := fn(d.Context(), tx); err != nil {
		return nil, err
	}
	c, err := tx.Commit(d.Context(), store.Books{})
	if err != nil {
		d.Fatal(err)
	}
	var types []string
	for _, e := range c.Events {
		env, _, err := event.Decode(e.Record)
		if err != nil {
			d.Fatal(err)
		}
		types = append(types, strings.TrimPrefix(env.Type, "shop.order.")+" "+env.Key+" "+env.CausationID)
	}
	return types, nil
}

func (d db) place(p orderv1.Place) (st status, said []string, err error) {
	d.Helper()
	said, err = d.update(func(ctx context.Context, tx *store.Tx) (err error) {
		st, err = Config{Deadline: time.Hour}.place(ctx, tx, p)
		return err
	})
	return st, said, err
}

// handle runs the handler of a batch that brings one body for each of the keys.
func handle[T fact](d db, decision func(order, T) step, bodies ...T) ([]string, error) {
	d.Helper()
	var ms []event.Message[T]
	for _, b := range bodies {
		ms = append(ms, event.Message[T]{Envelope: event.Envelope{ID: "m-" + b.Key(), Key: b.Key()}, Body: b})
	}
	return d.update(func(ctx context.Context, tx *store.Tx) error { return following(decision)(ctx, tx, ms) })
}

func (d db) view(id string) view {
	d.Helper()
	v, err := find(d.Context(), d.Reader(), id)
	if err != nil {
		d.Fatal(err)
	}
	return v
}

func (d db) want(what string, got []string, err error, want ...string) {
	d.Helper()
	if err != nil || !reflect.DeepEqual(got, want) {
		d.Errorf("%s published %q, %v, want %q", what, got, err, want)
	}
}

func (d db) timers() int {
	d.Helper()
	jobs, err := d.Jobs(d.Context(), 1000)
	if err != nil {
		d.Fatal(err)
	}
	return len(jobs)
}

func TestPlaceOnce(t *testing.T) {
	d := open(t)
	_, said, err := d.place(request("o1"))
	d.want("the first request", said, err, "placed o1 ")
	st, said, err := d.place(request("o1"))
	d.want("the same request", said, err)
	if st != placed || d.timers() != 1 {
		t.Errorf("the same request finds a %s order with %d timers, want placed with 1", st, d.timers())
	}
	other := request("o1")
	other.Lines[0].Quantity++
	if _, _, err := d.place(other); problem.KindOf(err) != problem.Unacceptable {
		t.Errorf("another request with the same key = %v, want unacceptable", err)
	}
	v := d.view("o1")
	if v.Total != 250 || v.Status != "placed" || len(v.Lines) != 2 || !v.Deadline.Equal(v.PlacedAt.Add(time.Hour)) ||
		len(v.History) != 1 || v.History[0].Note != "order placed" {
		t.Errorf("order is %+v", v)
	}
}

// TestLargeOrder: what no event holds is refused, and told as the caller's fault.
func TestLargeOrder(t *testing.T) {
	d := open(t)
	p := request("o1")
	for i := range maxLines {
		p.Lines = append(p.Lines, orderv1.Line{SKU: strings.Repeat("&", 124) + fmt.Sprintf("%04d", i), Quantity: 1, UnitPrice: 1})
	}
	if _, said, err := d.place(p); problem.KindOf(err) != problem.Unacceptable {
		t.Errorf("place() of a large order = %q, %v, want it refused", said, err)
	}
	p.Lines = p.Lines[:600]
	if _, said, err := d.place(p); err != nil || len(said) != 1 {
		t.Errorf("place() of a part of it = %q, %v", said, err)
	}
}

func TestBatchConfirmsManyOrders(t *testing.T) {
	d := open(t)
	var scheduled []shippingv1.Scheduled
	var want []string
	for i := range 300 {
		id := fmt.Sprintf("o%03d", i)
		if _, _, err := d.place(request(id)); err != nil {
			t.Fatal(err)
		}
		scheduled = append(scheduled, shippingv1.Scheduled{OrderID: id, Carrier: "Swift"})
		want = append(want, "confirmed "+id+" m-"+id)
	}
	said, err := handle(d, order.onScheduled, append(scheduled, scheduled[7])...)
	d.want("a batch with a duplicate", said, err, want...)
	if v := d.view("o299"); v.Status != "confirmed" || len(v.History) != 2 {
		t.Errorf("order is %+v, want it confirmed", v)
	}
	if v := d.view("o007"); len(v.History) != 3 {
		t.Errorf("history is %+v, want both messages in it", v.History)
	}
	if n := d.timers(); n != 0 {
		t.Errorf("%d timers are left", n)
	}
}

// Of an order that a mediator directs, events are noted, once, and decide nothing.
func TestDirectedOrder(t *testing.T) {
	d := open(t)
	p := request("o1")
	p.Style = orderv1.Orchestration
	if _, _, err := d.place(p); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		said, err := handle(d, order.onScheduled, shippingv1.Scheduled{OrderID: "o1", Carrier: "Swift"}, shippingv1.Scheduled{OrderID: "o1", Unchanged: true})
		d.want("an event", said, err)
	}
	if v := d.view("o1"); v.Status != "placed" || v.Style != orderv1.Orchestration || len(v.History) != 3 {
		t.Errorf("order is %+v, want it placed, with both events noted", v)
	}
	confirm := func(id string) ([]string, error) {
		return d.update(func(ctx context.Context, tx *store.Tx) error {
			m := event.Message[orderv1.ConfirmOrder]{Envelope: event.Envelope{ID: "m", Key: id}, Body: orderv1.ConfirmOrder{OrderID: id}}
			return obeying(order.onConfirm)(ctx, tx, []event.Message[orderv1.ConfirmOrder]{m})
		})
	}
	said, err := confirm("o1")
	d.want("a command", said, err, "confirmed o1 m")
	if n := d.timers(); n != 0 {
		t.Errorf("%d timers are left", n)
	}
	if _, _, err := d.place(request("o2")); err != nil {
		t.Fatal(err)
	}
	if _, err := confirm("o2"); !event.Rejected(err) {
		t.Errorf("a command for an order without a mediator = %v, want a rejection", err)
	}
}

func TestUnknownOrderIsRejected(t *testing.T) {
	d := open(t)
	if _, err := handle(d, order.onScheduled, shippingv1.Scheduled{OrderID: "none"}); !event.Rejected(err) {
		t.Errorf("a delivery of an unknown order = %v, want a rejection", err)
	}
}

func TestUndo(t *testing.T) {
	d := open(t)
	if _, _, err := d.place(request("o1")); err != nil {
		t.Fatal(err)
	}
	cancel := func() ([]string, error) {
		return d.update(func(ctx context.Context, tx *store.Tx) error {
			_, err := decide(ctx, tx, "o1", order.cancelByCustomer)
			return err
		})
	}
	said, err := cancel()
	d.want("the cancellation", said, err, "cancellation-requested o1 ")
	said, err = cancel()
	d.want("the same again", said, err)
	said, err = handle(d, order.onScheduled, shippingv1.Scheduled{OrderID: "o1"})
	d.want("a late delivery", said, err)
	said, err = handle(d, order.onReleased, inventoryv1.Released{OrderID: "o1"})
	d.want("the release", said, err, "cancelled o1 m-o1")
	said, err = d.update(func(ctx context.Context, tx *store.Tx) error { return onDeadline(ctx, tx, job.Due[deadline]{ID: "o1"}) })
	d.want("a late deadline", said, err)
	v := d.view("o1")
	if v.Status != "cancelled" || v.Reason != "cancelled by the customer" || len(v.History) != 4 || d.timers() != 0 {
		t.Errorf("order is %+v with %d timers", v, d.timers())
	}
	if _, err := d.update(func(ctx context.Context, tx *store.Tx) error {
		_, err := decide(ctx, tx, "none", order.cancelByCustomer)
		return err
	}); problem.KindOf(err) != problem.Missing {
		t.Errorf("cancelling an unknown order = %v, want not found", err)
	}
}

func TestReleaseBeforeItsCause(t *testing.T) {
	d := open(t)
	if _, _, err := d.place(request("o1")); err != nil {
		t.Fatal(err)
	}
	said, err := handle(d, order.onReleased, inventoryv1.Released{OrderID: "o1"})
	d.want("the release", said, err)
	said, err = handle(d, order.onUnavailable, shippingv1.Unavailable{OrderID: "o1", Reason: "no carrier"})
	d.want("its cause", said, err, "cancelled o1 m-o1")
}

func TestDeadline(t *testing.T) {
	d := open(t)
	if _, _, err := d.place(request("o1")); err != nil {
		t.Fatal(err)
	}
	said, err := d.update(func(ctx context.Context, tx *store.Tx) error { return onDeadline(ctx, tx, job.Due[deadline]{ID: "o1"}) })
	d.want("the deadline", said, err, "cancellation-requested o1 ")
}

func TestAnotherInstanceWasFirst(t *testing.T) {
	d := open(t)
	if _, _, err := d.place(request("o1")); err != nil {
		t.Fatal(err)
	}
	_, err := d.update(func(ctx context.Context, tx *store.Tx) error {
		orders, err := load(ctx, tx, []string{"o1"})
		if err != nil {
			return err
		}
		if err := tx.Exec(ctx, `UPDATE orders SET freed = 1`); err != nil { // as another instance would
			return err
		}
		o := orders["o1"]
		var c changes
		c.add(o, o.expire(), tx.Now())
		return c.save(ctx, tx)
	})
	if !errors.Is(err, errMoved) || event.Rejected(err) {
		t.Errorf("a change of what was changed meanwhile = %v, want %v, to be tried again", err, errMoved)
	}
}

func TestReturn(t *testing.T) {
	d := open(t)
	if _, _, err := d.place(request("o1")); err != nil {
		t.Fatal(err)
	}
	take := func(g giveBack) (ret returned, said []string, err error) {
		said, err = d.update(func(ctx context.Context, tx *store.Tx) (err error) {
			ret, err = takeGoodsBack(ctx, tx, g)
			return err
		})
		return ret, said, err
	}
	one := giveBack{OrderID: "o1", ReturnID: "r1", Items: []item{{"A", 1}}}
	if _, _, err := take(one); problem.KindOf(err) != problem.Clash {
		t.Errorf("a return of a placed order = %v, want a conflict", err)
	}
	if _, err := handle(d, order.onScheduled, shippingv1.Scheduled{OrderID: "o1"}); err != nil {
		t.Fatal(err)
	}
	_, said, err := take(one)
	d.want("the return", said, err, "returned o1 ")
	ret, said, err := take(one)
	d.want("the same return", said, err)
	if ret.status != requested || ret.refund != 100 {
		t.Errorf("the same return finds %+v", ret)
	}
	if _, _, err := take(giveBack{OrderID: "o1", ReturnID: "r1", Items: []item{{"A", 2}}}); problem.KindOf(err) != problem.Unacceptable {
		t.Errorf("another return with the same key = %v, want unacceptable", err)
	}
	if _, _, err := take(giveBack{OrderID: "o1", ReturnID: "r2", Items: []item{{"A", 2}}}); problem.KindOf(err) != problem.Clash {
		t.Errorf("a return of more than is left = %v, want a conflict", err)
	}
	if _, _, err := take(giveBack{OrderID: "o2", ReturnID: "r3", Items: []item{{"A", 2}}}); problem.KindOf(err) != problem.Missing {
		t.Errorf("a return of an unknown order = %v, want not found", err)
	}
}

// A return that another instance has stored meanwhile is looked at again.
func TestReturnIsThereMeanwhile(t *testing.T) {
	d := open(t)
	insert := func(ctx context.Context, tx *store.Tx) error {
		return insertReturn(ctx, tx, orderv1.Returned{OrderID: "o1", ReturnID: "r1"}, "h")
	}
	if _, err := d.update(insert); err != nil {
		t.Fatal(err)
	}
	if _, err := d.update(insert); !errors.Is(err, store.ErrConflict) {
		t.Errorf("insertReturn() of one that is there = %v, want a conflict", err)
	}
}

func TestReturnSettlesOnceBothHalvesCame(t *testing.T) {
	refunded := func(ctx context.Context, tx *store.Tx) error {
		return onReturnRefunded(ctx, tx, event.Message[paymentv1.ReturnRefunded]{Body: paymentv1.ReturnRefunded{OrderID: "o1", ReturnID: "r1"}})
	}
	restocked := func(ctx context.Context, tx *store.Tx) error {
		return onRestocked(ctx, tx, event.Message[inventoryv1.Restocked]{Body: inventoryv1.Restocked{OrderID: "o1", ReturnID: "r1"}})
	}
	type half = func(context.Context, *store.Tx) error
	for _, halves := range [][]half{{refunded, restocked}, {restocked, refunded}} {
		d := open(t)
		if _, err := d.update(refunded); !event.Rejected(err) {
			t.Errorf("the refund of an unknown return = %v, want a rejection", err)
		}
		if _, err := d.update(func(ctx context.Context, tx *store.Tx) error {
			if _, err := (Config{Deadline: time.Hour}).place(ctx, tx, request("o1")); err != nil {
				return err
			}
			return insertReturn(ctx, tx, orderv1.Returned{OrderID: "o1", ReturnID: "r1", Refund: 100}, "hash")
		}); err != nil {
			t.Fatal(err)
		}
		for i, h := range halves {
			if _, err := d.update(h); err != nil {
				t.Fatal(err)
			}
			r, _, err := findReturn(t.Context(), d.Reader(), "r1")
			if want := []string{requested, settled}[i]; err != nil || r.status != want {
				t.Errorf("after %d halves the return is %s, %v, want %s", i+1, r.status, err, want)
			}
		}
	}
}

func TestListPages(t *testing.T) {
	d := open(t)
	for i := range 7 {
		if _, _, err := d.place(request(fmt.Sprintf("o%d.x", i))); err != nil {
			t.Fatal(err)
		}
	}
	other := request("other")
	other.CustomerID = "c2"
	if _, _, err := d.place(other); err != nil {
		t.Fatal(err)
	}
	if err := d.Update(t.Context(), func(tx *store.Tx) error { // some at the same time
		return tx.Exec(t.Context(), `UPDATE orders SET placed_at = 1000 + (placed_at % 2)`)
	}); err != nil {
		t.Fatal(err)
	}
	var ids []string
	after := ""
	for range 4 {
		c, err := parseCursor(after)
		if err != nil {
			t.Fatal(err)
		}
		pg, err := list(t.Context(), d.Reader(), "c1", c, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range pg.Orders {
			ids = append(ids, s.ID)
		}
		after = pg.Next
	}
	seen := map[string]bool{}
	for _, id := range ids {
		seen[id] = true
	}
	if len(ids) != 7 || len(seen) != 7 || after != "" {
		t.Errorf("pages of two hold %v and end with next %q, want all seven once", ids, after)
	}
	for _, bad := range []string{"x", "1", "1.", ".o1", "1.a/b", "99999999999999999999.o1"} {
		if _, err := parseCursor(bad); problem.KindOf(err) != problem.Invalid {
			t.Errorf("parseCursor(%q) = %v, want a bad request", bad, err)
		}
	}
}
