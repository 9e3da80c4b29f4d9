package order

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/shop/inventoryv1"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/paymentv1"
	"github.com/tutti-go/tutti/shop/shippingv1"
	"github.com/tutti-go/tutti/store"
)

// BenchmarkConfirm takes orders of 24 lines from their request to their end, each
// step of a batch in one transaction.
func BenchmarkConfirm(b *testing.B) {
	for _, batch := range []int{1, 20, 200} {
		b.Run(fmt.Sprint("batch=", batch), func(b *testing.B) { confirmMany(b, batch) })
	}
}

func confirmMany(b *testing.B, batch int) {
	st, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "order.db"), store.Config{
		Owner: "order", Publishes: map[event.Contract]bool{orderv1.Placed{}.Contract(): true, orderv1.Confirmed{}.Contract(): true},
		Partition: func(topic, key string) (int32, error) { return 0, nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	if err := st.Migrate(b.Context(), migrations); err != nil {
		b.Fatal(err)
	}
	if _, _, err := st.TakeLane(b.Context()); err != nil {
		b.Fatal(err)
	}
	update := func(fn func(ctx context.Context, tx *store.Tx) error) {
		if err := st.Update(b.Context(), func(tx *store.Tx) error { return fn(b.Context(), tx) }); err != nil {
			b.Fatal(err)
		}
	}
	var lines []orderv1.Line
	for i := range 24 {
		lines = append(lines, orderv1.Line{SKU: fmt.Sprint("P", i), Quantity: 1, UnitPrice: 100})
	}
	for n := 0; b.Loop(); n++ {
		ids := make([]string, batch)
		for i := range ids {
			ids[i] = fmt.Sprint("o", n, "-", i)
		}
		update(func(ctx context.Context, tx *store.Tx) error {
			for _, id := range ids {
				p := request(id)
				p.Lines = lines
				if _, err := (Config{Deadline: time.Hour}).place(ctx, tx, p); err != nil {
					return err
				}
			}
			return nil
		})
		update(func(ctx context.Context, tx *store.Tx) error {
			return following(order.onReserved)(ctx, tx, messages(ids, func(id string) inventoryv1.Reserved { return inventoryv1.Reserved{OrderID: id} }))
		})
		update(func(ctx context.Context, tx *store.Tx) error {
			return following(order.onPaid)(ctx, tx, messages(ids, func(id string) paymentv1.Completed { return paymentv1.Completed{OrderID: id} }))
		})
		update(func(ctx context.Context, tx *store.Tx) error {
			return following(order.onScheduled)(ctx, tx, messages(ids, func(id string) shippingv1.Scheduled { return shippingv1.Scheduled{OrderID: id} }))
		})
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*batch), "µs/order")
}

func messages[T any](ids []string, of func(string) T) []event.Message[T] {
	ms := make([]event.Message[T], len(ids))
	for i, id := range ids {
		ms[i].Body = of(id)
	}
	return ms
}
