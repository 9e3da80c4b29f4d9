package main

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// trip is what the agency knows of a trip while it is being booked.
type trip struct {
	ID      string `json:"id"`
	Hotel   string `json:"hotel"`
	Company string `json:"company"`
	Seat    int64  `json:"seat"`
	Why     string `json:"why"` // it is given up
}

func (t *trip) about() about { return about{t.ID} }

// booking is how a trip is booked. A part that fails has those before it undone, in
// reverse; the first was done by the customer, and to undo it is to say that it was in
// vain.
func booking(patience time.Duration) *saga.Definition[trip] {
	return saga.Define("travel.booking", 1,
		saga.StartedBy(func(t *trip, m event.Message[tripRequested]) {
			*t = trip{ID: m.Key, Hotel: m.Body.Hotel, Company: m.Body.Company}
		}),
		saga.OnFailure(func(t *trip, reason string) { t.Why = cmp.Or(t.Why, reason) }),
		saga.Step("request",
			saga.Undo(func(t *trip) tripGivenUp { return tripGivenUp{t.about(), t.Why} })),
		saga.Step("flight",
			saga.Send(func(t *trip) bookFlight { return bookFlight{t.about()} }),
			saga.Done(func(t *trip, m event.Message[flightBooked]) { t.Seat = m.Body.Seat }),
			saga.Undo(func(t *trip) cancelFlight { return cancelFlight{t.about()} },
				saga.Done(func(*trip, event.Message[flightCancelled]) {}))),
		saga.Step("hotel",
			saga.Send(func(t *trip) bookHotel { return bookHotel{t.about(), t.Hotel} }),
			saga.Done(func(*trip, event.Message[hotelBooked]) {}),
			saga.Failed(func(t *trip, _ event.Message[hotelFull]) string {
				t.Why = "there are no rooms"
				return t.Why
			}),
			saga.Undo(func(t *trip) cancelHotel { return cancelHotel{t.about()} },
				saga.Done(func(*trip, event.Message[hotelCancelled]) {}))),
		saga.Step("car",
			saga.Send(func(t *trip) rentCar { return rentCar{t.about(), t.Company} }),
			saga.Done(func(*trip, event.Message[carRented]) {}),
			saga.Undo(func(t *trip) returnCar { return returnCar{t.about()} },
				saga.Done(func(*trip, event.Message[carReturned]) {}))).
			Within(patience).Attempts(2),
		saga.Step("confirm",
			saga.Send(func(t *trip) tripBooked { return tripBooked{t.about(), t.Seat} })),
	)
}

// agency takes requests for trips, and books them.
func agency(s *service.Service, patience time.Duration) {
	saga.Register(s, saga.Config{}, booking(patience))
	event.Publishes[tripRequested](s)
	s.Handle("POST /trips", func(w http.ResponseWriter, r *http.Request) error {
		var t tripRequested
		if err := service.ReadJSON(w, r, &t); err != nil {
			return err
		}
		if t.Trip == "" || t.Hotel == "" || t.Company == "" {
			return problem.BadRequest("want trip, hotel and company")
		}
		if err := s.Write(r.Context(), func(ctx context.Context, tx *store.Tx) error { return event.Publish(ctx, tx, t) }); err != nil {
			return err
		}
		return service.WriteJSON(w, http.StatusAccepted, t)
	})
}
