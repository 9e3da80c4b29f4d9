package load

import (
	"context"
	"sync"
)

// Waiting lets the end of a pipeline tell the one who placed an order that it is
// confirmed. The zero value is ready.
type Waiting struct{ orders sync.Map } // id → channel, closed at the end

// Begin notes an order before it is placed. The function it returns waits for the
// end of the order.
func (w *Waiting) Begin(id string) (wait func(ctx context.Context) error) {
	done := make(chan struct{})
	w.orders.Store(id, done)
	return func(ctx context.Context) error {
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			w.orders.Delete(id)
			return ctx.Err()
		}
	}
}

// End ends an order. Those that nobody waits for are none of its business.
func (w *Waiting) End(id string) {
	if done, ok := w.orders.LoadAndDelete(id); ok {
		close(done.(chan struct{}))
	}
}
