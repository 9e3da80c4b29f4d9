package main

import (
	"strings"

	"github.com/tutti-go/tutti/bench/rig"
	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
)

// step is an order at one of its steps.
type step = rig.Order

var prefix = "bench"

func topic() event.Topic { return event.Topic{Name: prefix + ".order"} }

func contract(name string) event.Contract {
	return event.Contract{Type: "bench.order." + name, Version: 1, Topic: topic()}
}

type (
	placed    struct{ step }
	reserved  struct{ step }
	paid      struct{ step }
	shipped   struct{ step }
	confirmed struct{ step }
)

func (placed) Contract() event.Contract    { return contract("placed") }
func (reserved) Contract() event.Contract  { return contract("reserved") }
func (paid) Contract() event.Contract      { return contract("paid") }
func (shipped) Contract() event.Contract   { return contract("shipped") }
func (confirmed) Contract() event.Contract { return contract("confirmed") }

// register makes a service of the steps.
func register(s *service.Service, database string) {
	s.Migrations(rig.Schema)
	event.Publishes[placed](s)
	event.Publishes[reserved](s)
	event.Publishes[paid](s)
	event.Publishes[shipped](s)
	event.Publishes[confirmed](s)
	orders := rig.Orders{Bulk: strings.HasPrefix(database, "postgres")}
	rig.Step[placed](s, "reserved", orders.Insert, func(o step) event.Body { return reserved{o} })
	rig.Step[reserved](s, "paid", orders.Advance, func(o step) event.Body { return paid{o} })
	rig.Step[paid](s, "shipped", orders.Advance, func(o step) event.Body { return shipped{o} })
	rig.Step[shipped](s, "confirmed", orders.Advance, func(o step) event.Body { return confirmed{o} })
}
