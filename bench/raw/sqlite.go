package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	_ "modernc.org/sqlite" // the driver
)

var errFenced = errors.New("another process has moved the position")

// sqlite is the database as a file.
type sqlite struct {
	db   *sql.DB
	conn *sql.Conn
	insert, advance, move,
	store, sweep *sql.Stmt
}

func openSQLite(ctx context.Context, path string) (_ *sqlite, err error) {
	s := &sqlite{}
	if s.db, err = sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)"+
		"&_pragma=cache_size(-32768)&_pragma=wal_autocheckpoint(4000)"); err != nil {
		return nil, err
	}
	if s.conn, err = s.db.Conn(ctx); err != nil {
		return nil, err
	}
	_, err = s.conn.ExecContext(ctx, `
		CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, status TEXT NOT NULL, sku TEXT NOT NULL, quantity INTEGER NOT NULL, amount BIGINT NOT NULL, customer TEXT NOT NULL);
		CREATE TABLE IF NOT EXISTS position (part INTEGER PRIMARY KEY, next INTEGER NOT NULL);
		CREATE TABLE IF NOT EXISTS outbox (batch INTEGER PRIMARY KEY, events BLOB NOT NULL);
		CREATE TABLE IF NOT EXISTS last (only INTEGER PRIMARY KEY, batch INTEGER NOT NULL);
		INSERT INTO last VALUES (1, 0) ON CONFLICT DO NOTHING`)
	prepare := func(query string) (st *sql.Stmt) {
		if err == nil {
			st, err = s.conn.PrepareContext(ctx, query)
		}
		return st
	}
	s.insert = prepare(`INSERT INTO orders (id, status, sku, quantity, amount, customer) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`)
	s.advance = prepare(`UPDATE orders SET status = ? WHERE id = ? AND status = ?`)
	s.move = prepare(`UPDATE position SET next = ? WHERE part = ? AND next = ?`)
	s.store = prepare(`INSERT INTO outbox (batch, events) VALUES (?, ?)`)
	s.sweep = prepare(`DELETE FROM outbox WHERE batch <= ?`)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), s.db.Close())
	}
	return s, nil
}

func (s *sqlite) close() error { return errors.Join(s.conn.Close(), s.db.Close()) }

func (s *sqlite) recover(ctx context.Context, partitions int) (map[int32]int64, int64, []batch, error) {
	positions := map[int32]int64{}
	for p := range int32(partitions) {
		var next int64
		err := s.conn.QueryRowContext(ctx, `INSERT INTO position VALUES (?, 0) ON CONFLICT (part) DO UPDATE SET next = next RETURNING next`, p).Scan(&next)
		if err != nil {
			return nil, 0, nil, err
		}
		positions[p] = next
	}
	var last int64
	if err := s.conn.QueryRowContext(ctx, `SELECT batch FROM last`).Scan(&last); err != nil {
		return nil, 0, nil, err
	}
	rows, err := s.conn.QueryContext(ctx, `SELECT batch, events FROM outbox ORDER BY batch`)
	if err != nil {
		return nil, 0, nil, err
	}
	defer rows.Close()
	var unsent []batch
	for rows.Next() {
		var number int64
		var events []byte
		if err := rows.Scan(&number, &events); err != nil {
			return nil, 0, nil, err
		}
		b, err := unpack(number, events)
		if err != nil {
			return nil, 0, nil, err
		}
		unsent = append(unsent, b)
	}
	return positions, last, unsent, rows.Err()
}

func (s *sqlite) commit(ctx context.Context, w work) (b batch, err error) {
	ctx = context.WithoutCancel(ctx) // which would cost a goroutine for each statement
	if _, err := s.conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return b, err
	}
	defer func() {
		if err != nil {
			_, _ = s.conn.ExecContext(ctx, `ROLLBACK`) // the process ends
		}
	}()
	out, err := s.apply(ctx, w)
	if err != nil {
		return b, err
	}
	for p, m := range w.moves {
		if n, err := affected(s.move.ExecContext(ctx, m.to, p, m.from)); err != nil || n != 1 {
			return b, errors.Join(errFenced, err)
		}
	}
	if b, err = newBatch(w.number, w.at, out); err != nil {
		return b, err
	}
	if len(out) > 0 {
		if _, err := s.store.ExecContext(ctx, b.number, b.pack()); err != nil {
			return b, err
		}
		if _, err := s.conn.ExecContext(ctx, `UPDATE last SET batch = ?`, b.number); err != nil {
			return b, err
		}
	}
	if w.sent > w.swept {
		if _, err := s.sweep.ExecContext(ctx, w.sent); err != nil {
			return b, err
		}
	}
	_, err = s.conn.ExecContext(ctx, `COMMIT`)
	return b, err
}

// apply does the steps, and returns the orders at their next ones.
func (s *sqlite) apply(ctx context.Context, w work) ([]order, error) {
	out := append(make([]order, 0, len(w.placed)+len(w.steps)), w.placed...)
	for _, o := range w.steps {
		was := o.Status
		o.Status = next[was]
		var n int64
		var err error
		if was == placed {
			n, err = affected(s.insert.ExecContext(ctx, o.ID, o.Status, o.SKU, o.Quantity, o.Amount, o.Customer))
		} else {
			n, err = affected(s.advance.ExecContext(ctx, o.Status, o.ID, was))
		}
		if err != nil {
			return nil, fmt.Errorf("take order %s to %s: %w", o.ID, o.Status, err)
		}
		if n == 1 { // or it is a duplicate
			out = append(out, o)
		}
	}
	return out, nil
}

func affected(res sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}
