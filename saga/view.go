package saga

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tutti-go/tutti/internal/admin"
	"github.com/tutti-go/tutti/internal/fastjson"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/store"
)

// stored is a document as it is read for people: its state may be of a type that is not
// known any more.
type stored struct {
	document
	State json.RawMessage `json:"state"`
}

// definitions lists the sagas that the engine directs.
func (e *Engine) definitions(ctx context.Context, counted bool) (out admin.SagaDefinitions, err error) {
	out.Definitions = []admin.SagaDefinition{}
	for _, name := range slices.Sorted(maps.Keys(e.current)) {
		d := e.definition(name)
		if counted {
			if d.Counts, err = e.counts(ctx, name); err != nil {
				return out, fmt.Errorf("count instances of saga %s: %w", name, err)
			}
		}
		out.Definitions = append(out.Definitions, d)
	}
	return out, nil
}

func (e *Engine) definition(name string) admin.SagaDefinition {
	p := e.current[name]
	return admin.SagaDefinition{
		Service: e.s.Name(), Saga: name, Versions: slices.Sorted(maps.Keys(e.plans[name])), Upgrades: slices.Sorted(maps.Keys(p.from)),
		Text: p.String(), Mermaid: p.mermaid(),
	}
}

const countedMost = 20_000 // rows that are looked at

// counts counts instances by status: those that need a person exactly, others as far as
// a request may take.
func (e *Engine) counts(ctx context.Context, saga string) (out []admin.SagaCount, err error) {
	for _, of := range []struct {
		text string
		args []any
	}{
		{`SELECT status, COUNT(*) FROM saga_live WHERE saga = $1 AND status IN ('deciding', 'stuck') GROUP BY status`, []any{saga}},
		{`SELECT status, COUNT(*) FROM (SELECT saga, status FROM saga_live ORDER BY n LIMIT $2) AS counted
			WHERE saga = $1 AND status NOT IN ('deciding', 'stuck') GROUP BY status`, []any{saga, countedMost}},
		{`SELECT status, COUNT(*) FROM (SELECT saga, status FROM saga_done ORDER BY n DESC LIMIT $2) AS counted WHERE saga = $1 GROUP BY status`, []any{saga, countedMost}},
	} {
		some, err := store.Collect(ctx, e.s.Read(), func(r store.Rows) (c admin.SagaCount, err error) { return c, r.Scan(&c.Status, &c.Instances) }, of.text, of.args...)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	if err := e.more(ctx, out); err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b admin.SagaCount) int {
		return cmp.Or(rank(a.Status)-rank(b.Status), cmp.Compare(a.Status, b.Status))
	})
	return out, nil
}

// more notes which counts are of some of the rows only.
func (e *Engine) more(ctx context.Context, counts []admin.SagaCount) error {
	more := map[bool]bool{} // by whether they are over
	for ended, table := range map[bool]string{false: "saga_live", true: "saga_done"} {
		var n int
		err := e.s.Read().QueryRow(ctx, `SELECT COUNT(*) FROM (SELECT n FROM `+table+` ORDER BY n LIMIT 1 OFFSET `+strconv.Itoa(countedMost)+`) AS beyond`).Scan(&n)
		if err != nil {
			return err
		}
		more[ended] = n > 0
	}
	for i := range counts {
		s := Status(counts[i].Status)
		counts[i].More = s != Stuck && s != Deciding && more[s.over()]
	}
	return nil
}

// rank has first what needs a person.
func rank(status string) int {
	return slices.Index([]Status{Stuck, Deciding, Compensating, Running, Completed, Compensated}, Status(status))
}

// show returns all of an instance.
func (e *Engine) show(ctx context.Context, k key) (out admin.SagaDetail, err error) {
	r, err := e.look(ctx, k)
	if err != nil {
		return out, err
	}
	out.SagaInstance = e.shown(r)
	var doc stored
	if err := fastjson.Unmarshal([]byte(r.doc), &doc); err != nil {
		return out, fmt.Errorf("read saga %s %s: %w", k.saga, k.id, err)
	}
	text, err := e.pages(ctx, k, doc.Pages, string(r.history))
	if err != nil {
		return out, err
	}
	p, _ := e.planOf(k.saga, r.version) // without it, the marks are shown as they are
	out.History = []admin.SagaEntry{}
	for _, l := range entries(p, text) {
		out.History = append(out.History, admin.SagaEntry(l))
	}
	out.State, out.Past = doc.State, doc.Pivot
	doc.document.State = nil
	out.Due = moment((&instance{status: r.status, document: doc.document}).due()) // its timer may come before
	if up := doc.Parent; up != nil {
		out.Parent = &admin.SagaRef{Saga: up.Saga, ID: up.ID, Part: up.Path}
		if out.Parent.Status, err = e.statusOf(ctx, key{up.Saga, up.ID}); err != nil {
			return out, err
		}
	}
	for _, s := range doc.Signals {
		out.Early = append(out.Early, fmt.Sprintf("%s/%d", s.Envelope.Type, s.Envelope.Version))
	}
	if out.Children, err = e.children(ctx, out.History); err != nil {
		return out, err
	}
	if !r.status.over() {
		out.Needs = needsOf(p, doc.Marks)
	}
	out.Parts = partsOf(p, &doc, r.status, out.Children)
	return out, nil
}

// look reads an instance, wherever it is.
func (e *Engine) look(ctx context.Context, k key) (row, error) {
	const at = ` WHERE saga = $1 AND id = $2`
	rows, err := store.Collect(ctx, e.s.Read(), scanRow, `SELECT `+columns+`, armed, alarm FROM saga_live`+at+` UNION ALL SELECT `+columns+`, 0, 0 FROM saga_done`+at, k.saga, k.id)
	if err != nil {
		return row{}, fmt.Errorf("read saga %s %s: %w", k.saga, k.id, err)
	}
	if len(rows) == 0 {
		return row{}, problem.NotFound("saga %s has no instance %q", clip(k.saga), clip(k.id))
	}
	return rows[0], nil
}

// pages puts the pages of a history before what the row has of it.
func (e *Engine) pages(ctx context.Context, k key, n int, last string) (string, error) {
	if n == 0 {
		return last, nil
	}
	all, err := store.Collect(ctx, e.s.Read(), func(r store.Rows) (s string, err error) { return s, r.Scan(&s) },
		`SELECT history FROM saga_page WHERE saga = $1 AND id = $2 AND page < $3 ORDER BY page`, k.saga, k.id, n)
	if err != nil {
		return "", fmt.Errorf("read history of saga %s %s: %w", k.saga, k.id, err)
	}
	return strings.Join(append(all, last), ""), nil
}

// statusOf is the status of an instance; empty if there is none.
func (e *Engine) statusOf(ctx context.Context, k key) (string, error) {
	const at = ` WHERE saga = $1 AND id = $2`
	var status string
	err := e.s.Read().QueryRow(ctx, `SELECT status FROM saga_live`+at+` UNION ALL SELECT status FROM saga_done`+at, k.saga, k.id).Scan(&status)
	if errors.Is(err, store.ErrNoRows) {
		return "", nil
	}
	return status, err
}

const childrenMost = 1000 // whose status is looked up

// children lists the sagas that a history says were started.
func (e *Engine) children(ctx context.Context, history []admin.SagaEntry) (out []admin.SagaRef, err error) {
	for _, h := range history {
		if h.Did != didStartSaga {
			continue
		}
		saga := h.Type
		if i := strings.LastIndexByte(saga, '/'); i > 0 {
			saga = saga[:i]
		}
		ref := admin.SagaRef{Saga: saga, ID: h.Note, Part: h.Part}
		if len(out) < childrenMost {
			if ref.Status, err = e.statusOf(ctx, key{ref.Saga, ref.ID}); err != nil {
				return nil, err
			}
		}
		out = append(out, ref)
	}
	return out, nil
}

const didStartSaga = "started saga"
