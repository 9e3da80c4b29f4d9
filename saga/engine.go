package saga

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// Config tunes an engine. Its zero value is the documented default.
type Config struct {
	// Retention is how long instances that are over are kept; 0 is for ever.
	Retention time.Duration
	// Early is how long events are kept for instances that do not start; default 24 h.
	Early time.Duration
	// Cache is how many running instances are kept in memory; default 8192.
	Cache int
}

// Engine directs the sagas of one service.
type Engine struct {
	s       *service.Service
	cfg     Config
	plans   map[string]map[int]*plan // by name and version
	current map[string]*plan         // the highest version of each name
	routes  map[contractID]*route
	cache   cache
	bell    bell
	left    map[alarm]bool // of runs before this one
	stray   atomic.Int64
	last    int64 // number given; of the loop
	shared  bool  // other instances of the service may have the same database
}

// route is who wants messages of a contract, in how many types.
type route struct {
	contract event.Contract
	sagas    []string
	decoders []*reply // one of each type for each saga: their states share nothing
	of       []string // the sagas of decoders
	readers  map[*reply]int
	ids      map[string]*reply // by saga: who knows the instance that a message is for
}

// bodies is a message decoded into each type that someone wants it in.
type bodies []any

// Register makes a service direct sagas. Definitions of one name and several versions
// may be registered: new instances run the highest, others finish as they began, or are
// made instances of a newer one that knows them: see [From]. It is called once for a
// service, and panics where definitions contradict each other, or settings are negative.
//
// The service then handles the messages that start, answer and cancel the sagas, and
// can have no handlers of its own for them.
func Register(s *service.Service, cfg Config, sagas ...Saga) *Engine {
	if cfg.Retention < 0 || cfg.Early < 0 || cfg.Cache < 0 {
		panic(fmt.Sprintf("service %s: saga.Config is %+v, want nothing below 0", s.Name(), cfg))
	}
	cfg.Early, cfg.Cache = cmp.Or(cfg.Early, 24*time.Hour), cmp.Or(cfg.Cache, 8192)
	e := &Engine{
		s: s, cfg: cfg, plans: map[string]map[int]*plan{}, current: map[string]*plan{}, routes: map[contractID]*route{},
		cache: cache{most: cfg.Cache, of: map[key]*instance{}},
		bell:  newBell(), left: map[alarm]bool{},
	}
	for _, saga := range sagas {
		e.add(saga.compiled())
	}
	for _, r := range e.routes {
		e.bind(r)
	}
	s.Uses(service.Part{Name: "saga", Migrations: migrations, Check: e.check})
	job.OnDue(s, e.onTimer)
	job.OnDue(s, e.onAlarm)
	s.Go(e.sweep)
	s.Go(e.handOver)
	s.Go(e.restAtStart)
	e.administer()
	return e
}

// add takes in a plan, and those of the sagas within it.
func (e *Engine) add(p *plan) {
	if have := e.plans[p.name][p.version]; have != nil {
		if have != p {
			panic(fmt.Sprintf("service %s: two definitions of saga %s", e.s.Name(), p.title()))
		}
		return
	}
	if e.plans[p.name] == nil {
		e.plans[p.name] = map[int]*plan{}
	}
	e.plans[p.name][p.version] = p
	if now := e.current[p.name]; now == nil || now.version < p.version {
		e.current[p.name] = p
	}
	for _, c := range p.commands() {
		e.s.Declare(c.contract, c.schema)
	}
	for _, r := range p.replies() {
		e.route(p, r)
	}
	for _, n := range p.nodes {
		if n.child != nil {
			e.add(n.child.plan)
		}
	}
}

func (e *Engine) route(p *plan, r *reply) {
	id := idOf(r.contract)
	to := e.routes[id]
	if to == nil {
		to = &route{contract: r.contract, readers: map[*reply]int{}, ids: map[string]*reply{}}
		e.routes[id] = to
	}
	if to.ids[p.name] == nil {
		to.sagas = append(to.sagas, p.name)
		to.ids[p.name] = r
	}
	if to.contract != r.contract {
		panic(fmt.Sprintf("service %s: contract %s is defined in two ways", e.s.Name(), r.contract))
	}
	for i, d := range to.decoders {
		if d.bodyType == r.bodyType && to.of[i] == p.name {
			to.readers[r] = i
			return
		}
	}
	to.readers[r] = len(to.decoders)
	to.decoders, to.of = append(to.decoders, r), append(to.of, p.name)
}

// bind makes the service hand messages of a contract to the engine.
func (e *Engine) bind(r *route) {
	schema := event.Schema{}
	for _, d := range r.decoders {
		maps.Copy(schema, d.Schema)
	}
	e.s.Bind(event.Binding[*store.Tx]{
		Contract: r.contract, Schema: schema, Batch: true,
		Decode: r.decode,
		Handle: func(ctx context.Context, tx *store.Tx, ms []event.Received) error { return e.receive(ctx, tx, r, ms) },
	})
}

// decode reads a message in each type.
func (r *route) decode(env event.Envelope, data []byte) (any, error) {
	out := make(bodies, len(r.decoders))
	for i, d := range r.decoders {
		body, err := d.Decode(env, data)
		if err != nil {
			return nil, err
		}
		out[i] = body
	}
	return out, nil
}

// planOf finds the plan that an instance of a version runs by.
func (e *Engine) planOf(saga string, version int) (*plan, error) {
	if p := e.plans[saga][version]; p != nil {
		return p, nil
	}
	if p := e.current[saga]; p != nil && p.from[version] != nil {
		return p, nil
	}
	return nil, fmt.Errorf("saga %s has instances of version %d, which is not known here: register its definition beside the current one, "+
		"or say with saga.From(%d, …) how they become instances of that", saga, version, version)
}

// check finds out, before anything runs, whether all that runs can go on.
func (e *Engine) check(ctx context.Context, db *store.Store) error {
	e.shared = db.Shared()
	if err := e.findLeft(ctx, db); err != nil {
		return err
	}
	type running struct {
		saga    string
		version int
	}
	all, err := store.Collect(ctx, db.Reader(), func(r store.Rows) (v running, err error) { return v, r.Scan(&v.saga, &v.version) },
		`SELECT DISTINCT saga, version FROM saga_live ORDER BY saga, version`)
	if err != nil {
		return fmt.Errorf("look for sagas under way: %w", err)
	}
	var errs []error
	for _, v := range all {
		p, err := e.planOf(v.saga, v.version)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if p.version != v.version {
			errs = append(errs, e.checkUpgrade(ctx, db, v.saga, v.version))
		}
	}
	return errors.Join(errs...)
}

// checkUpgrade tries to make each instance of an older version one of the current.
func (e *Engine) checkUpgrade(ctx context.Context, db *store.Store, saga string, version int) error {
	const page = 1000
	var errs []error
	for after := ""; ; {
		rows, err := store.Collect(ctx, db.Reader(), scanRow, `SELECT `+columns+`, armed, alarm FROM saga_live
			WHERE saga = $1 AND id > $2 AND version = $3 ORDER BY id LIMIT $4`, saga, after, version, page)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if _, err := e.instance(r); err != nil {
				errs = append(errs, err)
			}
			after = r.id
		}
		if len(rows) < page || len(errs) >= 10 {
			return errors.Join(errs[:min(len(errs), 10)]...)
		}
	}
}

// number returns a number for a new row: numbers ascend, so that new rows lie side by
// side, and those of several instances of the service hardly ever meet.
func (e *Engine) number(now int64) int64 {
	const low = 1 << 20
	e.last = max(e.last+1, now*low+rand.Int64N(low/2)) //nolint:gosec // no secret
	return e.last
}

// names lists the sagas, for messages to people.
func (e *Engine) names() string {
	return strings.Join(slices.Sorted(maps.Keys(e.current)), ", ")
}

// cache holds running instances as they were last committed, so that they need not be
// read for each message. What another instance of the service has changed meanwhile is
// noticed when it is stored, by its revision. It belongs to the service's loop.
type cache struct {
	most int
	of   map[key]*instance
}

// take returns an instance for a transaction to change: it is put back by its commit.
func (c *cache) take(k key) *instance {
	in := c.of[k]
	delete(c.of, k)
	return in
}

func (c *cache) put(ins []*instance) {
	for _, in := range ins {
		if in.status.over() {
			delete(c.of, in.key) // what it was before in the same transaction
		} else {
			c.of[in.key] = in
		}
	}
	for k := range c.of { // any will do: it is read again when it is needed
		if len(c.of) <= c.most {
			return
		}
		delete(c.of, k)
	}
}
