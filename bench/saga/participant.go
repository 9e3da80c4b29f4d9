package main

import (
	"strings"

	"github.com/tutti-go/tutti/bench/rig"
	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
)

// participant does what the steps ask for: each stores a row, or changes it, and
// replies.
func participant(s *service.Service, database string) {
	s.Migrations(rig.Schema)
	event.Publishes[reserved](s)
	event.Publishes[paid](s)
	event.Publishes[shipped](s)
	event.Publishes[confirmed](s)
	event.Publishes[refused](s)
	event.Publishes[undone](s)
	orders := rig.Orders{Bulk: strings.HasPrefix(database, "postgres")}
	rig.Step[reserve](s, "reserved", orders.Insert, func(o order) event.Body { return reserved{o} })
	rig.Step[pay](s, "paid", orders.Advance, func(o order) event.Body { return paid{o} })
	rig.Step[ship](s, "shipped", orders.Advance, func(o order) event.Body { return shipped{o} })
	rig.Step[confirm](s, "confirmed", orders.Advance, func(o order) event.Body { return confirmed{o} })
	undo := func(o order) event.Body { return undone{o} }
	rig.Step[release](s, "released", orders.Advance, undo)
	rig.Step[refund](s, "refunded", orders.Advance, undo)
	rig.Step[recall](s, "recalled", orders.Advance, undo)
}
