package inventory

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/shop/inventoryv1"
	"github.com/tutti-go/tutti/store"
)

// BenchmarkReserve reserves stock for orders of 24 lines out of 3000 products, a
// batch of them in a transaction.
func BenchmarkReserve(b *testing.B) {
	for _, batch := range []int{1, 20, 200} {
		b.Run(fmt.Sprint("batch=", batch), func(b *testing.B) { reserveMany(b, batch) })
	}
}

func reserveMany(b *testing.B, batch int) {
	st, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "inventory.db"), store.Config{
		Owner: "inventory", Publishes: map[event.Contract]bool{inventoryv1.Reserved{}.Contract(): true},
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
	const products = 3000
	update(func(ctx context.Context, tx *store.Tx) error {
		for i := range products {
			if _, _, err := receive(ctx, tx, receipt{fmt.Sprint("r", i), fmt.Sprint("P", i), maxReceipt}); err != nil {
				return err
			}
		}
		return nil
	})
	rnd := rand.New(rand.NewPCG(1, 1))
	for n := 0; b.Loop(); n++ {
		ms := make([]event.Message[placed], batch)
		for i := range ms {
			ms[i].Body.OrderID = fmt.Sprint("o", n, "-", i)
			for range 24 {
				ms[i].Body.Lines = append(ms[i].Body.Lines, line{fmt.Sprint("P", rnd.IntN(products)), 1})
			}
		}
		update(func(ctx context.Context, tx *store.Tx) error { return onPlaced(ctx, tx, ms) })
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*batch), "µs/order")
}
