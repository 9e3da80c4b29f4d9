package storefront

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	cartLife = 30 * 24 * time.Hour // since the last change
	swept    = 8                   // old carts that a new one takes along
)

// create starts an empty cart. It deletes a few that nobody has touched for long,
// so that their number follows the customers' and needs no cleaner.
func create(ctx context.Context, tx *store.Tx, id string) error {
	err := tx.Exec(ctx, `DELETE FROM carts WHERE id IN (SELECT id FROM carts WHERE touched_at < $1 ORDER BY touched_at LIMIT $2)`,
		tx.Now().Add(-cartLife).UnixMilli(), swept)
	if err != nil {
		return fmt.Errorf("delete old carts: %w", err)
	}
	if err := tx.Exec(ctx, `INSERT INTO carts (id, touched_at) VALUES ($1, $2)`, id, tx.Now().UnixMilli()); err != nil {
		return fmt.Errorf("create cart %s: %w", id, err)
	}
	return nil
}

// load returns a cart with its lines in the order in which they were added.
func load(ctx context.Context, q store.Querier, id string) (cart, error) {
	c := cart{id: id}
	found := false
	lines, err := store.Collect(ctx, q, func(r store.Rows) (l line, err error) {
		found = true
		return l, r.Scan(&c.order, &c.hash, &l.SKU, &l.Name, &l.Quantity, &l.UnitPrice)
	}, `SELECT c.order_id, c.request_hash, COALESCE(l.sku, ''), COALESCE(p.name, ''), COALESCE(l.quantity, 0), COALESCE(l.price, p.price, 0)
		FROM carts c LEFT JOIN cart_lines l ON l.cart_id = c.id LEFT JOIN products p ON p.sku = l.sku
		WHERE c.id = $1 ORDER BY l.added_at, l.sku`, id)
	if err != nil {
		return cart{}, fmt.Errorf("load cart %s: %w", id, err)
	}
	if !found {
		return cart{}, noCart(id)
	}
	for _, l := range lines {
		if l.SKU != "" { // an empty cart has one row of blanks
			l.Total = l.Quantity * l.UnitPrice
			c.lines = append(c.lines, l)
		}
	}
	return c, nil
}

func noCart(id string) error { return problem.NotFound("there is no cart %q", clip(id)) }

// touch marks a cart as in use, and returns it without its lines.
func touch(ctx context.Context, tx *store.Tx, id string) (cart, error) {
	c := cart{id: id}
	err := tx.QueryRow(ctx, `UPDATE carts SET touched_at = $2 WHERE id = $1 RETURNING order_id, request_hash`, id, tx.Now().UnixMilli()).
		Scan(&c.order, &c.hash)
	if errors.Is(err, store.ErrNoRows) {
		return cart{}, noCart(id)
	}
	if err != nil {
		return cart{}, fmt.Errorf("touch cart %s: %w", id, err)
	}
	return c, nil
}

// put sets how many of a product a cart has; 0 takes it out.
func put(ctx context.Context, tx *store.Tx, id, sku string, quantity int64) (cart, error) {
	c, err := touch(ctx, tx, id)
	if err != nil {
		return cart{}, err
	}
	if err := c.change(); err != nil {
		return cart{}, err
	}
	if quantity == 0 {
		err = tx.Exec(ctx, `DELETE FROM cart_lines WHERE cart_id = $1 AND sku = $2`, id, sku)
	} else {
		err = setLine(ctx, tx, id, sku, quantity)
	}
	if err != nil {
		return cart{}, fmt.Errorf("set line %s of cart %s: %w", sku, id, err)
	}
	return load(ctx, tx, id)
}

func setLine(ctx context.Context, tx *store.Tx, id, sku string, quantity int64) error {
	var known, others int64
	err := tx.QueryRow(ctx, `SELECT (SELECT COUNT(*) FROM products WHERE sku = $2), (SELECT COUNT(*) FROM cart_lines WHERE cart_id = $1 AND sku <> $2)`, id, sku).
		Scan(&known, &others)
	switch {
	case err != nil:
		return err
	case known == 0:
		return problem.NotFound("there is no product %q", clip(sku))
	case others >= maxLines:
		return problem.Unprocessable("the cart has %d products already, the most that fit", others)
	}
	return tx.Exec(ctx, `INSERT INTO cart_lines (cart_id, sku, quantity, added_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (cart_id, sku) DO UPDATE SET quantity = excluded.quantity`, id, sku, quantity, tx.Now().UnixMilli())
}

// order checks a cart out: its prices are settled, and the order is asked for.
func order(ctx context.Context, tx *store.Tx, id string, r checkout) error {
	c, err := load(ctx, tx, id)
	if err != nil {
		return err
	}
	cmd, done, err := c.checkOut(r)
	if err != nil || done {
		return err
	}
	err = tx.Exec(ctx, `UPDATE carts SET order_id = $2, request_hash = $3, touched_at = $4 WHERE id = $1`, id, cmd.OrderID, r.hash(), tx.Now().UnixMilli())
	if err == nil {
		err = tx.Exec(ctx, `UPDATE cart_lines SET price = (SELECT price FROM products WHERE products.sku = cart_lines.sku) WHERE cart_id = $1`, id)
	}
	if err != nil {
		return fmt.Errorf("check out cart %s: %w", id, err)
	}
	return event.Publish(ctx, tx, cmd)
}
