package rig

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-go/tutti/bench/load"
)

// Rows is what is to be stored in a table in bulk.
type Rows struct {
	Table   string
	Columns []string
	N       int
	Row     func(i int) []any
}

// Store stores rows in a database beside the service that owns it: database is as
// service.Config has it.
func Store(ctx context.Context, database string, rows Rows) error {
	var err error
	if path, ok := strings.CutPrefix(database, "sqlite:"); ok {
		err = rows.sqlite(ctx, path)
	} else {
		err = rows.postgres(ctx, database)
	}
	if err != nil {
		return fmt.Errorf("store %d rows of %s: %w", rows.N, rows.Table, err)
	}
	return nil
}

func (rows Rows) postgres(ctx context.Context, dsn string) error {
	db, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer db.Close(context.WithoutCancel(ctx))
	if _, err := db.CopyFrom(ctx, pgx.Identifier{rows.Table}, rows.Columns,
		pgx.CopyFromSlice(rows.N, func(i int) ([]any, error) { return rows.Row(i), nil })); err != nil {
		return err
	}
	_, err = db.Exec(ctx, `VACUUM ANALYZE `+rows.Table) // as it would have been by now
	return err
}

func (rows Rows) sqlite(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=cache_size(-262144)")
	if err != nil {
		return err
	}
	defer db.Close()
	const chunk = 100_000 // rows of a transaction: the service's own have to get in between
	for from := 0; from < rows.N; from += chunk {
		if err := rows.insert(ctx, db, from, min(from+chunk, rows.N)); err != nil {
			return err
		}
	}
	return nil
}

func (rows Rows) insert(ctx context.Context, db *sql.DB, from, to int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	insert, err := tx.PrepareContext(ctx, `INSERT INTO `+rows.Table+` (`+strings.Join(rows.Columns, ", ")+`) VALUES (?`+strings.Repeat(", ?", len(rows.Columns)-1)+`)`)
	if err != nil {
		return err
	}
	defer insert.Close()
	for i := from; i < to; i++ {
		if _, err := insert.ExecContext(context.WithoutCancel(ctx), rows.Row(i)...); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// OldID is the id of one of n orders that were there before. Among random ids they are
// random too: evenly spread, and in ascending order, which is faster to store.
func OldID(p load.Plan, i, n int) string {
	if p.RandomIDs {
		return fmt.Sprintf("o-%016x-%08x", uint64(i)*(math.MaxUint64/uint64(n)), i)
	}
	return fmt.Sprintf("o-1000000000000000000-%d", i+1)
}
