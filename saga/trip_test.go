package saga_test

import (
	"context"
	"testing"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

// The messages of a small process: a trip is wanted, a flight and a hotel are booked.
type (
	wanted struct {
		Trip  string `json:"trip"`
		Hotel string `json:"hotel"`
	}
	bookFlight  struct{ Trip string }
	dropFlight  struct{ Trip string }
	bookHotel   struct{ Trip, Hotel string }
	flightTaken struct{ Trip, Seat string }
	flightFree  struct{ Trip string }
	hotelTaken  struct{ Trip string }
	hotelFull   struct{ Trip, Why string }
)

func contract(typ, topic string, kind event.Kind) event.Contract {
	return event.Contract{Type: typ, Version: 1, Topic: event.Topic{Name: topic}, Kind: kind}
}

func (wanted) Contract() event.Contract { return contract("trip.wanted", "trip", event.KindEvent) }
func (bookFlight) Contract() event.Contract {
	return contract("flight.book", "flight.command", event.KindCommand)
}
func (dropFlight) Contract() event.Contract {
	return contract("flight.drop", "flight.command", event.KindCommand)
}
func (flightTaken) Contract() event.Contract {
	return contract("flight.taken", "flight", event.KindEvent)
}
func (flightFree) Contract() event.Contract {
	return contract("flight.free", "flight", event.KindEvent)
}
func (bookHotel) Contract() event.Contract {
	return contract("hotel.book", "hotel.command", event.KindCommand)
}
func (hotelTaken) Contract() event.Contract { return contract("hotel.taken", "hotel", event.KindEvent) }
func (hotelFull) Contract() event.Contract  { return contract("hotel.full", "hotel", event.KindEvent) }

func (m wanted) Key() string      { return m.Trip }
func (m bookFlight) Key() string  { return m.Trip }
func (m dropFlight) Key() string  { return m.Trip }
func (m flightTaken) Key() string { return m.Trip }
func (m flightFree) Key() string  { return m.Trip }
func (m bookHotel) Key() string   { return m.Trip }
func (m hotelTaken) Key() string  { return m.Trip }
func (m hotelFull) Key() string   { return m.Trip }

type trip struct {
	ID, Hotel, Seat, Why string
}

func booking() *saga.Definition[trip] {
	return saga.Define("trip", 1,
		saga.StartedBy(func(t *trip, m event.Message[wanted]) { t.ID, t.Hotel = m.Key, m.Body.Hotel }),
		saga.Step("flight",
			saga.Send(func(t *trip) bookFlight { return bookFlight{t.ID} }),
			saga.Done(func(t *trip, m event.Message[flightTaken]) { t.Seat = m.Body.Seat }),
			saga.Undo(func(t *trip) dropFlight { return dropFlight{t.ID} }, saga.Done(func(*trip, event.Message[flightFree]) {}))),
		saga.Step("hotel",
			saga.Send(func(t *trip) bookHotel { return bookHotel{t.ID, t.Hotel} }),
			saga.Done(func(*trip, event.Message[hotelTaken]) {}),
			saga.Failed(func(_ *trip, m event.Message[hotelFull]) string { return m.Body.Why })).NothingToUndo(),
	)
}

// partners are the services that the trip directs, in one.
func partners(s *service.Service) {
	event.Publishes[flightTaken](s)
	event.Publishes[flightFree](s)
	event.Publishes[hotelTaken](s)
	event.Publishes[hotelFull](s)
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[bookFlight]) error {
		return event.Publish(ctx, tx, flightTaken{m.Body.Trip, "12A"})
	})
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[dropFlight]) error {
		return event.Publish(ctx, tx, flightFree{m.Body.Trip})
	})
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[bookHotel]) error {
		switch m.Body.Hotel {
		case "full":
			return event.Publish(ctx, tx, hotelFull{m.Body.Trip, "no rooms"})
		case "silent":
			return nil
		}
		return event.Publish(ctx, tx, hotelTaken{m.Body.Trip})
	})
}

func agency(s *service.Service) { saga.Register(s, saga.Config{}, booking()) }

func TestTrip(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("agency", agency)
		w.Start("partners", partners)
		w.Publish(wanted{"t1", "fine"})
		w.Publish(wanted{"t2", "full"})
		w.Publish(wanted{"t3", "silent"})
		w.ExpectRows("agency", `SELECT id, status, reason FROM saga_done ORDER BY id`,
			"t1|completed|", "t2|compensated|hotel: no rooms", "t3|compensated|hotel: no answer within 1m0s")
		w.Expect(bookFlight{"t1"}, flightTaken{"t1", "12A"}, bookHotel{"t1", "fine"}, hotelTaken{"t1"})
	})
}
