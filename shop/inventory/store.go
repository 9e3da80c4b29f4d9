package inventory

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/tutti-go/tutti/internal/bulk"
	"github.com/tutti-go/tutti/internal/fastjson"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// errMoved says that another instance has taken stock since it was read. The
// message is handled again.
var errMoved = fmt.Errorf("the stock has changed meanwhile: %w", store.ErrConflict)

// claim is an order's claim to stock, as it is stored.
type claim struct {
	orderID string
	status  status
	lines   []line // each SKU once
}

// loadClaims returns where the claims of orders stand; those that have none are
// missing.
func loadClaims(ctx context.Context, tx *store.Tx, ids []string) (map[string]status, error) {
	claims := make(map[string]status, len(ids))
	for piece := range bulk.Chunks(ids) {
		found, err := store.Collect(ctx, tx, func(r store.Rows) (c claim, err error) {
			var st string
			err = r.Scan(&c.orderID, &st)
			c.status = status(st)
			return c, err
		}, `SELECT order_id, status FROM reservations WHERE order_id IN (`+bulk.Params(1, len(piece))+`)`, bulk.Args(nil, piece)...)
		if err != nil {
			return nil, fmt.Errorf("read %d reservations: %w", len(piece), err)
		}
		for _, c := range found {
			claims[c.orderID] = c.status
		}
	}
	return claims, nil
}

func insertClaims(ctx context.Context, tx *store.Tx, claims []claim) error {
	for piece := range bulk.Chunks(claims) {
		args := make([]any, 0, 3*len(piece))
		for _, c := range piece {
			lines := []line{} // what was refused is not kept
			if c.status == reserved {
				lines = c.lines
			}
			text, err := json.Marshal(lines)
			if err != nil {
				return fmt.Errorf("store the reservation of order %s: %w", c.orderID, err)
			}
			args = append(args, c.orderID, string(c.status), string(text))
		}
		err := tx.Exec(ctx, `INSERT INTO reservations (order_id, status, lines) VALUES `+bulk.Values(len(piece), "?, ?, ?"), args...)
		if err != nil {
			return fmt.Errorf("store %d reservations: %w", len(piece), err)
		}
	}
	return nil
}

// loadClaim returns the claim of an order, with what is reserved for it.
func loadClaim(ctx context.Context, tx *store.Tx, orderID string) (claim, error) {
	c := claim{orderID: orderID}
	var st, text string
	err := tx.QueryRow(ctx, `SELECT status, lines FROM reservations WHERE order_id = $1`, orderID).Scan(&st, &text)
	if errors.Is(err, store.ErrNoRows) {
		return c, nil
	}
	if err == nil {
		err = fastjson.Unmarshal([]byte(text), &c.lines)
	}
	if err != nil {
		return c, fmt.Errorf("read the reservation of order %s: %w", orderID, err)
	}
	c.status = status(st)
	return c, nil
}

// storeClaim stores that a claim is given up. What was reserved is kept for
// whoever looks into it.
func storeClaim(ctx context.Context, tx *store.Tx, c claim) error {
	err := tx.Exec(ctx, `INSERT INTO reservations (order_id, status, lines) VALUES ($1, $2, '[]')
		ON CONFLICT (order_id) DO UPDATE SET status = excluded.status`, c.orderID, string(c.status))
	if err != nil {
		return fmt.Errorf("store the reservation of order %s: %w", c.orderID, err)
	}
	return nil
}

// insertRestock stores that the goods of a return are back, and reports whether
// that is new.
func insertRestock(ctx context.Context, tx *store.Tx, returnID, orderID string) (bool, error) {
	n, err := tx.Affected(ctx, `INSERT INTO restocks (return_id, order_id) VALUES ($1, $2) ON CONFLICT (return_id) DO NOTHING`, returnID, orderID)
	if err != nil {
		return false, fmt.Errorf("store the restock of return %s: %w", returnID, err)
	}
	return n == 1, nil
}

func scanLevel(r store.Rows) (l level, err error) {
	return l, r.Scan(&l.SKU, &l.Received, &l.Reserved)
}

// loadShelf reads the stock of products.
func loadShelf(ctx context.Context, tx *store.Tx, skus []string) (shelf, error) {
	slices.Sort(skus)
	skus = slices.Compact(skus)
	s := make(shelf, len(skus))
	for piece := range bulk.Chunks(skus) {
		levels, err := store.Collect(ctx, tx, scanLevel,
			`SELECT sku, received, reserved FROM stock WHERE sku IN (`+bulk.Params(1, len(piece))+`)`, bulk.Args(nil, piece)...)
		if err != nil {
			return nil, fmt.Errorf("read the stock of %d products: %w", len(piece), err)
		}
		for _, l := range levels {
			s[l.SKU] = l
		}
	}
	return s, nil
}

// move adds lines to what is reserved, many products by one statement. It looks
// again whether there is enough: with several instances on one database, another
// may have taken stock after it was read here.
func move(ctx context.Context, tx *store.Tx, lines []line) error {
	for piece := range bulk.Chunks(lines) {
		args := make([]any, 0, 2*len(piece))
		for _, l := range piece {
			args = append(args, l.SKU, l.Quantity)
		}
		err := tx.Expect(ctx, len(piece), errMoved, `INSERT INTO stock (sku, reserved, received) VALUES `+bulk.Values(len(piece), "?, ?, 0")+`
			ON CONFLICT (sku) DO UPDATE SET reserved = stock.reserved + excluded.reserved
			WHERE stock.reserved + excluded.reserved >= 0 AND stock.reserved + excluded.reserved <= stock.received`, args...)
		if err != nil {
			return fmt.Errorf("reserve %d products: %w", len(piece), err)
		}
	}
	return nil
}

// receive stores a goods receipt, and returns the stock after it and whether it is
// new. The same request again has no effect.
func receive(ctx context.Context, tx *store.Tx, r receipt) (l level, fresh bool, err error) {
	n, err := tx.Affected(ctx, `INSERT INTO receipts (id, sku, quantity) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING`, r.ID, r.SKU, r.Quantity)
	if err != nil {
		return l, false, fmt.Errorf("store receipt %s: %w", r.ID, err)
	}
	if n == 0 {
		l, err = repeated(ctx, tx, r)
		return l, false, err
	}
	l.SKU = r.SKU
	err = tx.QueryRow(ctx, `INSERT INTO stock (sku, received, reserved) VALUES ($1, $2, 0)
		ON CONFLICT (sku) DO UPDATE SET received = stock.received + excluded.received RETURNING received, reserved`, r.SKU, r.Quantity).
		Scan(&l.Received, &l.Reserved)
	if err != nil {
		return l, false, fmt.Errorf("receive %s: %w", r.SKU, err)
	}
	return l, true, r.fits(l)
}

func repeated(ctx context.Context, tx *store.Tx, r receipt) (level, error) {
	first := receipt{ID: r.ID}
	if err := tx.QueryRow(ctx, `SELECT sku, quantity FROM receipts WHERE id = $1`, r.ID).Scan(&first.SKU, &first.Quantity); err != nil {
		return level{}, fmt.Errorf("find receipt %s: %w", r.ID, err)
	}
	if err := r.repeats(first); err != nil {
		return level{}, err
	}
	return find(ctx, tx, r.SKU)
}

func find(ctx context.Context, q store.Querier, sku string) (level, error) {
	l := level{SKU: sku}
	err := q.QueryRow(ctx, `SELECT received, reserved FROM stock WHERE sku = $1`, sku).Scan(&l.Received, &l.Reserved)
	if errors.Is(err, store.ErrNoRows) {
		return l, problem.NotFound("there is no stock of %q", sku)
	}
	if err != nil {
		return l, fmt.Errorf("find the stock of %s: %w", sku, err)
	}
	return l, nil
}

// list returns up to limit products after a SKU, in the order of SKUs.
func list(ctx context.Context, q store.Querier, after string, limit int) ([]level, error) {
	levels, err := store.Collect(ctx, q, scanLevel,
		`SELECT sku, received, reserved FROM stock WHERE sku > $1 ORDER BY sku LIMIT $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list stock: %w", err)
	}
	return levels, nil
}
