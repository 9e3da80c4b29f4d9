package notification

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/store"
)

func openStore(t testing.TB) *store.Store {
	t.Helper()
	ctx := context.Background()
	db, err := store.Open(ctx, filepath.Join(t.TempDir(), "notification.db"), store.Config{Owner: "notification", Unsynced: true})
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
	return db
}

func TestText(t *testing.T) {
	for _, tt := range []struct {
		n        Notification
		id, text string
	}{
		{Notification{Order: "o1", Kind: Confirmed}, "confirmed:o1", "Your order o1 is confirmed and on its way to you."},
		{
			Notification{Order: "o1", Kind: Cancelled, Reason: "out of stock"}, "cancelled:o1",
			"Your order o1 was cancelled: out of stock. If you paid for it, your money is on its way back.",
		},
	} {
		if tt.n.ID() != tt.id || tt.n.Text() != tt.text {
			t.Errorf("got %q %q, want %q %q", tt.n.ID(), tt.n.Text(), tt.id, tt.text)
		}
	}
}

func TestRecipient(t *testing.T) {
	n := Notification{Customer: "c1"}
	if got := n.recipient("ann@shop.example"); got != "ann@shop.example" {
		t.Errorf("recipient is %q, want the address", got)
	}
	if got := n.recipient(""); got != "customer:c1" {
		t.Errorf("recipient without an address is %q, want customer:c1", got)
	}
}

// TestEachMailOnce hears everything twice, and some of it several times at once.
func TestEachMailOnce(t *testing.T) {
	db := openStore(t)
	ctx := context.Background()
	done := mailed(service.New("notification", nil, service.Config{Logger: slog.New(slog.DiscardHandler)}))
	hear := func(fn func(tx *store.Tx) error) {
		t.Helper()
		for range 2 {
			if err := db.Update(ctx, fn); err != nil {
				t.Fatal(err)
			}
		}
	}
	hear(func(tx *store.Tx) error {
		return notifying(confirmedSays)(ctx, tx, slices.Repeat([]event.Message[confirmed]{{Body: confirmed{OrderID: "o1", CustomerID: "c1"}}}, 6))
	})
	hear(func(tx *store.Tx) error {
		return onRegistered(ctx, tx, event.Message[registered]{Body: registered{CustomerID: "c1", Email: "ann@shop.example"}})
	})
	hear(func(tx *store.Tx) error {
		return notifying(cancelledSays)(ctx, tx, []event.Message[orderv1.Cancelled]{{Body: orderv1.Cancelled{OrderID: "o1", CustomerID: "c1", Reason: "late"}}})
	})
	jobs, err := db.Jobs(ctx, 10)
	if err != nil || len(jobs) != 2 {
		t.Fatalf("jobs are %v, %v, want two", jobs, err)
	}
	to := map[string]string{
		"confirmed:o1": `{"order":"o1","to":"customer:c1","text":"Your order o1 is confirmed and on its way to you."}`,
		"cancelled:o1": `{"order":"o1","to":"ann@shop.example","text":"Your order o1 was cancelled: late. If you paid for it, your money is on its way back."}`,
	}
	for _, j := range jobs {
		if string(j.Args) != to[j.ID] {
			t.Errorf("job %s is %s, want %s", j.ID, j.Args, to[j.ID])
		}
	}
	type result = job.Result[mailJob, struct{}]
	hear(func(tx *store.Tx) error {
		return done(ctx, tx, []result{{ID: "confirmed:o1"}, {ID: "cancelled:o1", Err: errors.New("nobody there")}})
	})
	hear(func(tx *store.Tx) error { return done(ctx, tx, []result{{ID: "cancelled:o1"}}) })

	views, err := list(ctx, db.Reader(), "o1")
	if err != nil || len(views) != 2 {
		t.Fatalf("notifications are %v, %v, want two", views, err)
	}
	want := map[string]Status{"confirmed:o1": Sent, "cancelled:o1": Failed}
	for _, v := range views {
		if v.Status != want[v.ID] || v.OrderID != "o1" || v.Customer != "c1" || v.At.IsZero() {
			t.Errorf("notification is %+v, want status %s", v, want[v.ID])
		}
	}
}

// TestSenselessIDsAreRejected: nobody is mailed about no order.
func TestSenselessIDsAreRejected(t *testing.T) {
	db := openStore(t)
	for _, id := range []string{"", "a b", "a\x1b", "a/b", strings.Repeat("x", 300_000)} {
		for what, handle := range map[string]func(ctx context.Context, tx *store.Tx) error{
			"confirmed order": func(ctx context.Context, tx *store.Tx) error {
				return notifying(confirmedSays)(ctx, tx, []event.Message[confirmed]{{Body: confirmed{OrderID: id, CustomerID: "c1"}}})
			},
			"confirmed customer": func(ctx context.Context, tx *store.Tx) error {
				return notifying(confirmedSays)(ctx, tx, []event.Message[confirmed]{{Body: confirmed{OrderID: "o1", CustomerID: id}}})
			},
			"cancelled order": func(ctx context.Context, tx *store.Tx) error {
				return notifying(cancelledSays)(ctx, tx, []event.Message[orderv1.Cancelled]{{Body: orderv1.Cancelled{OrderID: id, CustomerID: "c1"}}})
			},
			"registered": func(ctx context.Context, tx *store.Tx) error {
				return onRegistered(ctx, tx, event.Message[registered]{Body: registered{CustomerID: id}})
			},
		} {
			err := db.Update(t.Context(), func(tx *store.Tx) error { return handle(t.Context(), tx) })
			if !event.Rejected(err) || len(err.Error()) > 300 {
				t.Errorf("%s %.20q = %.400v, want a short rejection", what, id, err)
			}
		}
	}
}
