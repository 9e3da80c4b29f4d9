package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// postgres is the database on a server. Everything is in bulk and pipelined: a
// transaction is two round trips.
type postgres struct{ conn *pgx.Conn }

func openPostgres(ctx context.Context, url string) (*postgres, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	_, err = conn.Exec(ctx, `
		CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, status TEXT NOT NULL, sku TEXT NOT NULL, quantity INTEGER NOT NULL, amount BIGINT NOT NULL, customer TEXT NOT NULL)
			WITH (fillfactor = 50);
		CREATE TABLE IF NOT EXISTS position (part INTEGER PRIMARY KEY, next BIGINT NOT NULL);
		CREATE TABLE IF NOT EXISTS outbox (batch BIGINT PRIMARY KEY, events BYTEA NOT NULL);
		CREATE TABLE IF NOT EXISTS last (batch BIGINT NOT NULL);
		INSERT INTO last SELECT 0 WHERE NOT EXISTS (SELECT FROM last)`)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create tables: %w", err), conn.Close(ctx))
	}
	return &postgres{conn}, nil
}

func (p *postgres) close() error { return p.conn.Close(context.Background()) }

func (p *postgres) recover(ctx context.Context, partitions int) (map[int32]int64, int64, []batch, error) {
	if _, err := p.conn.Exec(ctx, `INSERT INTO position SELECT part, 0 FROM generate_series(0, $1::int - 1) part ON CONFLICT DO NOTHING`, partitions); err != nil {
		return nil, 0, nil, err
	}
	positions := map[int32]int64{}
	rows, err := p.conn.Query(ctx, `SELECT part, next FROM position`)
	if err != nil {
		return nil, 0, nil, err
	}
	var part int32
	var at int64
	if _, err := pgx.ForEachRow(rows, []any{&part, &at}, func() error { positions[part] = at; return nil }); err != nil {
		return nil, 0, nil, err
	}
	var last int64
	if err := p.conn.QueryRow(ctx, `SELECT batch FROM last`).Scan(&last); err != nil {
		return nil, 0, nil, err
	}
	rows, err = p.conn.Query(ctx, `SELECT batch, events FROM outbox ORDER BY batch`)
	if err != nil {
		return nil, 0, nil, err
	}
	unsent, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (batch, error) {
		var number int64
		var events []byte
		if err := row.Scan(&number, &events); err != nil {
			return batch{}, err
		}
		return unpack(number, events)
	})
	return positions, last, unsent, err
}

func (p *postgres) commit(ctx context.Context, w work) (batch, error) {
	tx, err := p.conn.Begin(ctx)
	if err != nil {
		return batch{}, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after a commit it does nothing
	out, err := p.apply(ctx, tx, w)
	if err != nil {
		return batch{}, err
	}
	b, err := newBatch(w.number, w.at, out)
	if err != nil {
		return b, err
	}
	var q pgx.Batch
	if len(w.moves) > 0 {
		moves(w.moves, &q)
	}
	if len(out) > 0 {
		q.Queue(`INSERT INTO outbox (batch, events) VALUES ($1, $2)`, b.number, b.pack())
		q.Queue(`UPDATE last SET batch = $1`, b.number)
	}
	if w.sent > w.swept { // the lower bound spares a walk over dead index entries
		q.Queue(`DELETE FROM outbox WHERE batch > $1 AND batch <= $2`, w.swept, w.sent)
	}
	if err := tx.SendBatch(ctx, &q).Close(); err != nil {
		return b, err
	}
	return b, tx.Commit(ctx)
}

// moves queues the update of the positions; a position that is not where it is
// expected fences this process.
func moves(ms map[int32]*move, q *pgx.Batch) {
	var parts []int32
	var from, to []int64
	for p, m := range ms {
		parts, from, to = append(parts, p), append(from, m.from), append(to, m.to)
	}
	q.Queue(`UPDATE position SET next = u.upto FROM unnest($1::int[], $2::bigint[], $3::bigint[]) u (part, since, upto)
		WHERE position.part = u.part AND position.next = u.since`, parts, from, to).Exec(func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() != int64(len(parts)) {
			return errFenced
		}
		return nil
	})
}

// apply does the steps, those of a kind together, and returns the orders at their
// next ones.
func (p *postgres) apply(ctx context.Context, tx pgx.Tx, w work) ([]order, error) {
	out := append(make([]order, 0, len(w.placed)+len(w.steps)), w.placed...)
	at := map[string][]order{}
	for _, o := range w.steps {
		at[o.Status] = append(at[o.Status], o)
	}
	var q pgx.Batch
	if orders := at[placed]; len(orders) > 0 {
		insert(orders, &q, &out)
	}
	for _, was := range []string{reserved, paid, shipped} {
		if orders := at[was]; len(orders) > 0 {
			advance(was, orders, &q, &out)
		}
	}
	return out, tx.SendBatch(ctx, &q).Close()
}

func insert(orders []order, q *pgx.Batch, out *[]order) {
	n := len(orders)
	ids, skus, customers := make([]string, n), make([]string, n), make([]string, n)
	quantities, amounts := make([]int, n), make([]int64, n)
	for i, o := range orders {
		ids[i], skus[i], quantities[i], amounts[i], customers[i] = o.ID, o.SKU, o.Quantity, o.Amount, o.Customer
	}
	q.Queue(`INSERT INTO orders (id, status, sku, quantity, amount, customer)
		SELECT id, 'reserved', sku, quantity, amount, customer
		FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::text[]) u (id, sku, quantity, amount, customer)
		ON CONFLICT DO NOTHING RETURNING id`, ids, skus, quantities, amounts, customers).Query(changed(orders, reserved, out))
}

func advance(was string, orders []order, q *pgx.Batch, out *[]order) {
	ids := make([]string, len(orders))
	for i, o := range orders {
		ids[i] = o.ID
	}
	q.Queue(`UPDATE orders SET status = $1 FROM unnest($2::text[]) u (id) WHERE orders.id = u.id AND status = $3 RETURNING orders.id`,
		next[was], ids, was).Query(changed(orders, next[was], out))
}

// changed appends the orders that a statement has changed; the others are
// duplicates.
func changed(orders []order, status string, out *[]order) func(rows pgx.Rows) error {
	return func(rows pgx.Rows) error {
		byID := make(map[string]order, len(orders))
		for _, o := range orders {
			byID[o.ID] = o
		}
		var id string
		_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
			o := byID[id]
			o.Status = status
			*out = append(*out, o)
			return nil
		})
		return err
	}
}
