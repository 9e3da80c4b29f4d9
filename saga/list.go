package saga

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tutti-go/tutti/internal/admin"
	"github.com/tutti-go/tutti/internal/bulk"
	"github.com/tutti-go/tutti/internal/fastjson"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/store"
)

// window is how many rows a request looks at, of which it may show none: so that a
// request costs the same whatever it asks for. The next one goes on from there.
const window = 10_000

// Statuses that stand for several.
const (
	live = "live"
	over = "over"
)

// selection says which instances of a saga. Times are in ms; 0 is no limit.
type selection struct {
	saga, id, prefix, status    string
	startedAfter, startedBefore int64
	changedAfter, changedBefore int64
	limit                       int
	after                       place
	binary                      bool // text is in the order of its bytes here
}

// place is where a page begins in one of the lists.
type place struct {
	list  string
	id    string
	since int64 // in the list of those that need a person
	n     int64 // in these, and in lists by age
}

// Lists, each of which goes through a table in the order of an index.
const (
	attention = "attention" // that need a person, those first that have waited longest
	liveByID  = "live-by-id"
	liveByAge = "live-by-age" // the first one first
	overByID  = "over-by-id"
	overByAge = "over-by-age" // the last one first
)

func (p place) String() string {
	return url.Values{"list": {p.list}, "id": {p.id}, "since": {strconv.FormatInt(p.since, 10)}, "n": {strconv.FormatInt(p.n, 10)}}.Encode()
}

func parsePlace(text string) (p place, err error) {
	v, err := url.ParseQuery(text)
	if err == nil {
		p = place{list: v.Get("list"), id: v.Get("id")}
		p.since, err = strconv.ParseInt(v.Get("since"), 10, 64)
	}
	if err == nil {
		p.n, err = strconv.ParseInt(v.Get("n"), 10, 64)
	}
	if err != nil || !slices.Contains([]string{attention, liveByID, liveByAge, overByID, overByAge}, p.list) {
		return p, problem.BadRequest("after is %q, want what a page before it gave as next", clip(text))
	}
	return p, nil
}

// lists are the ways to go through the tables that a selection needs, in order.
func (sel selection) lists() []string {
	alive, ended := liveByAge, overByAge
	if sel.id+sel.prefix != "" {
		alive, ended = liveByID, overByID
	}
	switch Status(sel.status) {
	case Deciding, Stuck:
		return []string{attention}
	case Completed, Compensated, over:
		return []string{ended}
	case "":
		return []string{alive, ended}
	}
	return []string{alive}
}

// list returns a page of instances.
func (e *Engine) list(ctx context.Context, sel selection) (out admin.SagaInstances, err error) {
	q := e.s.Read()
	if sel.prefix != "" {
		var binary int
		if err := q.QueryRow(ctx, `SELECT CASE WHEN 'a' > 'B' THEN 1 ELSE 0 END`).Scan(&binary); err != nil {
			return out, err
		}
		sel.binary = binary == 1
	}
	out.Instances = []admin.SagaInstance{}
	lists := sel.lists()
	for i := max(0, slices.Index(lists, sel.after.list)); i < len(lists); i++ {
		if sel.after.list != lists[i] {
			sel.after = place{list: lists[i]}
		}
		if len(out.Instances) == sel.limit {
			out.Next = sel.after.String()
			break
		}
		rows, next, err := sel.page(ctx, q, sel.limit-len(out.Instances))
		if err != nil {
			return out, fmt.Errorf("list instances of saga %s: %w", sel.saga, err)
		}
		for _, r := range rows {
			out.Instances = append(out.Instances, e.shown(r))
		}
		if next != nil {
			out.Next = next.String()
			break
		}
	}
	return out, e.needs(ctx, q, out.Instances)
}

const brief = `saga, id, version, revision, status, started, changed, reason, `

// page reads a page of one list. next is where the one after begins; nil after the last.
func (sel selection) page(ctx context.Context, q store.Querier, limit int) (rows []row, next *place, err error) {
	s := sel.statement()
	looked := s.window()
	text := `SELECT n, ` + brief + `armed, since FROM (` + looked + `) AS looked_at` + where(sel.filters(s)) + s.order + ` LIMIT ` + s.arg(limit)
	rows, err = store.Collect(ctx, q, func(r store.Rows) (v row, err error) {
		p := &sel.after // of the last row, when all are read
		err = r.Scan(&p.n, &v.saga, &v.id, &v.version, &v.revision, &v.status, &v.started, &v.changed, &v.reason, &v.armed.at, &p.since)
		p.id = v.id
		return v, err
	}, text, s.args...)
	if err != nil || len(rows) == limit {
		return rows, &sel.after, err
	}
	p := place{list: sel.after.list}
	err = q.QueryRow(ctx, `SELECT id, since, n FROM (`+looked+`) AS looked_at`+s.order+` LIMIT 1 OFFSET `+strconv.Itoa(window-1), s.args[:s.bound]...).
		Scan(&p.id, &p.since, &p.n)
	if errors.Is(err, store.ErrNoRows) {
		return rows, nil, nil
	}
	return rows, &p, err
}

// statement is a query that is put together.
type statement struct {
	table, columns, order string
	bounds                []string // of what is looked at
	args                  []any
	bound                 int // how many of args are for these
}

func (s *statement) arg(v any) string {
	s.args = append(s.args, v)
	return "$" + strconv.Itoa(len(s.args))
}

func where(terms []string) string {
	if len(terms) == 0 {
		return ""
	}
	return ` WHERE ` + strings.Join(terms, " AND ")
}

// window selects the rows that are looked at.
func (s *statement) window() string {
	s.bound = len(s.args)
	return `SELECT ` + s.columns + ` FROM ` + s.table + where(s.bounds) + s.order + ` LIMIT ` + strconv.Itoa(window)
}

// statement says how to go through a list from a place on.
func (sel selection) statement() *statement {
	s := &statement{table: "saga_live", columns: "n, " + brief + "armed, since", order: " ORDER BY id"}
	if strings.HasPrefix(sel.after.list, over) {
		s.table, s.columns = "saga_done", "n, "+brief+"0 AS armed, 0 AS since"
	}
	switch after := sel.after; after.list {
	case liveByAge:
		s.order = " ORDER BY n"
		s.bounds = append(s.bounds, "n > "+s.arg(after.n))
		return s
	case overByAge:
		s.order = " ORDER BY n DESC"
		if after.n > 0 {
			s.bounds = append(s.bounds, "n < "+s.arg(after.n))
		}
		return s
	}
	s.bounds = append(s.bounds, "saga = "+s.arg(sel.saga))
	if sel.after.list == attention {
		s.order = " ORDER BY since, n"
		// The second term is that of the index, by which alone it is found to serve.
		s.bounds = append(s.bounds, "status = "+s.arg(sel.status), "status IN ('deciding', 'stuck')")
		if sel.after.n > 0 {
			c := s.arg(sel.after.since)
			s.bounds = append(s.bounds, "since >= "+c, "(since > "+c+" OR n > "+s.arg(sel.after.n)+")")
		}
	} else if sel.after.id != "" {
		s.bounds = append(s.bounds, "id > "+s.arg(sel.after.id))
	}
	if sel.id != "" {
		s.bounds = append(s.bounds, "id = "+s.arg(sel.id))
	}
	if sel.prefix != "" && sel.binary { // elsewhere the ids with a prefix may lie apart
		s.bounds = append(s.bounds, "id >= "+s.arg(sel.prefix), "id < "+s.arg(sel.prefix+"\U0010ffff"))
	}
	return s
}

// filters are the terms for what is shown of what is looked at.
func (sel selection) filters(s *statement) (terms []string) {
	for _, t := range []struct {
		term string
		ms   int64
	}{
		{"started > ", sel.startedAfter}, {"started < ", sel.startedBefore}, {"changed > ", sel.changedAfter}, {"changed < ", sel.changedBefore},
	} {
		if t.ms != 0 {
			terms = append(terms, t.term+s.arg(t.ms))
		}
	}
	if sel.after.list == overByAge || sel.after.list == liveByAge {
		terms = append(terms, "saga = "+s.arg(sel.saga))
	}
	if sel.prefix != "" {
		terms = append(terms, "SUBSTR(id, 1, "+s.arg(utf8.RuneCountInString(sel.prefix))+") = "+s.arg(sel.prefix))
	}
	if sel.status != "" && sel.status != live && sel.status != over {
		terms = append(terms, "status = "+s.arg(sel.status))
	}
	return terms
}

// shown is an instance as lists show it.
func (e *Engine) shown(r row) admin.SagaInstance {
	return admin.SagaInstance{
		Service: e.s.Name(), Saga: r.saga, ID: r.id, Definition: r.version, Version: strconv.FormatInt(r.revision, 10), Status: string(r.status),
		Reason: r.reason, Started: timeOf(r.started), Changed: timeOf(r.changed), Due: moment(r.armed.at),
	}
}

// moment is a time that may not be set.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return timeOf(ms)
}

// needs adds what a person is to see to, of the instances of a list that need one.
func (e *Engine) needs(ctx context.Context, q store.Querier, list []admin.SagaInstance) error {
	at := map[string]*admin.SagaInstance{}
	var ids []string
	for i, in := range list {
		if s := Status(in.Status); s == Stuck || s == Deciding {
			ids = append(ids, in.ID)
			at[in.ID] = &list[i]
		}
	}
	for piece := range bulk.Chunks(ids) {
		rows, err := store.Collect(ctx, q, func(r store.Rows) (w row, err error) { return w, r.Scan(&w.id, &w.version, &w.doc) },
			`SELECT id, version, doc FROM saga_live WHERE saga = $1 AND id IN (`+bulk.Params(2, len(piece))+`)`, bulk.Args([]any{list[0].Saga}, piece)...)
		if err != nil {
			return err
		}
		for _, r := range rows {
			var doc stored
			if err := fastjson.Unmarshal([]byte(r.doc), &doc); err != nil {
				return fmt.Errorf("read saga %s %s: %w", list[0].Saga, r.id, err)
			}
			p, _ := e.planOf(list[0].Saga, r.version) // one that is gone has no decisions
			at[r.id].Needs = needsOf(p, doc.Marks)
		}
	}
	return nil
}

// needsOf lists what is stuck, and what a person is asked for.
func needsOf(p *plan, marks []mark) (out []admin.SagaNeed) {
	for _, m := range marks {
		switch {
		case m.Is == stuck:
			out = append(out, admin.SagaNeed{Part: m.Path, Reason: m.Note})
		case m.Is == waiting && p != nil && p.is(decision, m.Path):
			out = append(out, admin.SagaNeed{Part: m.Path, Options: p.nodes[nameOf(m.Path)].choices(), Due: moment(m.Due)})
		}
	}
	return out
}

// choices names the options of a decision.
func (n *node) choices() (out []string) {
	for _, o := range n.options {
		out = append(out, o.name)
	}
	return out
}
