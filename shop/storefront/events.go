package storefront

import (
	"context"
	"fmt"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/ident"
	"github.com/tutti-go/tutti/shop/catalogv1"
	"github.com/tutti-go/tutti/store"
)

// listed keeps the copy of the catalog that carts are priced with.
func listed(ctx context.Context, tx *store.Tx, m event.Message[catalogv1.Listed]) error {
	p := m.Body
	if err := ident.Check("product", p.SKU); err != nil {
		return event.Reject(fmt.Errorf("copy product: %w", err))
	}
	if p.Price < 1 || p.Price > maxPrice {
		return event.Reject(fmt.Errorf("copy product %s: price is %d pence, want 1 to %d", p.SKU, p.Price, maxPrice))
	}
	err := tx.Exec(ctx, `INSERT INTO products (sku, name, price, revision) VALUES ($1, $2, $3, $4)
		ON CONFLICT (sku) DO UPDATE SET name = excluded.name, price = excluded.price, revision = excluded.revision
		WHERE products.revision <= excluded.revision OR excluded.revision = 0`, p.SKU, p.Name, p.Price, p.Revision)
	if err != nil {
		return fmt.Errorf("copy product %s: %w", p.SKU, err)
	}
	return nil
}
