package saga

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/fastjson"
	"github.com/tutti-go/tutti/store"
)

// Definition is a business process with a state of type S.
type Definition[S any] struct{ p *plan }

// Saga is a definition of any state; *[Definition] is one.
type Saga interface{ compiled() *plan }

func (d *Definition[S]) compiled() *plan { return d.p }

// Name is the definition's name.
func (d *Definition[S]) Name() string { return d.p.name }

// Node is a part of a definition.
type Node[S any] struct{ n *node }

// Define puts a definition together. Name is the saga's wire name, under which its
// instances are stored; version tells a changed definition from the one before. The
// parts are run in their order. It panics if the definition cannot be right, a fault of
// the program's text: see [Definition.Check].
func Define[S any](name string, version int, parts ...*Node[S]) *Definition[S] {
	p := &plan{
		name: name, version: version, root: &node{kind: sequence}, nodes: map[string]*node{},
		starts: map[contractID]*reply{}, cancels: map[contractID]*reply{}, awaits: map[contractID]bool{}, from: map[int]*upgrade{},
		newState: func() any { return new(S) },
		adopt: func(state any) (any, bool) {
			s, ok := state.(S)
			return &s, ok
		},
	}
	for _, part := range parts {
		switch n := part.n; n.kind {
		case trigger:
			p.faults = append(p.faults, p.bind(p.starts, n.replies[0])...)
		case cancel:
			p.faults = append(p.faults, p.bind(p.cancels, n.replies[0])...)
		case failure:
			p.failing = n.failing
		case migration:
			p.from[n.upgrade.version] = n.upgrade
		default:
			p.root.children = append(p.root.children, n)
		}
	}
	d := &Definition[S]{p}
	p.index(p.root, 0)
	p.compare()
	if err := d.Check(); err != nil {
		panic(err)
	}
	return d
}

// plan is a definition without its types. States are pointers.
type plan struct {
	name     string
	version  int
	root     *node
	nodes    map[string]*node // by name
	starts   map[contractID]*reply
	cancels  map[contractID]*reply
	awaits   map[contractID]bool // events that are kept until a Wait is for them
	from     map[int]*upgrade    // by the version that they come from
	newState func() any
	adopt    func(state any) (any, bool)    // a pointer to a state of this plan's type
	failing  func(state any, reason string) // before anything is undone
	faults   []string
}

// upgrade makes instances of an older version ones of this.
type upgrade struct {
	version int
	state   func(old json.RawMessage) (any, error)
}

// contractID is how a message says what it is.
type contractID struct {
	topic, typ string
	version    int
}

func idOf(c event.Contract) contractID { return contractID{c.Topic.Name, c.Type, c.Version} }

func (p *plan) title() string { return fmt.Sprintf("%s/%d", p.name, p.version) }

func (p *plan) bind(to map[contractID]*reply, r *reply) []string {
	id := idOf(r.contract)
	if to[id] != nil {
		return []string{fmt.Sprintf("%s is named twice", r.contract)}
	}
	to[id] = r
	return nil
}

// index gives every node its name, and the number of loops that it is within.
func (p *plan) index(n *node, loops int) {
	n.loops = loops
	if n.name != "" {
		if p.nodes[n.name] != nil {
			p.faults = append(p.faults, fmt.Sprintf("two parts are called %q", n.name))
		}
		p.nodes[n.name] = n
	}
	if n.kind == wait {
		for _, r := range n.replies {
			p.awaits[idOf(r.contract)] = true
		}
	}
	if n.kind == loop {
		loops++
	}
	for _, c := range n.children {
		p.index(c, loops)
	}
}

// compare finds the steps that wait for what others, or other iterations, wait for too.
func (p *plan) compare() {
	waits := map[contractID]*node{}
	for _, n := range p.nodes {
		n.alike = n.alike || n.loops > 0 || n.undo != nil && slices.ContainsFunc(n.undo.replies, n.same)
		for _, r := range n.answers() {
			other := waits[idOf(r.contract)]
			if other != nil && other != n {
				n.alike, other.alike = true, true
			}
			waits[idOf(r.contract)] = n
		}
	}
}

// answers are the replies that a part waits for, to its undo too.
func (n *node) answers() []*reply {
	if n.undo == nil {
		return n.replies
	}
	return slices.Concat(n.replies, n.undo.replies)
}

// is reports whether the part of a path is of a kind.
func (p *plan) is(k kind, path string) bool {
	n := p.nodes[nameOf(path)]
	return n != nil && n.kind == k
}

// replies lists what a plan wants to be told, with the commands' undoing.
func (p *plan) replies() []*reply {
	var out []*reply
	for _, m := range []map[contractID]*reply{p.starts, p.cancels} {
		for r := range maps.Values(m) {
			out = append(out, r)
		}
	}
	for _, n := range p.nodes {
		out = append(out, n.answers()...)
	}
	return out
}

// commands lists what a plan sends.
func (p *plan) commands() []*command {
	var out []*command
	for _, n := range p.nodes {
		if n.send != nil {
			out = append(out, n.send)
		}
		if n.undo != nil && n.undo.send != nil {
			out = append(out, n.undo.send)
		}
	}
	return out
}

// Correlated is implemented by messages that belong to an instance whose key is not
// theirs, or that are not about a saga at all (ok is false).
type Correlated interface {
	SagaID() (id string, ok bool)
}

// meaning is what a message means to who gets it.
type meaning uint8

const (
	succeeded meaning = iota
	refused
	busy
)

func (m meaning) String() string { return [...]string{"done", "failed", "busy"}[m] }

// command is a message to be sent.
type command struct {
	contract event.Contract
	schema   event.Schema
	build    func(state any) event.Body
}

// reply is a message that is understood.
type reply struct {
	event.Binding[*store.Tx] // of its type: contract, schema, decoding
	contract                 event.Contract
	bodyType                 reflect.Type
	means                    meaning
	id                       func(env event.Envelope, body any) (string, bool)
	apply                    func(state any, env event.Envelope, body any) string
}

// bindings catches the binding that event.On makes of a type.
type bindings struct{ event.Binding[*store.Tx] }

func (b *bindings) Bind(to event.Binding[*store.Tx]) { b.Binding = to }

// understand makes a reply of a function of a state and a message.
func understand[S any, T event.Typed](means meaning, fn func(*S, event.Message[T]) string) *reply {
	var b bindings
	event.On(&b, noHandler[T])
	r := &reply{Binding: b.Binding, contract: b.Contract, bodyType: reflect.TypeFor[T](), means: means}
	r.id = func(env event.Envelope, body any) (string, bool) {
		if c, ok := body.(Correlated); ok {
			return c.SagaID()
		}
		return env.Key, true
	}
	r.apply = func(state any, env event.Envelope, body any) string {
		return fn(state.(*S), event.Message[T]{Envelope: env, Body: *body.(*T)})
	}
	return r
}

// StartedBy says which message starts an instance, of its key, and what its state is
// then.
func StartedBy[S any, T event.Typed](fn func(*S, event.Message[T])) *Node[S] {
	return &Node[S]{&node{kind: trigger, replies: []*reply{understand(succeeded, silent(fn))}}}
}

// CancelledBy says which message has a running instance compensated. It returns why.
func CancelledBy[S any, T event.Typed](fn func(*S, event.Message[T]) string) *Node[S] {
	return &Node[S]{&node{kind: cancel, replies: []*reply{understand(refused, fn)}}}
}

// OnFailure is called when the process fails or is cancelled, before anything is undone:
// so that undos can tell why. It is called once for the state, and once for each step in an
// iteration of a loop, which is undone with the state that it left.
func OnFailure[S any](fn func(s *S, reason string)) *Node[S] {
	return &Node[S]{&node{kind: failure, failing: func(state any, reason string) { fn(state.(*S), reason) }}}
}

// From says how an instance of an older version becomes one of this version, with the
// state O that it had. Without it, instances of the older version need the older
// definition to be registered as well. Parts are matched by name.
func From[O, S any](version int, fn func(old O) (S, error)) *Node[S] {
	return &Node[S]{&node{kind: migration, upgrade: &upgrade{version, func(raw json.RawMessage) (any, error) {
		var old O
		if err := fastjson.Unmarshal(raw, &old); err != nil {
			return nil, fmt.Errorf("read state of version %d: %w", version, err)
		}
		state, err := fn(old)
		return &state, err
	}}}}
}

func silent[S any, T event.Typed](fn func(*S, event.Message[T])) func(*S, event.Message[T]) string {
	return func(s *S, m event.Message[T]) string {
		fn(s, m)
		return ""
	}
}

// Times of a step that says nothing else.
const (
	defaultWithin   = time.Minute
	defaultAttempts = 3
	undoAttempts    = 10
	defaultBackoff  = time.Second
	maxBackoff      = time.Minute
)
