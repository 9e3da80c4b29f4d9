package payment

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/shop/inventoryv1"
	"github.com/tutti-go/tutti/shop/paymentv1"
	"github.com/tutti-go/tutti/shop/shippingv1"
	"github.com/tutti-go/tutti/store"
)

// database is the service's, with what was published from it.
type database struct {
	*store.Store
	sent []store.Sendable
}

func openStore(t testing.TB) *database {
	t.Helper()
	ctx := context.Background()
	publishes := map[event.Contract]bool{}
	for _, b := range []event.Body{paymentv1.Completed{}, paymentv1.Failed{}, paymentv1.Refunded{}, paymentv1.ReturnRefunded{}} {
		publishes[b.Contract()] = true
	}
	db, err := store.Open(ctx, filepath.Join(t.TempDir(), "payment.db"), store.Config{
		Owner: "payment", Publishes: publishes, Unsynced: true,
		Partition: func(string, string) (int32, error) { return 0, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(ctx, migrations); err != nil {
		t.Fatal(err)
	}
	if _, _, err := db.TakeLane(ctx); err != nil {
		t.Fatal(err)
	}
	return &database{Store: db}
}

// inTx runs one handler in a transaction.
func inTx(t testing.TB, db *database, fn func(ctx context.Context, tx *store.Tx) error) {
	t.Helper()
	ctx := context.Background()
	tx, err := db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if err := fn(ctx, tx); err != nil {
		t.Fatal(err)
	}
	c, err := tx.Commit(ctx, store.Books{})
	if err != nil {
		t.Fatal(err)
	}
	db.sent = append(db.sent, c.Events...)
}

// handlers are the inputs as the loop delivers them.
func handlers(order string) map[input]func(ctx context.Context, tx *store.Tx) error {
	result := func(value string, err error) func(context.Context, *store.Tx) error {
		return func(ctx context.Context, tx *store.Tx) error {
			return charged(ctx, tx, []job.Result[chargeJob, string]{{Args: chargeJob{Order: order}, Value: value, Err: err}})
		}
	}
	return map[input]func(ctx context.Context, tx *store.Tx) error{
		"place": func(ctx context.Context, tx *store.Tx) error {
			return learning(placedSays)(ctx, tx, []event.Message[placed]{{Body: placed{OrderID: order, Total: 500, PaymentToken: "tok_ok"}}})
		},
		"reserve": func(ctx context.Context, tx *store.Tx) error {
			return learning(reservedSays)(ctx, tx, []event.Message[inventoryv1.Reserved]{{Body: inventoryv1.Reserved{OrderID: order}}})
		},
		"stop": func(ctx context.Context, tx *store.Tx) error {
			return learning(unavailableSays)(ctx, tx, []event.Message[shippingv1.Unavailable]{{Body: shippingv1.Unavailable{OrderID: order, Reason: "no carrier"}}})
		},
		"charged":  result("pay_1", nil),
		"declined": result("", event.Reject(errors.New("declined"))),
		"lost":     result("", errors.New("timeout")),
		"refunded": func(ctx context.Context, tx *store.Tx) error {
			return refunded(ctx, tx, job.Result[refundJob, struct{}]{Args: refundJob{Order: order}})
		},
	}
}

// TestStoredDecisions plays random inputs to the handlers and to the decisions
// alone: what is stored is what was decided, whichever way it was written.
func TestStoredDecisions(t *testing.T) {
	db := openStore(t)
	inputs := []input{"place", "reserve", "stop", "charged", "declined", "lost", "refunded"}
	rnd := rand.New(rand.NewPCG(1, 2))
	for n := range 300 {
		order := fmt.Sprintf("o%d", n)
		want := New(order)
		handle := handlers(order)
		var trail []input
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			for range 12 {
				in := inputs[rnd.IntN(len(inputs))]
				trail = append(trail, in)
				if err := handle[in](ctx, tx); err != nil {
					return fmt.Errorf("%v: %w", trail, err)
				}
				want, _ = decisions[in](want)
			}
			return nil
		})
		got, _, err := load(context.Background(), db.Reader(), order)
		if err != nil {
			t.Fatal(err)
		}
		got.Reason, want.Reason = "", ""
		if got != want {
			t.Fatalf("%v: stored %+v, want %+v", trail, got, want)
		}
	}
}

func TestOrderIsChargedAndRefunded(t *testing.T) {
	db := openStore(t)
	ctx := context.Background()
	handle := handlers("o1")
	for _, in := range []input{"reserve", "place", "place", "reserve"} {
		inTx(t, db, handle[in])
	}
	jobs, err := db.Jobs(ctx, 10)
	if err != nil || len(jobs) != 1 {
		t.Fatalf("jobs are %v, %v, want one", jobs, err)
	}
	if j := jobs[0]; j.Kind != "payment.charge" || j.ID != "charge-o1" || string(j.Args) != `{"order":"o1","token":"tok_ok","amount":500}` {
		t.Errorf("job is %s %s %s", j.Kind, j.ID, j.Args)
	}
	for _, in := range []input{"charged", "charged", "stop", "stop", "refunded", "refunded", "place"} {
		inTx(t, db, handle[in])
	}
	want := []string{
		`{"orderId":"o1","paymentId":"pay_1","amount":500}`,
		`{"orderId":"o1","paymentId":"pay_1","amount":500}`,
	}
	assertPublished(t, db, "shop.payment.completed shop.payment.refunded", want)
}

func TestReturnIsRefundedOnce(t *testing.T) {
	db := openStore(t)
	result := job.Result[returnJob, struct{}]{Args: returnJob{Return: "r1", Order: "o1", Amount: 200}}
	for range 2 {
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			return onReturned(ctx, tx, event.Message[returned]{Body: returned{OrderID: "o1", ReturnID: "r1", Refund: 200}})
		})
	}
	for range 2 {
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return returnRefunded(ctx, tx, result) })
	}
	inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
		result.Err = errors.New("no")
		if err := returnRefunded(ctx, tx, result); !event.Rejected(err) {
			t.Errorf("a refund that is refused gives %v, want a rejection: a person has to look", err)
		}
		return nil
	})
	jobs, err := db.Jobs(context.Background(), 10)
	if err != nil || len(jobs) != 1 || jobs[0].ID != "return-r1" {
		t.Errorf("jobs are %v, %v, want return-r1", jobs, err)
	}
	refunds, err := refundsOf(context.Background(), db.Reader(), "o1")
	if err != nil || len(refunds) != 1 || refunds[0] != (refund{"r1", 200, Refunded}) {
		t.Errorf("refunds are %v, %v", refunds, err)
	}
	assertPublished(t, db, "shop.payment.return-refunded", []string{`{"orderId":"o1","returnId":"r1","amount":200}`})
}

func TestReport(t *testing.T) {
	db := openStore(t)
	handle := handlers("o1")
	inTx(t, db, handle["place"])
	inTx(t, db, handle["reserve"])
	for _, tt := range []struct {
		key  string
		ours bool
	}{{"charge-o1", true}, {"charge-o1", true}, {"charge-o2", false}, {"o1", false}} {
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			ours, err := reported(ctx, tx, tt.key, "pay_1")
			if ours != tt.ours {
				t.Errorf("report of %s: ours is %v, want %v", tt.key, ours, tt.ours)
			}
			return err
		})
	}
	inTx(t, db, handle["charged"])
	assertPublished(t, db, "shop.payment.completed", []string{`{"orderId":"o1","paymentId":"pay_1","amount":500}`})
}

func TestMessagesThatMakeNoSense(t *testing.T) {
	db := openStore(t)
	inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
		if err := learning(placedSays)(ctx, tx, []event.Message[placed]{{Body: placed{OrderID: "o1"}}}); !event.Rejected(err) {
			t.Errorf("order without a total: %v, want a rejection", err)
		}
		if err := onReturned(ctx, tx, event.Message[returned]{Body: returned{OrderID: "o1", ReturnID: "r1"}}); !event.Rejected(err) {
			t.Errorf("return without a refund: %v, want a rejection", err)
		}
		return nil
	})
}

// assertPublished compares what was published: the types, and the bodies.
func assertPublished(t *testing.T, db *database, types string, bodies []string) {
	t.Helper()
	var got, data []string
	for _, e := range db.sent {
		env, body, err := event.Decode(e.Record)
		if err != nil {
			t.Fatal(err)
		}
		got, data = append(got, env.Type), append(data, string(body))
	}
	if g := strings.Join(got, " "); g != types || !slices.Equal(data, bodies) {
		t.Errorf("published %q %q, want %q %q", g, data, types, bodies)
	}
}

// BenchmarkOrder handles what payment does for an order, in batches of 500.
func BenchmarkOrder(b *testing.B) {
	db := openStore(b)
	const batch = 500
	for n := 0; n < b.N; n += batch {
		var places []event.Message[placed]
		var reserves []event.Message[inventoryv1.Reserved]
		var results []job.Result[chargeJob, string]
		for i := range batch {
			order := fmt.Sprintf("o%d", n+i)
			places = append(places, event.Message[placed]{Body: placed{OrderID: order, Total: 500, PaymentToken: "tok_ok"}})
			reserves = append(reserves, event.Message[inventoryv1.Reserved]{Body: inventoryv1.Reserved{OrderID: order}})
			results = append(results, job.Result[chargeJob, string]{Args: chargeJob{Order: order}, Value: "pay_1"})
		}
		inTx(b, db, func(ctx context.Context, tx *store.Tx) error { return learning(placedSays)(ctx, tx, places) })
		inTx(b, db, func(ctx context.Context, tx *store.Tx) error { return learning(reservedSays)(ctx, tx, reserves) })
		inTx(b, db, func(ctx context.Context, tx *store.Tx) error { return charged(ctx, tx, results) })
	}
}

// TestSenselessIDsAreRejected: what names no order or return is not stored.
func TestSenselessIDsAreRejected(t *testing.T) {
	db := openStore(t)
	reject := func(what string, handle func(ctx context.Context, tx *store.Tx) error) {
		t.Helper()
		err := db.Update(t.Context(), func(tx *store.Tx) error { return handle(t.Context(), tx) })
		if !event.Rejected(err) || len(err.Error()) > 300 {
			t.Errorf("%.50q = %.400v, want a short rejection", what, err)
		}
	}
	for _, id := range []string{"", "a b", "a\x1b", "a/b", strings.Repeat("x", 300_000)} {
		handle := handlers(id)
		for _, in := range []input{"place", "reserve", "stop"} {
			reject(string(in)+" "+id, handle[in])
		}
		for _, b := range []returned{{OrderID: id, ReturnID: "r1", Refund: 1}, {OrderID: "o1", ReturnID: id, Refund: 1}} {
			reject("return "+id, func(ctx context.Context, tx *store.Tx) error {
				return onReturned(ctx, tx, event.Message[returned]{Body: b})
			})
		}
	}
}
