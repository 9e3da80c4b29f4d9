package main

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"net/http"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

//go:embed 0001_story.sql
var storyTables embed.FS

// narrator hears all that is asked and said, and keeps the story of each trip.
func narrator(s *service.Service) {
	s.Migrations(storyTables)
	tell(s, func(tripRequested) string { return "requested" })
	tell(s, func(bookFlight) string { return "agency → flights   a seat, please" })
	tell(s, func(m flightBooked) string { return fmt.Sprintf("agency ← flights   seat %d is yours", m.Seat) })
	tell(s, func(bookHotel) string { return "agency → hotels    a room, please" })
	tell(s, func(hotelBooked) string { return "agency ← hotels    it is yours" })
	tell(s, func(hotelFull) string { return "agency ← hotels    there are no rooms left" })
	tell(s, func(rentCar) string { return "agency → cars      a car, please" })
	tell(s, func(carRented) string { return "agency ← cars      it is yours" })
	tell(s, func(returnCar) string { return "agency → cars      we do not want it" })
	tell(s, func(carReturned) string { return "agency ← cars      then not" })
	tell(s, func(cancelHotel) string { return "agency → hotels    we do not want the room" })
	tell(s, func(hotelCancelled) string { return "agency ← hotels    it is free again" })
	tell(s, func(cancelFlight) string { return "agency → flights   we do not want the seat" })
	tell(s, func(flightCancelled) string { return "agency ← flights   it is free again" })
	tell(s, func(m tripBooked) string { return fmt.Sprintf("booked, in seat %d", m.Seat) })
	tell(s, func(m tripGivenUp) string { return "given up: " + m.Why })
	s.Handle("GET /trips/{trip}", func(w http.ResponseWriter, r *http.Request) error {
		so, err := storyOf(r.Context(), s.Read(), r.PathValue("trip"))
		if err != nil {
			return err
		}
		return service.WriteJSON(w, http.StatusOK, so)
	})
}

// tell adds a line to a trip's story for each message of a type.
func tell[T event.Typed](s *service.Service, line func(T) string) {
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[T]) error {
		return tx.Exec(ctx, `INSERT INTO story (trip, n, at, type, line) SELECT $1, COUNT(*) + 1, $2, $3, $4 FROM story WHERE trip = $1`,
			m.Key, m.Time.UnixMilli(), m.Type, line(m.Body))
	})
}

// story is what has happened to a trip so far.
type story struct {
	Lines   []string `json:"lines"` // each with seconds since the first
	Over    bool     `json:"over"`
	Outcome string   `json:"outcome"` // the last line
}

func storyOf(ctx context.Context, db store.Querier, trip string) (so story, err error) {
	var first int64
	so.Lines, err = store.Collect(ctx, db, func(r store.Rows) (string, error) {
		var at int64
		var typ string
		err := r.Scan(&at, &typ, &so.Outcome)
		first = cmp.Or(first, at)
		so.Over = typ == tripBooked{}.Contract().Type || typ == tripGivenUp{}.Contract().Type
		return fmt.Sprintf("%4.1f s  %s", float64(at-first)/1000, so.Outcome), err
	}, `SELECT at, type, line FROM story WHERE trip = $1 ORDER BY at, n`, trip)
	return so, err
}
