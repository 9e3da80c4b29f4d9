package order

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/bulk"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// deadline is the timer of an order, by the order's id.
type deadline struct{}

func (deadline) JobType() string { return "order.deadline" }

// errMoved says that another instance has changed an order since it was read. The
// message is handled again.
var errMoved = fmt.Errorf("an order was changed by another instance meanwhile: %w", store.ErrConflict)

// entry is a line of an order's history.
type entry struct {
	At     int64  `json:"at"` // ms since 1970 UTC
	Status status `json:"status"`
	Note   string `json:"note"`
}

// line returns the entry as it is stored; nothing without a note.
func (e entry) line() string {
	if e.Note == "" {
		return ""
	}
	b, _ := json.Marshal(e) // strings and a number: cannot fail
	return string(b) + "\n"
}

// place stores a new order, starts its timer, and says so. The same request again
// has no effect; it returns the order's status either way.
func (c Config) place(ctx context.Context, tx *store.Tx, p orderv1.Place) (status, error) {
	ev := c.accept(p, tx.Now())
	lines, err := json.Marshal(ev.Lines)
	if err != nil {
		return "", fmt.Errorf("place order %s: %w", p.OrderID, err)
	}
	if len(lines) > maxData {
		return "", problem.Unprocessable("order is not acceptable: its lines have %d bytes as JSON, want at most %d", len(lines), maxData)
	}
	p.Lines = nil
	now, hash := tx.Now().UnixMilli(), fingerprint(p, lines)
	n, err := tx.Affected(ctx, `INSERT INTO orders (id, customer, status, total, placed_at, deadline, request_hash, lines, history, directed)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING`,
		ev.OrderID, ev.CustomerID, string(placed), ev.Total, now, ev.Deadline.UnixMilli(), hash, string(lines),
		entry{now, placed, "order placed"}.line(), number(ev.Directed))
	if err != nil {
		return "", fmt.Errorf("place order %s: %w", p.OrderID, err)
	}
	if n == 0 {
		return repeated(ctx, tx, p.OrderID, hash)
	}
	if err := job.At(ctx, tx, ev.Deadline, ev.OrderID, deadline{}); err != nil {
		return "", err
	}
	return placed, event.Publish(ctx, tx, ev)
}

// repeated tells the repetition of a request from another with the same key.
func repeated(ctx context.Context, tx *store.Tx, id, hash string) (status, error) {
	var st, first string
	if err := tx.QueryRow(ctx, `SELECT status, request_hash FROM orders WHERE id = $1`, id).Scan(&st, &first); err != nil {
		return "", fmt.Errorf("find order %s: %w", id, err)
	}
	if first != hash {
		return "", problem.Unprocessable("order %s was placed by another request with the same key", id)
	}
	return status(st), nil
}

const columns = `id, customer, status, freed, total, reason, directed`

func scan(r store.Rows) (order, error) {
	var o order
	var st string
	var freed, directed int64
	err := r.Scan(&o.id, &o.customer, &st, &freed, &o.total, &o.reason, &directed)
	o.status, o.freed, o.directed = status(st), freed != 0, directed != 0
	return o, err
}

// load reads orders by their ids; those that are not known are missing.
func load(ctx context.Context, tx *store.Tx, ids []string) (map[string]order, error) {
	orders := make(map[string]order, len(ids))
	for piece := range bulk.Chunks(ids) {
		found, err := store.Collect(ctx, tx, scan,
			`SELECT `+columns+` FROM orders WHERE id IN (`+bulk.Params(1, len(piece))+`)`, bulk.Args(nil, piece)...)
		if err != nil {
			return nil, fmt.Errorf("read %d orders: %w", len(piece), err)
		}
		for _, o := range found {
			orders[o.id] = o
		}
	}
	return orders, nil
}

// change is what happens to an order in a transaction: from the state it was read
// in, to the state that is stored, by the lines of its history.
type change struct {
	from, to status
	was, is  bool // freed
	reason   string
	history  string
}

// changes gathers what a transaction does to orders. Orders that change in the
// same way, as most of a batch do, take one statement together.
type changes struct {
	of  map[string]change
	ids []string // in the order of the first change
}

// add records that a step at time now leads from order o to where it says.
func (c *changes) add(o order, s step, now time.Time) {
	ch, ok := c.of[o.id]
	if !ok {
		if c.of == nil {
			c.of = map[string]change{}
		}
		c.ids = append(c.ids, o.id)
		ch.from, ch.was = o.status, o.freed
	}
	ch.to, ch.is, ch.reason = s.status, s.freed, s.reason
	ch.history += entry{now.UnixMilli(), s.status, s.note}.line()
	c.of[o.id] = ch
}

// save stores the changes, provided that the orders are as they were read.
func (c *changes) save(ctx context.Context, tx *store.Tx) error {
	alike := map[change][]string{}
	var kinds []change
	for _, id := range c.ids {
		ch := c.of[id]
		if _, ok := alike[ch]; !ok {
			kinds = append(kinds, ch)
		}
		alike[ch] = append(alike[ch], id)
	}
	for _, ch := range kinds {
		if ch.from == ch.to && ch.was == ch.is && ch.history == "" {
			continue
		}
		for piece := range bulk.Chunks(alike[ch]) {
			if err := ch.save(ctx, tx, piece); err != nil {
				return err
			}
		}
	}
	return nil
}

func (ch change) save(ctx context.Context, tx *store.Tx, ids []string) error {
	args := []any{string(ch.to), number(ch.is), ch.reason, ch.history, string(ch.from), number(ch.was)}
	err := tx.Expect(ctx, len(ids), errMoved, `UPDATE orders SET status = $1, freed = $2, reason = $3, history = history || $4
		WHERE status = $5 AND freed = $6 AND id IN (`+bulk.Params(len(args)+1, len(ids))+`)`, bulk.Args(args, ids)...)
	if err == nil && ch.from == placed && ch.to != placed { // its time is not limited any more
		err = tx.DropJobs(ctx, deadline{}.JobType(), ids)
	}
	if err != nil {
		return fmt.Errorf("make order %s %s: %w", ids[0], ch.to, err)
	}
	return nil
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// decide takes one decision on an order, and stores and publishes what it says.
func decide(ctx context.Context, tx *store.Tx, id string, decision func(order) (step, error)) (order, error) {
	orders, err := load(ctx, tx, []string{id})
	if err != nil {
		return order{}, err
	}
	o, ok := orders[id]
	if !ok {
		return order{}, problem.NotFound("there is no order %s", clip(id))
	}
	s, err := decision(o)
	if err != nil {
		return order{}, err
	}
	var c changes
	c.add(o, s, tx.Now())
	if err := c.save(ctx, tx); err != nil {
		return order{}, err
	}
	return s.order, publish(ctx, tx, s)
}

func publish(ctx context.Context, tx *store.Tx, s step) error {
	for _, body := range s.say {
		if err := event.Publish(ctx, tx, body); err != nil {
			return err
		}
	}
	return nil
}

// keys returns the orders that messages are of, each once.
func keys[T event.Body](ms []event.Message[T]) []string {
	ids := make([]string, 0, len(ms))
	for _, m := range ms {
		ids = append(ids, m.Body.Key())
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
