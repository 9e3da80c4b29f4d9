package saga

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/store"
)

// work is what one call of the service's loop does to instances.
type work struct {
	e       *Engine
	ctx     context.Context
	tx      *store.Tx
	now     int64
	known   map[key]*instance
	changed []*instance
	ended   []*instance // whose parents are to be told
}

func (e *Engine) work(ctx context.Context, tx *store.Tx) *work {
	return &work{e: e, ctx: ctx, tx: tx, now: tx.Now().UnixMilli(), known: map[key]*instance{}}
}

func timeOf(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// load makes instances known, where there are any.
func (w *work) load(saga string, ids []string) error {
	var missing []string
	for _, id := range ids {
		k := key{saga, id}
		if w.known[k] != nil {
			continue
		}
		if in := w.e.cache.take(k); in != nil {
			w.known[k] = in
			continue
		}
		missing = append(missing, id)
	}
	slices.Sort(missing)
	return w.find(saga, slices.Compact(missing))
}

func (w *work) get(k key) (*instance, error) {
	err := w.load(k.saga, []string{k.id})
	return w.known[k], err
}

// touch notes that an instance is changed.
func (w *work) touch(in *instance) {
	if !in.dirty {
		in.dirty = true
		w.changed = append(w.changed, in)
	}
}

// receive handles messages of one contract.
func (e *Engine) receive(ctx context.Context, tx *store.Tx, r *route, ms []event.Received) error {
	w := e.work(ctx, tx)
	for _, saga := range r.sagas {
		ids := make([]string, 0, len(ms))
		for i := range ms {
			if id, ok := r.idOf(saga, &ms[i]); ok {
				ids = append(ids, id)
			}
		}
		if err := w.load(saga, ids); err != nil {
			return err
		}
		for i := range ms {
			id, ok := r.idOf(saga, &ms[i])
			if !ok {
				continue
			}
			tx.Handling(ms[i].Cause())
			if err := w.message(key{saga, id}, r, ms[i]); err != nil {
				return fmt.Errorf("saga %s %s: %w", saga, id, err)
			}
		}
	}
	return w.finish()
}

// idOf is the instance of a saga that a message is for.
func (r *route) idOf(saga string, m *event.Received) (string, bool) {
	by := r.ids[saga]
	return by.id(m.Envelope, r.body(by, m.Body))
}

// body is a message as a reply's function wants it.
func (r *route) body(by *reply, decoded any) any { return decoded.(bodies)[r.readers[by]] }

// message takes an instance on by a message.
func (w *work) message(k key, r *route, m event.Received) error {
	in := w.known[k]
	if in != nil {
		return w.run(in).message(r, m)
	}
	p := w.e.current[k.saga]
	id := idOf(r.contract)
	if start := p.starts[id]; start != nil {
		in := w.create(p, k.id, p.newState(), m.Cause())
		start.apply(in.State, m.Envelope, r.body(start, m.Body))
		return w.begin(in, line{Type: r.contract.String(), Event: m.ID})
	}
	if p.awaits[id] || p.cancels[id] != nil {
		return w.keepEarly(k, m)
	}
	w.e.stray.Add(1) // an answer to what nobody here has asked
	return nil
}

func (w *work) create(p *plan, id string, state any, from event.Cause) *instance {
	in := &instance{key: key{p.name, id}, plan: p, status: Running, started: w.now, changed: w.now, n: w.e.number(w.now)}
	in.State, in.Cause = state, cause(from)
	w.known[in.key] = in
	return in
}

const maxID = 512 // bytes

// unfit says why an id cannot be one of an instance, or "". What is no text is another
// text in JSON, by which timers and parents know an instance.
func unfit(id string) string {
	switch {
	case id == "" || len(id) > maxID:
		return fmt.Sprintf("%d bytes long, want 1 to %d", len(id), maxID)
	case !utf8.ValidString(id) || strings.IndexByte(id, 0) >= 0:
		return clip(fmt.Sprintf("%q", id)) + ", which not every database stores"
	}
	return ""
}

// begin starts an instance, with what came for it before.
func (w *work) begin(in *instance, why line) error {
	if why := unfit(in.id); why != "" {
		delete(w.known, in.key)
		return event.Reject(fmt.Errorf("its id is %s", why))
	}
	why.Did = "started"
	r := w.run(in)
	r.note(why)
	var early []signal
	if len(in.plan.awaits)+len(in.plan.cancels) > 0 {
		var err error
		if early, err = w.takeEarly(in.key); err != nil {
			return err
		}
	}
	var cancelled *signal
	for i, s := range early {
		if in.plan.cancels[contractOf(s.Envelope)] != nil {
			cancelled = &early[i]
			continue
		}
		if len(in.Signals) == maxSignals {
			w.e.stray.Add(1)
			continue
		}
		in.Signals = append(in.Signals, s)
	}
	if cancelled != nil {
		by := in.plan.cancels[contractOf(cancelled.Envelope)]
		body, err := by.Decode(plain(cancelled.Envelope), cancelled.Body)
		if err != nil {
			return err
		}
		if err := r.grant(); err != nil {
			return err
		}
		return r.cancel(by, cancelled.Envelope, body)
	}
	return r.advance()
}

// grant completes the steps at the beginning that have no command: what they stand for
// was done by who started the saga, and is undone even if nothing else ever is done.
func (r run) grant() error {
	for _, n := range r.plan.root.children {
		if n.kind != step || n.send != nil {
			break
		}
		if _, err := r.forward(n, ""); err != nil {
			return err
		}
	}
	return nil
}

func contractOf(env event.Envelope) contractID { return contractID{env.Topic, env.Type, env.Version} }

// plain is an envelope of a body that is stored as JSON, whatever it came as.
func plain(env event.Envelope) event.Envelope {
	env.ContentType = ""
	return env
}

// finish tells parents of what has ended, and stores all.
func (w *work) finish() error {
	for len(w.ended) > 0 {
		in := w.ended[0]
		w.ended = w.ended[1:]
		up := in.Parent
		if up == nil {
			continue
		}
		above, err := w.get(key{up.Saga, up.ID})
		if err != nil {
			return err
		}
		if above == nil || above.plan == nil { // retention took it, or its saga is gone: nobody waits
			continue
		}
		if !above.over {
			w.touch(above) // to store it finds out whether memory has it as it was before it started this one
		}
		if err := w.run(above).childEnded(up.Path, in); err != nil {
			return err
		}
	}
	return w.save()
}

// Start starts an instance of a saga, with a state of its type, from a request or a
// handler of the service's own. One that is there already, or was, is left alone:
// started is then false.
func (e *Engine) Start(ctx context.Context, tx *store.Tx, saga, id string, state any) (started bool, err error) {
	p := e.current[saga]
	if p == nil {
		return false, fmt.Errorf("start saga %q: service %s has %s", saga, e.s.Name(), e.names())
	}
	fresh, fits := p.adopt(state)
	if !fits {
		return false, fmt.Errorf("start saga %s %s: its state is of type %T, want %T without the pointer", saga, id, state, p.newState())
	}
	w := e.work(ctx, tx)
	in, err := w.get(key{saga, id})
	if err != nil || in != nil {
		return false, err
	}
	if fresh, err = p.copied(fresh); err == nil { // the caller may start it once more, where this is undone
		err = w.begin(w.create(p, id, fresh, tx.Cause()), line{})
	}
	if err != nil {
		return false, fmt.Errorf("start saga %s %s: %w", saga, id, err)
	}
	return true, w.finish()
}
