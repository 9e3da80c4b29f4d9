package customer

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/bulk"
	"github.com/tutti-go/tutti/shop/customerv1"
	"github.com/tutti-go/tutti/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// customer is a customer as stored and shown. Spend is in pence.
type customer struct {
	ID string `json:"id"`
	profile
	Spend int64 `json:"spend"`
}

// find returns a customer, and whether there is one.
func find(ctx context.Context, q store.Querier, id string) (customer, bool, error) {
	c := customer{ID: id}
	err := q.QueryRow(ctx, `SELECT name, email, country, spend FROM customers WHERE id = $1`, id).Scan(&c.Name, &c.Email, &c.Country, &c.Spend)
	if errors.Is(err, store.ErrNoRows) {
		return customer{}, false, nil
	}
	if err != nil {
		return customer{}, false, fmt.Errorf("find customer %s: %w", id, err)
	}
	return c, true, nil
}

// register stores who a customer is, and says so if that is news. It reports
// whether the customer is new.
func register(ctx context.Context, tx *store.Tx, id string, p profile) (c customer, created bool, err error) {
	c, found, err := find(ctx, tx, id)
	if err != nil || found && c.profile == p {
		return c, false, err
	}
	c.ID, c.profile = id, p
	var revision int64
	err = tx.QueryRow(ctx, `INSERT INTO customers (id, name, email, country, spend, revision) VALUES ($1, $2, $3, $4, 0, $5)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, email = excluded.email, country = excluded.country,
		revision = CASE WHEN customers.revision < excluded.revision THEN excluded.revision ELSE customers.revision + 1 END RETURNING revision`,
		id, p.Name, p.Email, p.Country, tx.Now().UnixMilli()).Scan(&revision)
	if err != nil {
		return c, false, fmt.Errorf("register customer %s: %w", id, err)
	}
	return c, !found, event.Publish(ctx, tx, customerv1.Registered{CustomerID: id, Name: p.Name, Email: p.Email, Country: p.Country, Revision: revision})
}

// errSpend says that a customer's spend would be more than can be kept.
var errSpend = fmt.Errorf("spend goes beyond %d pence", int64(maxSpend))

// spend changes the spend of customers, many by one statement. Who has never
// registered is stored without a name.
func spend(ctx context.Context, tx *store.Tx, all []spending) error {
	sums, err := add(all)
	if err != nil {
		return event.Reject(err)
	}
	for piece := range bulk.Chunks(sums) {
		args := make([]any, 0, 2*len(piece))
		for _, s := range piece {
			args = append(args, s.id, s.amount)
		}
		n, err := tx.Affected(ctx, fmt.Sprintf(`INSERT INTO customers (id, name, email, country, spend) VALUES %s
			ON CONFLICT (id) DO UPDATE SET spend = customers.spend + excluded.spend
			WHERE ABS(customers.spend + excluded.spend) <= %d`, bulk.Values(len(piece), "?, '', '', '', ?"), int64(maxSpend)), args...)
		switch {
		case err != nil:
			return fmt.Errorf("change the spend of %d customers: %w", len(piece), err)
		case n != int64(len(piece)):
			return event.Reject(fmt.Errorf("change the spend of %d customers: %w", len(piece), errSpend))
		}
	}
	return nil
}

// sorted lists the sums in the order of ids: the order in which rows are written,
// so that transactions never wait for each other in a ring.
func sorted(sums map[string]int64) []spending {
	out := make([]spending, 0, len(sums))
	for id, amount := range sums {
		out = append(out, spending{id, amount})
	}
	slices.SortFunc(out, func(a, b spending) int { return cmp.Compare(a.id, b.id) })
	return out
}
