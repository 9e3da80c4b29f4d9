package inventory

import (
	"context"
	"fmt"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/shop/inventoryv1"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/paymentv1"
	"github.com/tutti-go/tutti/store"
)

// What inventory reads of others' events: no more than it needs.
type (
	placed struct {
		OrderID string `json:"orderId"`
		Lines   []line `json:"lines"`
	}
	returned struct {
		OrderID  string `json:"orderId"`
		ReturnID string `json:"returnId"`
		Lines    []line `json:"lines"`
	}
	paymentFailed struct {
		OrderID string `json:"orderId"`
	}
	refunded struct {
		OrderID string `json:"orderId"`
	}
)

func (placed) Contract() event.Contract        { return orderv1.Placed{}.Contract() }
func (returned) Contract() event.Contract      { return orderv1.Returned{}.Contract() }
func (paymentFailed) Contract() event.Contract { return paymentv1.Failed{}.Contract() }
func (refunded) Contract() event.Contract      { return paymentv1.Refunded{}.Contract() }

// onPlaced reserves the stock of many orders at once: their products are read and
// written once, however many of the orders want them.
func onPlaced(ctx context.Context, tx *store.Tx, ms []event.Message[placed]) error {
	var ids, skus []string
	wants := make([][]line, len(ms))
	for i, m := range ms {
		if err := sound(m.Body.Lines); err != nil {
			return event.Reject(fmt.Errorf("reserve stock for order %s: %w", m.Body.OrderID, err))
		}
		wants[i] = bySKU(m.Body.Lines)
		ids = append(ids, m.Body.OrderID)
		for _, l := range wants[i] {
			skus = append(skus, l.SKU)
		}
	}
	claims, err := loadClaims(ctx, tx, ids)
	if err != nil {
		return err
	}
	s, err := loadShelf(ctx, tx, skus)
	if err != nil {
		return err
	}
	before := s.clone()
	var news []claim
	for i, m := range ms {
		id := m.Body.OrderID
		st, missing := claims[id].reserve(s, wants[i])
		if st == claims[id] {
			continue
		}
		claims[id] = st
		news = append(news, claim{id, st, wants[i]})
		tx.Handling(m.Cause()) // a batch has many causes
		if err := event.Publish(ctx, tx, answer(id, missing)); err != nil {
			return err
		}
	}
	if err := insertClaims(ctx, tx, news); err != nil {
		return err
	}
	return move(ctx, tx, s.since(before))
}

func answer(orderID string, missing []inventoryv1.Shortage) event.Body {
	if missing != nil {
		return inventoryv1.OutOfStock{OrderID: orderID, Missing: missing}
	}
	return inventoryv1.Reserved{OrderID: orderID}
}

func onPaymentFailed(ctx context.Context, tx *store.Tx, m event.Message[paymentFailed]) error {
	return giveUp(ctx, tx, m.Body.OrderID)
}

func onRefunded(ctx context.Context, tx *store.Tx, m event.Message[refunded]) error {
	return giveUp(ctx, tx, m.Body.OrderID)
}

// giveUp frees what is reserved for an order, and makes sure that nothing will be.
func giveUp(ctx context.Context, tx *store.Tx, orderID string) error {
	c, err := loadClaim(ctx, tx, orderID)
	if err != nil {
		return err
	}
	was := c.status
	if c.status = was.undo(); c.status == was {
		return nil
	}
	if err := storeClaim(ctx, tx, c); err != nil {
		return err
	}
	if c.status != released {
		return nil
	}
	if err := move(ctx, tx, negative(c.lines)); err != nil {
		return fmt.Errorf("release the stock of order %s: %w", orderID, err)
	}
	return event.Publish(ctx, tx, inventoryv1.Released{OrderID: orderID})
}

// onReturned puts goods back, once for each return.
func onReturned(ctx context.Context, tx *store.Tx, m event.Message[returned]) error {
	b := m.Body
	if err := sound(b.Lines); err != nil {
		return event.Reject(fmt.Errorf("restock return %s: %w", b.ReturnID, err))
	}
	c, err := loadClaim(ctx, tx, b.OrderID)
	if err != nil {
		return err
	}
	if err := c.status.restock(b.OrderID); err != nil {
		return event.Reject(fmt.Errorf("restock return %s: %w", b.ReturnID, err))
	}
	fresh, err := insertRestock(ctx, tx, b.ReturnID, b.OrderID)
	if err != nil || !fresh {
		return err
	}
	if err := move(ctx, tx, negative(bySKU(b.Lines))); err != nil {
		return fmt.Errorf("restock return %s: %w", b.ReturnID, err)
	}
	return event.Publish(ctx, tx, inventoryv1.Restocked{OrderID: b.OrderID, ReturnID: b.ReturnID})
}
