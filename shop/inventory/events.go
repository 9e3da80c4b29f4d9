package inventory

import (
	"context"
	"fmt"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/ident"
	"github.com/tutti-go/tutti/shop/inventoryv1"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/paymentv1"
	"github.com/tutti-go/tutti/store"
)

// What inventory reads of others' events: no more than it needs.
type (
	placed struct {
		OrderID  string `json:"orderId"`
		Lines    []line `json:"lines"`
		Directed bool   `json:"directed"`
	}
	returned struct {
		OrderID  string `json:"orderId"`
		ReturnID string `json:"returnId"`
		Lines    []line `json:"lines"`
	}
	paymentFailed struct {
		OrderID  string `json:"orderId"`
		Directed bool   `json:"directed"`
	}
	refunded struct {
		OrderID  string `json:"orderId"`
		Directed bool   `json:"directed"`
	}
	// What it reads of the commands of a mediator.
	reserveStock struct {
		OrderID string `json:"orderId"`
		Lines   []line `json:"lines"`
	}
)

func (placed) Contract() event.Contract        { return orderv1.Placed{}.Contract() }
func (returned) Contract() event.Contract      { return orderv1.Returned{}.Contract() }
func (paymentFailed) Contract() event.Contract { return paymentv1.Failed{}.Contract() }
func (refunded) Contract() event.Contract      { return paymentv1.Refunded{}.Contract() }
func (reserveStock) Contract() event.Contract  { return inventoryv1.ReserveStock{}.Contract() }

// wish is what an order wants to be reserved, and what led to it.
type wish struct {
	orderID  string
	lines    []line
	directed bool // by a mediator, who is answered in any case
	cause    event.Cause
}

func onPlaced(ctx context.Context, tx *store.Tx, ms []event.Message[placed]) error {
	var wishes []wish
	for _, m := range ms {
		if !m.Body.Directed {
			wishes = append(wishes, wish{m.Body.OrderID, m.Body.Lines, false, m.Cause()})
		}
	}
	return reserveAll(ctx, tx, wishes)
}

func onReserveStock(ctx context.Context, tx *store.Tx, ms []event.Message[reserveStock]) error {
	wishes := make([]wish, len(ms))
	for i, m := range ms {
		wishes[i] = wish{m.Body.OrderID, m.Body.Lines, true, m.Cause()}
	}
	return reserveAll(ctx, tx, wishes)
}

// reserveAll reserves the stock of many orders at once: their products are read and
// written once, however many of the orders want them.
func reserveAll(ctx context.Context, tx *store.Tx, wishes []wish) error {
	if len(wishes) == 0 {
		return nil
	}
	var ids, skus []string
	for i, w := range wishes {
		if err := ident.Check("order", w.orderID); err != nil {
			return event.Reject(fmt.Errorf("reserve stock: %w", err))
		}
		if err := sound(w.lines); err != nil {
			return event.Reject(fmt.Errorf("reserve stock for order %s: %w", w.orderID, err))
		}
		wishes[i].lines = bySKU(w.lines)
		ids = append(ids, w.orderID)
		for _, l := range wishes[i].lines {
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
	for _, w := range wishes {
		was := claims[w.orderID]
		st, missing := was.reserve(s, w.lines)
		if st != was {
			claims[w.orderID] = st
			news = append(news, claim{w.orderID, st, w.lines})
		} else if !w.directed {
			continue
		}
		tx.Handling(w.cause) // a batch has many causes
		if err := event.Publish(ctx, tx, w.answer(st, missing, st == was)); err != nil {
			return err
		}
	}
	if err := insertClaims(ctx, tx, news); err != nil {
		return err
	}
	return move(ctx, tx, s.since(before))
}

// answer says how the claim of an order stands.
func (w wish) answer(st status, missing []inventoryv1.Shortage, unchanged bool) event.Body {
	if st == reserved {
		return inventoryv1.Reserved{OrderID: w.orderID, Directed: w.directed, Unchanged: unchanged}
	}
	missing = append([]inventoryv1.Shortage{}, missing...) // an array in JSON, even if empty
	return inventoryv1.OutOfStock{OrderID: w.orderID, Missing: missing, Directed: w.directed, Unchanged: unchanged}
}

func onPaymentFailed(ctx context.Context, tx *store.Tx, m event.Message[paymentFailed]) error {
	if m.Body.Directed {
		return nil
	}
	_, err := giveUp(ctx, tx, m.Body.OrderID, false)
	return err
}

func onRefunded(ctx context.Context, tx *store.Tx, m event.Message[refunded]) error {
	if m.Body.Directed {
		return nil
	}
	_, err := giveUp(ctx, tx, m.Body.OrderID, false)
	return err
}

// onReleaseStock answers also where nothing was reserved.
func onReleaseStock(ctx context.Context, tx *store.Tx, m event.Message[inventoryv1.ReleaseStock]) error {
	freed, err := giveUp(ctx, tx, m.Body.OrderID, true)
	if err != nil || freed {
		return err
	}
	return event.Publish(ctx, tx, inventoryv1.Released{OrderID: m.Body.OrderID, Directed: true, Unchanged: true})
}

// giveUp frees what is reserved for an order, and makes sure that nothing will be. It
// reports whether anything was.
func giveUp(ctx context.Context, tx *store.Tx, orderID string, directed bool) (freed bool, err error) {
	if err := ident.Check("order", orderID); err != nil {
		return false, event.Reject(fmt.Errorf("give stock up: %w", err))
	}
	c, err := loadClaim(ctx, tx, orderID)
	if err != nil {
		return false, err
	}
	was := c.status
	if c.status = was.undo(); c.status == was {
		return false, nil
	}
	if err := storeClaim(ctx, tx, c); err != nil {
		return false, err
	}
	if c.status != released {
		return false, nil
	}
	if err := move(ctx, tx, negative(c.lines)); err != nil {
		return false, fmt.Errorf("release the stock of order %s: %w", orderID, err)
	}
	return true, event.Publish(ctx, tx, inventoryv1.Released{OrderID: orderID, Directed: directed})
}

// onReturned puts goods back, once for each return.
func onReturned(ctx context.Context, tx *store.Tx, m event.Message[returned]) error {
	b := m.Body
	if err := ident.Check("return", b.ReturnID); err != nil {
		return event.Reject(fmt.Errorf("restock: %w", err))
	}
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
