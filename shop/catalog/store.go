package catalog

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/shop/catalogv1"
	"github.com/tutti-go/tutti/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// find returns a product, and whether it is listed.
func find(ctx context.Context, q store.Querier, sku string) (product, bool, error) {
	p := product{SKU: sku}
	err := q.QueryRow(ctx, `SELECT name, price FROM products WHERE sku = $1`, sku).Scan(&p.Name, &p.Price)
	if errors.Is(err, store.ErrNoRows) {
		return product{}, false, nil
	}
	if err != nil {
		return product{}, false, fmt.Errorf("find product %s: %w", sku, err)
	}
	return p, true, nil
}

// list puts a product on sale, or changes it, and says so if that is news. It
// reports whether the product is new.
func list(ctx context.Context, tx *store.Tx, p product) (created bool, err error) {
	old, found, err := find(ctx, tx, p.SKU)
	if err != nil || old == p {
		return false, err
	}
	var revision int64
	err = tx.QueryRow(ctx, `INSERT INTO products (sku, name, price, search, revision) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (sku) DO UPDATE SET name = excluded.name, price = excluded.price, search = excluded.search,
		revision = CASE WHEN products.revision < excluded.revision THEN excluded.revision ELSE products.revision + 1 END RETURNING revision`,
		p.SKU, p.Name, p.Price, p.searchText(), tx.Now().UnixMilli()).Scan(&revision)
	if err != nil {
		return false, fmt.Errorf("list product %s: %w", p.SKU, err)
	}
	return !found, event.Publish(ctx, tx, catalogv1.Listed{SKU: p.SKU, Name: p.Name, Price: p.Price, Revision: revision})
}

// page is some products in the order of their SKUs. Next is the SKU to go on
// after; empty at the end.
type page struct {
	Products []product `json:"products"`
	Next     string    `json:"next,omitempty"`
}

// browse returns up to limit products after a SKU that contain all words. It
// walks the primary key from there, so a page costs the same wherever it is; with
// words, it reads on until the page is full.
func browse(ctx context.Context, q store.Querier, after string, limit int, words []string) (page, error) {
	query := `SELECT sku, name, price FROM products WHERE sku > $1`
	args := []any{after}
	for _, w := range words {
		args = append(args, "%"+escapeLike(w)+"%")
		query += ` AND search LIKE $` + strconv.Itoa(len(args)) + ` ESCAPE '\'`
	}
	args = append(args, limit+1) // one more tells whether there is a next page
	query += ` ORDER BY sku LIMIT $` + strconv.Itoa(len(args))
	found, err := store.Collect(ctx, q, func(r store.Rows) (p product, err error) {
		return p, r.Scan(&p.SKU, &p.Name, &p.Price)
	}, query, args...)
	if err != nil {
		return page{}, fmt.Errorf("browse products: %w", err)
	}
	pg := page{Products: found}
	if len(found) > limit {
		pg.Products, pg.Next = found[:limit], found[limit-1].SKU
	}
	if pg.Products == nil {
		pg.Products = []product{} // an array in JSON, even if empty
	}
	return pg, nil
}

var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

func escapeLike(s string) string { return likeEscaper.Replace(s) }
