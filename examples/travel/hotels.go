package main

import (
	"context"
	"embed"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

//go:embed 0001_rooms.sql
var hotelTables embed.FS

// hotels books rooms as long as there are any.
func hotels(s *service.Service) {
	s.Migrations(hotelTables)
	event.Publishes[hotelBooked](s)
	event.Publishes[hotelFull](s)
	event.Publishes[hotelCancelled](s)
	event.On(s, checkIn)
	event.On(s, checkOut)
}

// checkIn books a room. Who asks twice has one room, and gets the same answer.
func checkIn(ctx context.Context, tx *store.Tx, m event.Message[bookHotel]) error {
	err := tx.Exec(ctx, `INSERT INTO bookings (trip, hotel) SELECT $1, name FROM hotels
		WHERE name = $2 AND rooms > (SELECT COUNT(*) FROM bookings WHERE hotel = $2)
		ON CONFLICT (trip) DO NOTHING`, m.Body.Trip, m.Body.Hotel)
	if err != nil {
		return err
	}
	var has bool
	if err := tx.QueryRow(ctx, `SELECT COUNT(*) > 0 FROM bookings WHERE trip = $1`, m.Body.Trip).Scan(&has); err != nil {
		return err
	}
	if !has {
		return event.Publish(ctx, tx, hotelFull{m.Body.about})
	}
	return event.Publish(ctx, tx, hotelBooked{m.Body.about})
}

func checkOut(ctx context.Context, tx *store.Tx, m event.Message[cancelHotel]) error {
	if err := tx.Exec(ctx, `DELETE FROM bookings WHERE trip = $1`, m.Body.Trip); err != nil {
		return err
	}
	return event.Publish(ctx, tx, hotelCancelled{m.Body.about})
}
