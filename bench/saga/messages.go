package main

import (
	"github.com/tutti-go/tutti/bench/rig"
	"github.com/tutti-go/tutti/event"
)

// order is what is asked for, and what the mediator keeps as its state.
type order = rig.Order

var prefix = "bench"

func contract(kind event.Kind, topic, name string) event.Contract {
	return event.Contract{Type: "bench." + topic + "." + name, Version: 1, Topic: event.Topic{Name: prefix + "." + topic}, Kind: kind}
}

func command(name string) event.Contract { return contract(event.KindCommand, "step", name) }
func reply(name string) event.Contract   { return contract(event.KindEvent, "reply", name) }

// How an order begins, where it does by an event, and ends.
type (
	placed    struct{ order }
	completed struct{ order }
)

func (placed) Contract() event.Contract    { return contract(event.KindEvent, "order", "placed") }
func (completed) Contract() event.Contract { return contract(event.KindEvent, "order", "completed") }

// The commands of the four steps, what undoes them, and the replies.
type (
	reserve struct{ order }
	pay     struct{ order }
	ship    struct{ order }
	confirm struct{ order }

	release struct{ order }
	refund  struct{ order }
	recall  struct{ order }

	reserved  struct{ order }
	paid      struct{ order }
	shipped   struct{ order }
	confirmed struct{ order }

	refused struct{ order }
	undone  struct{ order }
)

func (reserve) Contract() event.Contract { return command("reserve") }
func (pay) Contract() event.Contract     { return command("pay") }
func (ship) Contract() event.Contract    { return command("ship") }
func (confirm) Contract() event.Contract { return command("confirm") }

func (release) Contract() event.Contract { return command("release") }
func (refund) Contract() event.Contract  { return command("refund") }
func (recall) Contract() event.Contract  { return command("recall") }

func (reserved) Contract() event.Contract  { return reply("reserved") }
func (paid) Contract() event.Contract      { return reply("paid") }
func (shipped) Contract() event.Contract   { return reply("shipped") }
func (confirmed) Contract() event.Contract { return reply("confirmed") }

func (refused) Contract() event.Contract { return reply("refused") }
func (undone) Contract() event.Contract  { return reply("undone") }
