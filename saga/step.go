package saga

import (
	"context"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/store"
)

// kind is what a node does.
type kind uint8

const (
	sequence kind = iota
	parallel
	choice
	loop
	step
	wait
	decision
	sleep
	sub
	fail
	trigger // the rest are no parts of the flow
	cancel
	failure
	migration
)

// node is a part of a plan.
type node struct {
	kind     kind
	name     string
	children []*node
	loops    int  // that it is within
	alike    bool // the contract of a reply does not say which command it answers

	send    *command
	replies []*reply // to the command, or events waited for
	undo    *node    // of a step: what undoes it

	within   time.Duration // 0: no limit
	attempts int           // 0: no limit
	backoff  time.Duration
	pivot    bool
	harmless bool

	otherwise func(state any) // at the end of within, instead of failing
	options   []option        // of a decision
	when      func(state any) bool
	most      int // iterations of a loop
	pause     func(state any, now time.Time) time.Duration
	reason    func(state any) string
	child     *child
	upgrade   *upgrade
	failing   func(state any, reason string)
}

// Option is what a step, a wait or a decision is made of.
type Option[S any] struct{ apply func(*node) }

func build[S any](n *node, options []Option[S]) *Node[S] {
	for _, o := range options {
		o.apply(n)
	}
	return &Node[S]{n}
}

// Step is a piece of work that is asked for by a command, and that has succeeded or
// failed when one of its replies comes. A step without [Send] is done at once: it
// stands for what was done before, and can be undone. A step without replies is done
// once its command is sent.
//
// Unless told otherwise, a step is given up when its third attempt is not answered
// within a minute.
func Step[S any](name string, options ...Option[S]) *Node[S] {
	return build(&node{kind: step, name: name, within: defaultWithin, attempts: defaultAttempts, backoff: defaultBackoff}, options)
}

// Send says what the step asks for: a command, or an event that others react to.
func Send[S any, C event.Body](fn func(*S) C) Option[S] {
	var declared declaration
	event.Publishes[C](&declared)
	return Option[S]{func(n *node) {
		n.send = &command{declared.Contract, declared.schema, func(state any) event.Body { return fn(state.(*S)) }}
	}}
}

type declaration struct {
	event.Contract
	schema event.Schema
}

func (d *declaration) Declare(c event.Contract, s event.Schema) { d.Contract, d.schema = c, s }

func noHandler[T event.Typed](context.Context, *store.Tx, event.Message[T]) error { return nil }

// Done is a reply that says that the work is done.
func Done[S any, T event.Typed](fn func(*S, event.Message[T])) Option[S] {
	return answered[S](understand(succeeded, silent(fn)))
}

// Failed is a reply that says that the work was not done and will not be. It returns
// why.
func Failed[S any, T event.Typed](fn func(*S, event.Message[T]) string) Option[S] {
	return answered[S](understand(refused, fn))
}

// Busy is a reply that says that the work was not done now: it counts as an attempt,
// and is asked for again. It returns why.
func Busy[S any, T event.Typed](fn func(*S, event.Message[T]) string) Option[S] {
	return answered[S](understand(busy, fn))
}

func answered[S any](r *reply) Option[S] {
	return Option[S]{func(n *node) { n.replies = append(n.replies, r) }}
}

// Undo says how a step is undone: by a command, with replies as those of a step. What
// fails is retried, ten times unless [Tries] says otherwise, and then waits for a
// person. In a loop, the command is made of the state as it was when the step was done.
func Undo[S any, C event.Body](fn func(*S) C, replies ...Option[S]) Option[S] {
	undo := &node{kind: step, within: defaultWithin, attempts: undoAttempts, backoff: defaultBackoff}
	Send(fn).apply(undo)
	for _, o := range replies {
		o.apply(undo)
	}
	return Option[S]{func(n *node) { n.undo = undo }}
}

// Tries says how often a step's compensation is attempted before it waits for a person,
// and how long each attempt may take.
func (n *Node[S]) Tries(attempts int, within time.Duration) *Node[S] {
	if n.n.undo != nil {
		n.n.undo.attempts, n.n.undo.within = attempts, within
	}
	return n
}

// Within says how long each attempt of a step, a wait or a decision may take; 0 is for
// ever.
func (n *Node[S]) Within(d time.Duration) *Node[S] {
	n.n.within = d
	return n
}

// Attempts says how often a step is asked for before it is given up; 0 is no limit. One
// that was not answered in time is asked for again at once; after an answer that says
// [Busy] there is a pause, of a second unless [Node.Backoff] says otherwise, which
// doubles up to a minute.
func (n *Node[S]) Attempts(most int) *Node[S] {
	n.n.attempts = most
	return n
}

// Backoff is the pause after the first attempt that was answered with [Busy].
func (n *Node[S]) Backoff(d time.Duration) *Node[S] {
	n.n.backoff = d
	return n
}

// Pivot marks the step after which the process only goes on: nothing is undone or
// cancelled any more, and what follows is retried until it succeeds. Where the process
// turns back before it has answered, a person has to see to it, unless it has an undo.
func (n *Node[S]) Pivot() *Node[S] {
	n.n.pivot = true
	return n
}

// NothingToUndo marks a step that leaves nothing behind, as one that only asks.
func (n *Node[S]) NothingToUndo() *Node[S] {
	n.n.harmless = true
	return n
}

// Otherwise says how a wait or a decision goes on when its time is up: as if it had
// come, with the state as fn leaves it. Without it, the process fails.
func (n *Node[S]) Otherwise(fn func(*S)) *Node[S] {
	n.n.otherwise = func(state any) { fn(state.(*S)) }
	return n
}

// Wait waits for an event: one of its [Done] and [Failed] messages. One that came
// before, even before the instance started, counts.
func Wait[S any](name string, events ...Option[S]) *Node[S] {
	return build(&node{kind: wait, name: name}, events)
}

// Decision is what a person decided.
type Decision struct {
	Option string    `json:"option"`
	By     string    `json:"by"`
	Note   string    `json:"note,omitempty"`
	At     time.Time `json:"at"`
}

// option is what a person may choose.
type option struct {
	name    string
	refuses bool
	apply   func(state any, d Decision)
}

// Decide waits for a person, who chooses one of the options that [Accept] and [Refuse]
// name: see [Engine.Decide].
func Decide[S any](name string, options ...Option[S]) *Node[S] {
	return build(&node{kind: decision, name: name}, options)
}

// Accept is an option with which the process goes on.
func Accept[S any](name string, fn func(*S, Decision)) Option[S] { return choose(name, false, fn) }

// Refuse is an option with which the process fails.
func Refuse[S any](name string, fn func(*S, Decision)) Option[S] { return choose(name, true, fn) }

func choose[S any](name string, refuses bool, fn func(*S, Decision)) Option[S] {
	return Option[S]{func(n *node) {
		n.options = append(n.options, option{name, refuses, func(state any, d Decision) { fn(state.(*S), d) }})
	}}
}
