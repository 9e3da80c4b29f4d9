package main

import (
	"context"
	"embed"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

//go:embed 0001_seats.sql
var flightTables embed.FS

// flights books seats, and there always is one.
func flights(s *service.Service) {
	s.Migrations(flightTables)
	event.Publishes[flightBooked](s)
	event.Publishes[flightCancelled](s)
	event.On(s, seat)
	event.On(s, unseat)
}

// seat books a seat. Who asks twice has one seat, and gets the same answer.
func seat(ctx context.Context, tx *store.Tx, m event.Message[bookFlight]) error {
	err := tx.Exec(ctx, `INSERT INTO seats (trip, seat) SELECT $1, COALESCE(MAX(seat), 0) + 1 FROM seats WHERE true
		ON CONFLICT (trip) DO NOTHING`, m.Body.Trip)
	if err != nil {
		return err
	}
	booked := flightBooked{about: m.Body.about}
	if err := tx.QueryRow(ctx, `SELECT seat FROM seats WHERE trip = $1`, m.Body.Trip).Scan(&booked.Seat); err != nil {
		return err
	}
	return event.Publish(ctx, tx, booked)
}

func unseat(ctx context.Context, tx *store.Tx, m event.Message[cancelFlight]) error {
	if err := tx.Exec(ctx, `DELETE FROM seats WHERE trip = $1`, m.Body.Trip); err != nil {
		return err
	}
	return event.Publish(ctx, tx, flightCancelled{m.Body.about})
}
