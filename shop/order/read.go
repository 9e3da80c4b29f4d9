package order

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tutti-go/tutti/internal/fastjson"
	"github.com/tutti-go/tutti/internal/ident"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/store"
)

// view is an order as GET shows it. Amounts are in pence.
type view struct {
	ID         string         `json:"id"`
	CustomerID string         `json:"customerId"`
	Status     string         `json:"status"`
	Style      orderv1.Style  `json:"style"`
	Reason     string         `json:"reason,omitempty"`
	Total      int64          `json:"total"`
	PlacedAt   time.Time      `json:"placedAt"`
	Deadline   time.Time      `json:"deadline"`
	Lines      []orderv1.Line `json:"lines"`
	History    []happened     `json:"history"`
}

type happened struct {
	At     time.Time `json:"at"`
	Status string    `json:"status"`
	Note   string    `json:"note"`
}

func find(ctx context.Context, q store.Querier, id string) (view, error) {
	v := view{ID: id, Style: orderv1.Choreography, History: []happened{}}
	var placedAt, until, directed int64
	var lines, history string
	err := q.QueryRow(ctx, `SELECT customer, status, total, placed_at, deadline, reason, lines, history, directed FROM orders WHERE id = $1`, id).
		Scan(&v.CustomerID, &v.Status, &v.Total, &placedAt, &until, &v.Reason, &lines, &history, &directed)
	if errors.Is(err, store.ErrNoRows) {
		return view{}, problem.NotFound("there is no order %s", id)
	}
	if err != nil {
		return view{}, fmt.Errorf("find order %s: %w", id, err)
	}
	if directed != 0 {
		v.Style = orderv1.Orchestration
	}
	v.PlacedAt, v.Deadline = instant(placedAt), instant(until)
	if v.Lines, err = decodeLines(lines); err != nil {
		return view{}, fmt.Errorf("find order %s: %w", id, err)
	}
	for text := range strings.Lines(history) {
		var e entry
		if err := fastjson.Unmarshal([]byte(text), &e); err != nil {
			return view{}, fmt.Errorf("find order %s: decode history: %w", id, err)
		}
		v.History = append(v.History, happened{instant(e.At), string(e.Status), e.Note})
	}
	return v, nil
}

func instant(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// page is some orders of a customer, newest first. Next is what to pass as after
// to go on; empty at the end.
type page struct {
	Orders []summary `json:"orders"`
	Next   string    `json:"next,omitempty"`
}

type summary struct {
	ID       string    `json:"id"`
	Status   string    `json:"status"`
	Reason   string    `json:"reason,omitempty"`
	Total    int64     `json:"total"`
	PlacedAt time.Time `json:"placedAt"`
}

// cursor is a place in the list of a customer's orders: after this one.
type cursor struct {
	placedAt int64
	id       string
}

// newest is before all orders: placed_at never reaches it.
var newest = cursor{placedAt: 1<<63 - 1}

func (c cursor) String() string { return strconv.FormatInt(c.placedAt, 10) + "." + c.id }

func parseCursor(s string) (cursor, error) {
	if s == "" {
		return newest, nil
	}
	ms, id, found := strings.Cut(s, ".")
	n, err := strconv.ParseInt(ms, 10, 64)
	if !found || err != nil || !ident.Valid(id) {
		return cursor{}, problem.BadRequest("after is %q, want what an answer gave as next", clip(s))
	}
	return cursor{n, id}, nil
}

// list walks the index of the customer's orders from the cursor on, so a page
// costs the same wherever it is.
func list(ctx context.Context, q store.Querier, customer string, after cursor, limit int) (page, error) {
	found, err := store.Collect(ctx, q, func(r store.Rows) (s summary, err error) {
		var at int64
		err = r.Scan(&s.ID, &s.Status, &s.Total, &at, &s.Reason)
		s.PlacedAt = instant(at)
		return s, err
	}, `SELECT id, status, total, placed_at, reason FROM orders WHERE customer = $1 AND (placed_at, id) < ($2, $3)
		ORDER BY placed_at DESC, id DESC LIMIT $4`, customer, after.placedAt, after.id, limit+1)
	if err != nil {
		return page{}, fmt.Errorf("list the orders of customer %s: %w", customer, err)
	}
	pg := page{Orders: append([]summary{}, found[:min(len(found), limit)]...)} // an array in JSON, even if empty
	if len(found) > limit {
		last := found[limit-1]
		pg.Next = cursor{last.PlacedAt.UnixMilli(), last.ID}.String()
	}
	return pg, nil
}

// returned is a return as it is stored.
type returned struct {
	orderID   string
	status    string
	refund    int64
	createdAt int64
	hash      string
	lines     string
}

func findReturn(ctx context.Context, q store.Querier, id string) (r returned, known bool, err error) {
	err = q.QueryRow(ctx, `SELECT order_id, status, refund, created_at, request_hash, lines FROM returns WHERE id = $1`, id).
		Scan(&r.orderID, &r.status, &r.refund, &r.createdAt, &r.hash, &r.lines)
	if errors.Is(err, store.ErrNoRows) {
		return r, false, nil
	}
	if err != nil {
		return r, false, fmt.Errorf("find return %s: %w", id, err)
	}
	return r, true, nil
}
