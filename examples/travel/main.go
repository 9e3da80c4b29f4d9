// Command travel books trips by a saga: a flight, then a hotel, then a car. Where one
// cannot be had, what was booked before is cancelled, the last first.
//
//	go run ./examples/travel
//
// runs three trips and tells what happens: one works, one finds its hotel full, and for
// one the car company does not answer in time. It needs nothing but Go: a broker and five
// services run in the process, with their data in a temporary directory.
//
// What to look at:
//
//   - agency.go: the saga, as the business would tell it. [booking] is all there is of it;
//     state, timeouts, retries and cancellations are the engine's.
//   - flights.go, hotels.go, cars.go: services that do what they are asked, each with a
//     table of its own. None knows of trips, of the saga, or of the others.
//   - narrator.go: a service that nobody knows of. It hears what the others say, and keeps
//     the story of each trip.
//   - messages.go: all that they share.
//   - main_test.go: a crash of the agency at any moment, in virtual time.
//
// The same program also stays, to be asked by you, and runs as several processes:
//
//	go run ./examples/travel --data data --http :8080 --services agency,flights,hotels,cars,narrator
//	curl localhost:8080/trips -d '{"trip": "t1", "hotel": "Grand", "company": "Swift"}'
//	curl localhost:8080/trips/t1
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tutti-go/tutti/service"
)

func main() { program().Main() }

// program is an agency, those that it asks, and one that listens. They meet in Kafka only:
//
//	                 bookFlight, cancelFlight      flightBooked, flightCancelled
//	tripRequested ─► agency ───────────────► flights ─────────────────────────► agency
//	                 bookHotel, cancelHotel        hotelBooked, hotelFull, hotelCancelled
//	                        ───────────────► hotels  ─────────────────────────►
//	                 rentCar, returnCar            carRented, carReturned
//	                        ───────────────► cars    ─────────────────────────► ─► tripBooked | tripGivenUp
func program() service.Program {
	flags := flag.NewFlagSet("travel", flag.ContinueOnError)
	patience := flags.Duration("patience", time.Second, "give up a car company that does not answer in this `TIME`, twice")
	return service.Program{
		Name: "travel", Flags: flags, Demo: demo,
		Services: []service.Member{
			{Name: "agency", Register: func(s *service.Service) { agency(s, *patience) }},
			{Name: "flights", Register: flights},
			{Name: "hotels", Register: hotels},
			{Name: "cars", Register: cars},
			{Name: "narrator", Register: narrator},
		},
	}
}

// demo is a customer of the agency, who uses nothing but its routes.
func demo(ctx context.Context, r *service.Running) error {
	var outcomes strings.Builder
	for _, t := range []tripRequested{
		{about{"alice"}, "Grand", "Swift"},
		{about{"bob"}, "Full", "Swift"},     // it has no rooms
		{about{"carol"}, "Grand", "Sleepy"}, // it answers after an hour
	} {
		fmt.Fprintf(r.Out, "\n%s wants a flight, a room in the %s hotel, and a car of %s\n", t.Trip, t.Hotel, t.Company)
		if err := call(http.MethodPost, r.URL+"/trips", t, &t); err != nil {
			return err
		}
		var so story
		for told := 0; !so.Over; time.Sleep(20 * time.Millisecond) {
			if err := errors.Join(ctx.Err(), call(http.MethodGet, r.URL+"/trips/"+t.Trip, nil, &so)); err != nil {
				return err
			}
			for ; told < len(so.Lines); told++ {
				fmt.Fprintf(r.Out, "  %s\n", so.Lines[told])
			}
		}
		fmt.Fprintf(&outcomes, "  %-8s%s\n", t.Trip, so.Outcome)
	}
	fmt.Fprintf(r.Out, "\nHow it ended\n%s", &outcomes)
	return nil
}

// call sends a request and decodes its answer.
func call(method, url string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, url, bytes.NewReader(text))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: %s", method, url, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}
