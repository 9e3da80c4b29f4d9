package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-go/tutti/event"
)

// fill stores n orders that are over, and the five events of each, as if the service
// had handled them: the rows go in in bulk, beside the service; the events are sent
// as those of an earlier service, of which this one knows how far it has read them.
func (b *bench) fill(ctx context.Context, n int) error {
	if err := b.fillRows(ctx, n); err != nil {
		return fmt.Errorf("store %d orders: %w", n, err)
	}
	if err := b.fillLog(ctx, n); err != nil {
		return fmt.Errorf("send the events of %d orders: %w", n, err)
	}
	return nil
}

func old(i int) step {
	return step{ID: fmt.Sprintf("o-1000000000000000000-%d", i+1), SKU: "sku-1", Quantity: 2, Amount: 4200, Customer: "cust-77", Status: "confirmed"}
}

func (o step) row() []any { return []any{o.ID, o.Status, o.SKU, o.Quantity, o.Amount, o.Customer} }

func (b *bench) fillRows(ctx context.Context, n int) error {
	if b.settings.Database != "" {
		return fillPostgres(ctx, b.settings.Database, n)
	}
	return fillSQLite(ctx, filepath.Join(b.settings.Dir, "orders.db"), n)
}

func fillPostgres(ctx context.Context, url string, n int) error {
	db, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer db.Close(ctx)
	_, err = db.CopyFrom(ctx, pgx.Identifier{"orders"}, []string{"id", "status", "sku", "quantity", "amount", "customer"},
		pgx.CopyFromSlice(n, func(i int) ([]any, error) { return old(i).row(), nil }))
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, `VACUUM ANALYZE orders`) // as it would have been by now
	return err
}

func fillSQLite(ctx context.Context, path string, n int) error {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=cache_size(-262144)")
	if err != nil {
		return err
	}
	defer db.Close()
	const chunk = 100_000 // rows of a transaction: the service's own have to get in between
	for from := 0; from < n; from += chunk {
		if err := fillChunk(ctx, db, from, min(from+chunk, n)); err != nil {
			return err
		}
	}
	return nil
}

func fillChunk(ctx context.Context, db *sql.DB, from, to int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	insert, err := tx.PrepareContext(ctx, `INSERT INTO orders (id, status, sku, quantity, amount, customer) VALUES ($1, $2, $3, $4, $5, $6)`)
	if err != nil {
		return err
	}
	defer insert.Close()
	for i := from; i < to; i++ {
		if _, err := insert.ExecContext(context.WithoutCancel(ctx), old(i).row()...); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return tx.Commit()
}

const mostLogged = 1_000_000 // orders with events; ten million of them are 25 GB

func (b *bench) fillLog(ctx context.Context, n int) error {
	producer, err := b.bus.Producer("bench-fill")
	if err != nil {
		return err
	}
	defer producer.Close()
	failed := make(chan error, 1)
	seq := map[event.Partition]int64{}
	for i := range min(n, mostLogged) {
		o := old(i)
		number, err := b.bus.Partition(topic().Name, o.ID)
		if err != nil {
			return err
		}
		p := event.Partition{Topic: topic().Name, Number: number}
		for _, status := range []string{"placed", "reserved", "paid", "shipped", "confirmed"} {
			seq[p]++
			o.Status = status
			if err := send(o, seq[p], func(r event.Record) {
				producer.Send(ctx, p, r, func(_ int64, err error) {
					if err != nil {
						select {
						case failed <- err:
						default: // the first is enough
						}
					}
				})
			}); err != nil {
				return err
			}
		}
	}
	if err := producer.Flush(ctx); err != nil {
		return err
	}
	select {
	case err := <-failed:
		return err
	default:
		return b.caughtUp(ctx)
	}
}

// send encodes an event of old. Its type is none that the service handles.
func send(o step, seq int64, to func(event.Record)) error {
	data, err := json.Marshal(o)
	if err != nil {
		return err
	}
	id := fmt.Sprintf("old-orders.0-%d", seq)
	to(event.Encode(event.Envelope{
		ID: id, Source: "/old-orders", Type: "bench.order.was-" + o.Status, Version: 1, Key: o.ID, Time: time.Now(),
		CorrelationID: id, CausationID: id, Lane: "old-orders.0", Seq: seq,
	}, data))
	return nil
}

// caughtUp waits until the service has read all events.
func (b *bench) caughtUp(ctx context.Context) error {
	bounds, err := b.bus.Bounds(ctx, "", []string{topic().Name})
	if err != nil {
		return err
	}
	for pause := time.NewTicker(50 * time.Millisecond); ; {
		behind := false
		for _, s := range b.services {
			for _, lag := range s.Status().Lag {
				behind = behind || lag.Next < bounds[event.Partition{Topic: lag.Topic, Number: lag.Partition}].End
			}
			behind = behind || len(s.Status().Lag) == 0
		}
		if !behind {
			pause.Stop()
			return nil
		}
		select {
		case <-pause.C:
		case err := <-b.ended:
			b.running--
			return errors.Join(errors.New("the service ended"), err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
