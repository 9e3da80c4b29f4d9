package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // for a row of PostgreSQL as it is

	"github.com/tutti-go/tutti/bench/rig"
	"github.com/tutti-go/tutti/store"
)

// fill stores orders that are over, and sagas that sleep: one of each is made by the
// services, and copied in bulk once they have stopped. So what is stored is what the
// services store, whatever that is. The log has none of their messages.
func (b *bench) fill(ctx context.Context, t tuning) error {
	pattern := "pattern-" + fmt.Sprint(time.Now().UnixNano())
	err := b.order(ctx, pattern)
	if err == nil && t.sleeping > 0 {
		err = b.mediator.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			_, err := b.engine.Start(ctx, tx, "bench.reminder", pattern, rig.Placed(pattern))
			return err
		})
	}
	if err = errors.Join(err, b.Close()); err != nil {
		return err
	}
	for _, c := range []struct {
		database, table, where string
		n                      int
	}{
		{b.taking, "orders", "id = '" + pattern + "'", t.fill},
		{b.mediating, "saga_done", "id = '" + pattern + "'", t.fill},
		{b.mediating, "saga_live", "id = '" + pattern + "'", t.sleeping},
	} {
		if c.n == 0 {
			continue
		}
		columns, values, err := read(ctx, c.database, c.table, c.where)
		if err != nil {
			return fmt.Errorf("read the row of %s to copy: %w", c.table, err)
		}
		if err := rig.Store(ctx, c.database, rig.Rows{Table: c.table, Columns: columns, N: c.n, Row: func(i int) []any {
			return like(values, pattern, rig.OldID(b.settings.Plan, i, c.n))
		}}); err != nil {
			return err
		}
	}
	return nil
}

// like is a row as another, of another id.
func like(values []any, pattern, id string) []any {
	out := slices.Clone(values)
	for i, v := range out {
		switch v := v.(type) {
		case string:
			out[i] = strings.ReplaceAll(v, pattern, id)
		case []byte:
			out[i] = []byte(strings.ReplaceAll(string(v), pattern, id))
		}
	}
	return out
}

// read reads a row, but for the number that the database gives it.
func read(ctx context.Context, database, table, where string) (columns []string, values []any, err error) {
	driver, dsn := "pgx", database
	if path, ok := strings.CutPrefix(database, "sqlite:"); ok {
		driver, dsn = "sqlite", "file:"+path
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, nil, err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, `SELECT * FROM `+table+` WHERE `+where)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	if columns, err = rows.Columns(); err != nil {
		return nil, nil, err
	}
	if !rows.Next() {
		return nil, nil, errors.Join(rows.Err(), sql.ErrNoRows)
	}
	values = make([]any, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	if err := rows.Scan(into...); err != nil {
		return nil, nil, err
	}
	if i := slices.Index(columns, "n"); i >= 0 {
		columns, values = slices.Delete(columns, i, i+1), slices.Delete(values, i, i+1)
	}
	return columns, values, rows.Err()
}
