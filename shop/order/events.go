package order

import (
	"context"
	"fmt"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/shop/inventoryv1"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/paymentv1"
	"github.com/tutti-go/tutti/store"
)

// onPlace handles the command. What is against a rule will always be.
func (c Config) onPlace(ctx context.Context, tx *store.Tx, m event.Message[orderv1.Place]) error {
	if err := validate(m.Body); err != nil {
		return event.Reject(err)
	}
	_, err := place(ctx, tx, m.Body, c.Deadline)
	if problem.KindOf(err) == problem.Unacceptable {
		return event.Reject(err)
	}
	return err
}

// following makes a handler of a decision that follows from an event of another
// service. Messages of a batch that lead to the same change are stored together.
func following[T event.Body](decision func(order, T) step) func(context.Context, *store.Tx, []event.Message[T]) error {
	return func(ctx context.Context, tx *store.Tx, ms []event.Message[T]) error {
		orders, err := load(ctx, tx, keys(ms))
		if err != nil {
			return err
		}
		var c changes
		for _, m := range ms {
			o, ok := orders[m.Body.Key()]
			if !ok {
				return event.Reject(fmt.Errorf("follow %s: there is no order %s", m.Body.Contract(), clip(m.Body.Key())))
			}
			s := decision(o, m.Body)
			c.add(o, s, tx.Now())
			orders[o.id] = s.order
			if len(s.say) == 0 {
				continue
			}
			tx.Handling(m.Cause()) // a batch has many causes
			if err := publish(ctx, tx, s); err != nil {
				return err
			}
		}
		return c.save(ctx, tx)
	}
}

func onDeadline(ctx context.Context, tx *store.Tx, d job.Due[deadline]) error {
	_, err := decide(ctx, tx, d.ID, func(o order) (step, error) { return o.expire(), nil })
	if err != nil {
		return fmt.Errorf("end the time of order %s: %w", d.ID, err)
	}
	return nil
}

func onReturnRefunded(ctx context.Context, tx *store.Tx, m event.Message[paymentv1.ReturnRefunded]) error {
	return settle(ctx, tx, markRefunded, m.Body.ReturnID, m.Body.OrderID)
}

func onRestocked(ctx context.Context, tx *store.Tx, m event.Message[inventoryv1.Restocked]) error {
	return settle(ctx, tx, markRestocked, m.Body.ReturnID, m.Body.OrderID)
}
