package saga

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/bulk"
	"github.com/tutti-go/tutti/internal/fastjson"
	"github.com/tutti-go/tutti/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// errMoved says that another instance of the service has changed an instance of a saga
// since it was read. The transaction is run again.
var errMoved = fmt.Errorf("an instance of a saga was changed meanwhile: %w", store.ErrConflict)

const columns = `n, saga, id, version, revision, status, started, changed, reason, doc, history`

// row is an instance as it is stored.
type row struct {
	instance
	doc string
}

func scanRow(r store.Rows) (w row, err error) {
	err = r.Scan(&w.n, &w.saga, &w.id, &w.version, &w.revision, &w.status, &w.started, &w.changed, &w.reason, &w.doc, &w.history, &w.armed.at, &w.armed.alarm)
	w.kept, w.over = len(w.history), w.status.over()
	return w, err
}

// instance ties what is stored to the plan that it runs by.
func (e *Engine) instance(w row) (*instance, error) {
	in := w.instance
	p, err := e.planOf(in.saga, w.version)
	if in.stood, in.gave = in.status, in.reason; in.over {
		return e.past(&in, w, p), nil
	}
	if err != nil { // another instance of the service has a newer definition, and this one is about to be replaced
		return nil, event.Later(err, 10*time.Second)
	}
	in.plan, in.was = p, in.armed
	if up := p.from[w.version]; w.version != p.version && up != nil {
		return &in, e.upgrade(&in, w, up)
	}
	in.State = p.newState()
	if err := fastjson.Unmarshal([]byte(w.doc), &in.document); err != nil {
		return nil, fmt.Errorf("read saga %s %s: %w", in.saga, in.id, err)
	}
	return &in, nil
}

// past is an instance that is over. Its definition may be gone: then it has no state.
func (e *Engine) past(in *instance, w row, p *plan) *instance {
	in.plan = cmp.Or(p, e.current[in.saga])
	if p != nil && p.version == w.version {
		in.State = p.newState()
		if fastjson.Unmarshal([]byte(w.doc), &in.document) != nil {
			in.document = document{}
		}
	} else if p != nil && p.from[w.version] != nil {
		if e.upgrade(in, w, p.from[w.version]) != nil {
			in.document = document{}
		}
		in.history = in.history[:in.kept] // what only came late is no change of it
	}
	return in
}

// upgrade makes an instance of an older version one of its plan's.
func (e *Engine) upgrade(in *instance, w row, up *upgrade) error {
	var raw struct {
		State json.RawMessage `json:"state"`
	}
	err := errors.Join(fastjson.Unmarshal([]byte(w.doc), &raw), fastjson.Unmarshal([]byte(w.doc), &in.document))
	if err == nil {
		in.State, err = up.state(raw.State)
	}
	if err == nil {
		err = in.plan.knows(in.Marks)
	}
	if err != nil {
		return fmt.Errorf("make saga %s %s one of version %d: %w", in.saga, in.id, in.plan.version, err)
	}
	in.history = line{Did: "migrated", Note: fmt.Sprintf("from version %d to %d", w.version, in.plan.version)}.write(in.history, 0, "")
	return nil
}

// stateOf is a copy of the state of an instance, which may be of another version, as one
// of this.
func (p *plan) stateOf(in *instance) (any, error) {
	if up := p.from[in.plan.version]; up != nil {
		raw, err := json.Marshal(in.State)
		if err != nil {
			return nil, err
		}
		return up.state(raw)
	}
	return p.copied(in.State)
}

// copied is a state as it is once it was stored and read: it shares nothing with the one
// that it was made of, of which somebody else may change what it holds.
func (p *plan) copied(state any) (any, error) {
	raw, err := json.Marshal(state)
	if err != nil {
		return nil, err
	}
	fresh := p.newState()
	return fresh, fastjson.Unmarshal(raw, fresh)
}

// find reads instances that are not in memory.
func (w *work) find(saga string, ids []string) error {
	for piece := range bulk.Chunks(ids) {
		in := ` WHERE saga = $1 AND id IN (` + bulk.Params(2, len(piece)) + `)`
		rows, err := store.Collect(w.ctx, w.tx, scanRow, `SELECT `+columns+`, armed, alarm FROM saga_live`+in+
			` UNION ALL SELECT `+columns+`, 0, 0 FROM saga_done`+in, bulk.Args([]any{saga}, piece)...)
		if err != nil {
			return fmt.Errorf("read %d instances of saga %s: %w", len(piece), saga, err)
		}
		for _, r := range rows {
			in, err := w.e.instance(r)
			if err != nil {
				return err
			}
			if twin := w.known[in.key]; twin != nil {
				if in, err = w.first(in, twin); err != nil {
					return err
				}
			}
			w.known[in.key] = in
			if a := in.was.alarm; a != 0 && a != w.e.bell.Alarm {
				w.e.left[alarm{a}] = true
			}
		}
	}
	return nil
}

// first keeps of two runs of an instance the one that is over. The other one was started
// here while another instance of the service started and ended that.
func (w *work) first(in, twin *instance) (*instance, error) {
	if twin.over {
		in, twin = twin, in
	}
	return in, w.tx.Exec(w.ctx, `DELETE FROM saga_live WHERE n = $1`, twin.n)
}

// turnPage moves the history that a row holds out of it, so that long histories cost no
// more than short ones.
func (w *work) turnPage(in *instance) error {
	err := w.tx.Expect(w.ctx, 1, errMoved, `INSERT INTO saga_page (saga, id, page, history) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		in.saga, in.id, in.Pages, string(in.history[:in.kept]))
	in.Pages++
	in.history, in.kept = in.history[in.kept:], 0
	return err
}

// keepEarly keeps an event for an instance that has not started.
func (w *work) keepEarly(k key, m event.Received) error {
	s, err := signalOf(m)
	if err != nil {
		return err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return w.tx.Exec(w.ctx, `INSERT INTO saga_early (saga, id, event, at, signal) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (saga, id, event) DO NOTHING`,
		k.saga, k.id, rowName(m.Source+" "+m.ID), w.now, string(text))
}

// rowName is what foreign producers call an event, such that every database stores it in
// an index.
func rowName(s string) string {
	if len(s) <= 1024 && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(s)))
}

// takeEarly hands over the events that were kept for an instance, in the order in which
// they came.
func (w *work) takeEarly(k key) ([]signal, error) {
	type early struct {
		at   int64
		text string
		signal
	}
	all, err := store.Collect(w.ctx, w.tx, func(r store.Rows) (e early, err error) { return e, r.Scan(&e.at, &e.text) },
		`SELECT at, signal FROM saga_early WHERE saga = $1 AND id = $2`, k.saga, k.id)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	for i := range all {
		if err := fastjson.Unmarshal([]byte(all[i].text), &all[i].signal); err != nil {
			return nil, fmt.Errorf("read early event of saga %s %s: %w", k.saga, k.id, err)
		}
	}
	slices.SortFunc(all, func(a, b early) int { // what came together is in the order of its log
		x, y := a.Envelope, b.Envelope
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(x.Topic, y.Topic), cmp.Compare(x.Partition, y.Partition), cmp.Compare(x.Offset, y.Offset))
	})
	out := make([]signal, len(all))
	for i := range all {
		out[i] = all[i].signal
	}
	return out, w.tx.Exec(w.ctx, `DELETE FROM saga_early WHERE saga = $1 AND id = $2`, k.saga, k.id)
}

// signalOf keeps of an event what any of its readers wants: which one will take it is not
// known yet.
func signalOf(m event.Received) (s signal, err error) {
	s.Envelope = m.Envelope
	for _, b := range m.Body.(bodies) {
		text, err := json.Marshal(b)
		if err != nil {
			return s, err
		}
		s.Body = union(s.Body, text)
	}
	return s, nil
}

// union has what either of two documents has, which are of one origin.
func union(a, b json.RawMessage) json.RawMessage {
	var x, y map[string]json.RawMessage
	var l, m []json.RawMessage
	if len(a) == 0 || string(a) == "null" {
		return b
	}
	var both any
	switch {
	case string(b) == "null":
		return a
	case json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil:
		for name, v := range y {
			x[name] = union(x[name], v)
		}
		both = x
	case json.Unmarshal(a, &l) == nil && json.Unmarshal(b, &m) == nil && len(l) == len(m):
		for i := range l {
			l[i] = union(l[i], m[i])
		}
		both = l
	default:
		return a
	}
	text, _ := json.Marshal(both) // of what is JSON: cannot fail
	return text
}
