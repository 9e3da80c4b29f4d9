package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/store"
)

// table is what is read of one table, a row at a time. A table that is missing
// has no rows: a shop may be killed before it has made it.
type table struct {
	name    string
	columns string
	row     func(store.Rows) error
}

// database is what is read of one database file.
type database struct {
	owner  string
	tables []table
	books  bool // it is a service's
}

// source is where the databases are.
type source struct {
	dir      string // of files, which may be written
	database string // PostgreSQL, in place of dir
	running  bool   // whether services may run: for tests
}

// load reads the databases.
func load(ctx context.Context, from source) (*shop, error) {
	s := newShop()
	group, ctx := errgroup.WithContext(ctx)
	var services, gateways []*books
	for _, d := range s.databases() {
		b := &books{service: d.owner}
		if d.books {
			services = append(services, b)
		} else {
			gateways = append(gateways, b)
		}
		group.Go(func() error { return d.read(ctx, from, b) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	s.services, s.gateways = services, gateways
	return s, nil
}

// databases lists what is read. Each map of the shop is filled from one database.
func (s *shop) databases() []database {
	return []database{
		{owner: "order", books: true, tables: s.orderTables()},
		{owner: "inventory", books: true, tables: s.inventoryTables()},
		{owner: "payment", books: true, tables: s.paymentTables()},
		{owner: "shipping", books: true, tables: []table{
			{"shipments", "order_id, status, paid", s.readShipment},
		}},
		{owner: "notification", books: true, tables: []table{
			{"notifications", "id, order_id, kind, status", s.readNotification},
		}},
		{owner: "customer", books: true, tables: []table{
			{"customers", "id, spend", s.readCustomer},
		}},
		{owner: "fulfilment", books: true, tables: []table{
			{"saga_live", "saga, id, status", s.readSaga},
			{"saga_done", "saga, id, status", s.readSaga},
		}},
		{owner: "catalog", books: true},
		{owner: "storefront", books: true},
		{owner: "gateway-payment", tables: []table{
			{"charges", "key, order_id, amount, refunded, void", s.readCharge},
			{"refunds", "key, charge, amount", s.readChargePart},
		}},
		{owner: "gateway-carrier", tables: []table{
			{"bookings", "key, order_id, calls, called_off", s.readBooking},
		}},
		{owner: "gateway-mail", tables: []table{
			{"mails", "key, order_id", s.readMail},
		}},
	}
}

// read reads from where is told to be: a directory, or a PostgreSQL.
func (d database) read(ctx context.Context, from source, b *books) error {
	dsn := from.database
	if dsn == "" {
		dsn = filepath.Join(from.dir, d.owner+".db")
	}
	db, err := store.Open(ctx, store.Schema(dsn, d.owner), store.Config{Owner: d.owner, Existing: true, Unsynced: true, Readers: 1})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open database of %s: %w", d.owner, err)
	}
	if d.books && !from.running {
		if err = db.Unused(ctx); err != nil {
			err = fmt.Errorf("the shop is running: %w", err)
		}
	}
	if err == nil {
		b.there = true
		err = d.readTables(ctx, db, b)
	}
	if err == nil && d.books {
		err = b.read(ctx, db)
	}
	if err != nil {
		err = fmt.Errorf("read database of %s: %w", d.owner, err)
	}
	return errors.Join(err, db.Close())
}

func (d database) readTables(ctx context.Context, db *store.Store, b *books) error {
	for _, t := range d.tables {
		there, err := db.HasTable(ctx, t.name)
		if err != nil {
			return err
		}
		if !there {
			continue
		}
		rows, err := db.Reader().Query(ctx, `SELECT `+t.columns+` FROM `+t.name)
		if err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
		for err == nil && rows.Next() {
			if bad := t.row(rows); bad != nil {
				b.damage(t.name, bad)
			}
		}
		if err = errors.Join(err, rows.Err(), rows.Close()); err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
	}
	return nil
}

// read reads the bookkeeping.
func (b *books) read(ctx context.Context, db *store.Store) (err error) {
	b.name = db.Name()
	if b.numbered, err = db.Numbered(ctx); err != nil {
		return err
	}
	if b.positions, err = db.Positions(ctx); err != nil {
		return err
	}
	b.seen, b.parked = map[event.Partition]map[string]int64{}, map[place]bool{}
	for p := range b.positions {
		if b.seen[p], err = db.SeenIn(ctx, p); err != nil {
			return err
		}
	}
	rows, err := db.Reader().Query(ctx, `SELECT topic, part, pos FROM tutti_parked`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var p place
		if err := rows.Scan(&p.Topic, &p.Number, &p.offset); err != nil {
			return err
		}
		b.parked[p] = true
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	// An alarm of sagas may come when all of them have ended: those that have not are counted.
	if err := db.Reader().QueryRow(ctx, `SELECT COUNT(*) FROM tutti_job WHERE kind <> 'saga.alarm'`).Scan(&b.jobs); err != nil {
		return err
	}
	b.unsent, err = db.Outbox(ctx)
	return err
}

// damage is what is wrong with a row that cannot be read.
type damage struct{ id, what string }

func (d damage) Error() string { return d.id + ": " + d.what }

// damage notes a row that cannot be read. The others can.
func (b *books) damage(table string, err error) {
	var d damage
	if !errors.As(err, &d) {
		d = damage{b.service, fmt.Sprintf("a row of its table %s cannot be read: %v", table, err)}
	}
	b.damaged = append(b.damaged, d)
}

func parseLines(raw, id, what string) ([]line, error) {
	var lines []line
	if err := json.Unmarshal([]byte(raw), &lines); err != nil {
		return nil, damage{id, fmt.Sprintf("%s cannot be read: %v", what, err)}
	}
	return lines, nil
}
