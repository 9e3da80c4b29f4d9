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
	_, err := c.place(ctx, tx, m.Body)
	if problem.KindOf(err) == problem.Unacceptable {
		return event.Reject(err)
	}
	return err
}

// fact is an event that orders follow.
type fact interface {
	event.Body
	News() bool
}

// following makes a handler of a decision that follows from an event of another
// service. Where a mediator decides, the event is only noted.
func following[T fact](decision func(order, T) step) func(context.Context, *store.Tx, []event.Message[T]) error {
	return deciding(func(o order, e T) (step, error) {
		switch {
		case !e.News():
			return o.stay(""), nil
		case o.directed:
			return o.stay(decision(o, e).note), nil
		}
		return decision(o, e), nil
	})
}

// obeying makes a handler of a decision that a mediator asks for.
func obeying[T event.Body](decision func(order, T) step) func(context.Context, *store.Tx, []event.Message[T]) error {
	return deciding(func(o order, c T) (step, error) {
		if !o.directed {
			return step{}, event.Reject(fmt.Errorf("follow %s: order %s has no mediator", c.Contract(), o.id))
		}
		return decision(o, c), nil
	})
}

// deciding makes a handler of a decision. Messages of a batch that lead to the same
// change are stored together.
func deciding[T event.Body](decision func(order, T) (step, error)) func(context.Context, *store.Tx, []event.Message[T]) error {
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
			s, err := decision(o, m.Body)
			if err != nil {
				return err
			}
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
