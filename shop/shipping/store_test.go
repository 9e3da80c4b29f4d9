package shipping

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
	"github.com/tutti-go/tutti/shop/orderv1"
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
	for _, b := range []event.Body{shippingv1.Scheduled{}, shippingv1.Unavailable{}} {
		publishes[b.Contract()] = true
	}
	db, err := store.Open(ctx, filepath.Join(t.TempDir(), "shipping.db"), store.Config{
		Owner: "shipping", Publishes: publishes, Unsynced: true,
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
	result := func(value booking, err error) func(context.Context, *store.Tx) error {
		return func(ctx context.Context, tx *store.Tx) error {
			return booked(ctx, tx, []job.Result[bookJob, booking]{{Args: bookJob{Order: order}, Value: value, Err: err}})
		}
	}
	to := orderv1.Address{Name: "Ann", Street: "1 High St", City: "Leeds", Country: "GB"}
	return map[input]func(ctx context.Context, tx *store.Tx) error{
		"place": func(ctx context.Context, tx *store.Tx) error {
			return learning(placedSays)(ctx, tx, []event.Message[placed]{{Body: placed{OrderID: order, Address: to}}})
		},
		"pay": func(ctx context.Context, tx *store.Tx) error {
			return learning(completedSays)(ctx, tx, []event.Message[completed]{{Body: completed{OrderID: order}}})
		},
		"stop": func(ctx context.Context, tx *store.Tx) error {
			return learning(cancellationRequestedSays)(ctx, tx, []event.Message[orderv1.CancellationRequested]{
				{Body: orderv1.CancellationRequested{OrderID: order, Reason: "too late"}},
			})
		},
		"booked":  result(booking{"shp_1", "Penny Post"}, nil),
		"refused": result(booking{}, event.Reject(errors.New("no carrier"))),
		"lost":    result(booking{}, errors.New("no answer")),
		"called off": func(ctx context.Context, tx *store.Tx) error {
			return calledOff(ctx, tx, job.Result[callOffJob, struct{}]{Args: callOffJob{Order: order}})
		},
	}
}

// TestStoredDecisions plays random inputs to the handlers and to the decisions
// alone: what is stored is what was decided, whichever way it was written.
func TestStoredDecisions(t *testing.T) {
	db := openStore(t)
	inputs := []input{"place", "pay", "stop", "booked", "refused", "lost", "called off"}
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

func TestOrderIsBookedAndCalledOff(t *testing.T) {
	db := openStore(t)
	ctx := context.Background()
	handle := handlers("o1")
	for _, in := range []input{"pay", "place", "place", "pay"} {
		inTx(t, db, handle[in])
	}
	jobs, err := db.Jobs(ctx, 10)
	if err != nil || len(jobs) != 1 {
		t.Fatalf("jobs are %v, %v, want one", jobs, err)
	}
	if j := jobs[0]; j.Kind != "shipping.book" || j.ID != "book-o1" || string(j.Args) != `{"order":"o1","address":`+address+`}` {
		t.Errorf("job is %s %s %s", j.Kind, j.ID, j.Args)
	}
	for _, in := range []input{"booked", "booked", "stop", "stop", "called off", "called off", "place"} {
		inTx(t, db, handle[in])
	}
	assertPublished(t, db, "shop.shipment.scheduled shop.shipment.unavailable", []string{
		`{"orderId":"o1","shipmentId":"shp_1","carrier":"Penny Post"}`,
		`{"orderId":"o1","reason":"too late"}`,
	})
}

func TestCallOffThatIsRefused(t *testing.T) {
	db := openStore(t)
	inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
		err := calledOff(ctx, tx, job.Result[callOffJob, struct{}]{Args: callOffJob{Order: "o1"}, Err: errors.New("no")})
		if !event.Rejected(err) {
			t.Errorf("got %v, want a rejection: a person has to look", err)
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

// BenchmarkOrder handles what shipping does for an order, in transactions of 500.
func BenchmarkOrder(b *testing.B) {
	db := openStore(b)
	const batch = 500
	for n := 0; n < b.N; n += batch {
		for _, in := range []input{"place", "pay", "booked"} {
			inTx(b, db, func(ctx context.Context, tx *store.Tx) error {
				for i := range batch {
					order := fmt.Sprintf("o%d", n+i)
					if err := handlers(order)[in](ctx, tx); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
}

// TestSenselessIDsAreRejected: what names no order is neither stored nor booked.
func TestSenselessIDsAreRejected(t *testing.T) {
	db := openStore(t)
	for _, order := range []string{"", "a b", "a\x1b", "a/b", strings.Repeat("x", 300_000)} {
		handle := handlers(order)
		for _, in := range []input{"place", "pay", "stop"} {
			err := db.Update(t.Context(), func(tx *store.Tx) error { return handle[in](t.Context(), tx) })
			if !event.Rejected(err) || len(err.Error()) > 300 {
				t.Errorf("%s of order %.20q = %.400v, want a short rejection", in, order, err)
			}
		}
	}
	inTx(t, db, func(ctx context.Context, tx *store.Tx) error { // a mediator's order is no business of events
		return learning(placedSays)(ctx, tx, []event.Message[placed]{{Body: placed{Directed: true}}})
	})
}
