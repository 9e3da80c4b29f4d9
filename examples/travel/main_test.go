package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/tuttitest"
)

// Three trips, one of each kind.
var (
	alice = tripRequested{about{"alice"}, "Grand", "Swift"}
	bob   = tripRequested{about{"bob"}, "Full", "Swift"}
	carol = tripRequested{about{"carol"}, "Grand", "Sleepy"}
)

// open starts all services. cfg is the agency's.
func open(w *tuttitest.World, cfg service.Config) {
	for _, m := range program().Services {
		if m.Name != "agency" {
			cfg = service.Config{}
		}
		w.Start(m.Name, m.Register, cfg)
	}
}

// flow lists the types of a trip's messages, each before those that it led to.
func flow(w *tuttitest.World, trip string) string {
	after := map[string][]tuttitest.Event{}
	for _, e := range w.Events() {
		if e.Key == trip {
			after[e.CausationID] = append(after[e.CausationID], e)
		}
	}
	var types []string
	var walk func(cause string)
	walk = func(cause string) {
		for _, e := range after[cause] {
			types = append(types, strings.TrimPrefix(e.Type, "travel."))
			walk(e.ID)
		}
	}
	walk("")
	return strings.Join(types, " ")
}

func TestTrips(t *testing.T) {
	t.Parallel()
	tuttitest.Run(t, func(w *tuttitest.World) {
		open(w, service.Config{})
		w.Publish(alice, bob, carol)
		w.Quiet()
		for trip, want := range map[string]string{
			"alice": "trip.requested flight.book flight.booked hotel.book hotel.booked car.rent car.rented trip.booked",
			"bob":   "trip.requested flight.book flight.booked hotel.book hotel.full flight.cancel flight.cancelled trip.given-up",
			"carol": "trip.requested flight.book flight.booked hotel.book hotel.booked car.rent car.rent " +
				"car.return car.returned hotel.cancel hotel.cancelled flight.cancel flight.cancelled trip.given-up",
		} {
			if got := flow(w, trip); got != want {
				w.T().Errorf("%s's messages are\n%s, want\n%s", trip, got, want)
			}
		}
		w.Expect(tripGivenUp{about{"bob"}, "there are no rooms"}, tripGivenUp{about{"carol"}, "car: no answer within 1s"})
		w.Sleep(2 * time.Hour) // the company answers to nobody
		settled(w, "alice")
	})
}

// A trip that is cancelled is not said to be one that nobody answered to.
func TestCancelled(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("agency", program().Services[0].Register)
		w.Publish(alice)
		w.Sleep(time.Second) // and not for as long as a flight has to answer
		cancel(w, "alice", "she is ill")
		for _, m := range program().Services[1:] {
			w.Start(m.Name, m.Register)
		}
		w.Quiet()
		w.Expect(tripGivenUp{about{"alice"}, "she is ill"})
		settled(w)
	})
}

// cancel does what "tutti sagas cancel" does.
func cancel(w *tuttitest.World, trip, note string) {
	w.T().Helper()
	body := fmt.Sprintf(`{"refs": [{"kind": "travel.booking", "id": %q}], "by": "ann", "note": %q}`, trip, note)
	r := httptest.NewRequestWithContext(w.T().Context(), http.MethodPost, "http://127.0.0.1:9090/services/agency/sagas/cancel", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	w.Service("agency").Admin().ServeHTTP(rec, r)
	if !strings.Contains(rec.Body.String(), `"done":true`) {
		w.T().Errorf("to cancel %s is answered with %d %s", trip, rec.Code, rec.Body)
	}
}

// settled fails the test unless the trips of some, and no others, have all three.
func settled(w *tuttitest.World, booked ...string) {
	w.T().Helper()
	w.Quiet()
	for service, table := range map[string]string{"flights": "seats", "hotels": "bookings", "cars": "rentals"} {
		if got := w.Query(service, `SELECT trip FROM `+table+` ORDER BY trip`); !slices.Equal(got, booked) {
			w.T().Errorf("%s of %v are booked, want those of %v", table, got, booked)
		}
	}
}

// ended counts how each trip ended.
func ended(w *tuttitest.World) []string {
	return w.Query("narrator", `SELECT trip, type, COUNT(*) FROM story WHERE type IN ('travel.trip.booked', 'travel.trip.given-up') GROUP BY trip, type ORDER BY trip`)
}

// The agency may die at any moment. We try every sixth, or all where CI asks for many
// seeds.
func TestAgencyCrashesAnywhere(t *testing.T) {
	t.Parallel()
	step := int64(6)
	if os.Getenv("TUTTI_SEEDS") != "" && !testing.Short() {
		step = 1
	}
	moment, more := int64(1), true
	for ; more; moment += step {
		t.Run(fmt.Sprint(moment), func(t *testing.T) {
			tuttitest.Run(t, func(w *tuttitest.World) {
				var calls atomic.Int64
				open(w, service.Config{Fault: func(p service.Point) error {
					if calls.Add(1) == moment {
						return service.ErrCrash
					}
					return nil
				}})
				w.Publish(alice, bob, carol)
				w.ExpectEnd("agency")
				w.Sleep(5 * time.Second) // carol's car is given up after 3
				if more = calls.Load() >= moment; more {
					_ = w.AwaitEnd("agency") // with ErrCrash
					w.Restart("agency")
				}
				w.Quiet()
				want := []string{"alice|travel.trip.booked|1", "bob|travel.trip.given-up|1", "carol|travel.trip.given-up|1"}
				if got := ended(w); !slices.Equal(got, want) {
					w.T().Errorf("trips ended as %q, want %q", got, want)
				}
				settled(w, "alice")
			})
		})
	}
}

// Whatever happens to services, network and broker, a trip is booked as a whole or not
// at all.
func TestTripsAreWholeOrNot(t *testing.T) {
	tuttitest.Seeds(t, 5, func(w *tuttitest.World) {
		open(w, service.Config{})
		w.Chaos(tuttitest.Chaos{})
		const trips = 10
		for n := range trips {
			trip := []tripRequested{alice, bob, carol}[n%3]
			trip.Trip = fmt.Sprintf("%s-%02d", trip.Trip, n)
			for !request(w, trip) { // the same trip again is the same trip
				w.Sleep(time.Second)
			}
			w.Sleep(time.Second)
		}
		w.Quiet()
		ends := ended(w)
		if len(ends) != trips {
			w.T().Errorf("%d of %d trips ended: %q", len(ends), trips, ends)
		}
		var booked []string
		for _, e := range ends {
			if trip, how, _ := strings.Cut(e, "|"); how == "travel.trip.booked|1" {
				booked = append(booked, trip)
			} else if how != "travel.trip.given-up|1" {
				w.T().Errorf("a trip ended as %s, want once and in one way", e)
			}
		}
		settled(w, booked...)
	})
}

// request asks the agency for a trip, and reports whether that is accepted.
func request(w *tuttitest.World, t tripRequested) bool {
	body := fmt.Sprintf(`{"trip": %q, "hotel": %q, "company": %q}`, t.Trip, t.Hotel, t.Company)
	resp, err := w.HTTP("agency").Post("http://agency/trips", "application/json", strings.NewReader(body))
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusAccepted
}

// All that the saga asks is handled by somebody, and somebody says all that it waits for.
func TestSomebodyAnswers(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		open(w, service.Config{})
		var services []*service.Service
		for _, m := range program().Services {
			services = append(services, w.Service(m.Name))
		}
		if err := saga.CheckAnswers(services, booking(time.Second)); err != nil {
			w.T().Error(err)
		}
	})
}

func TestProgram(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := program().Run(ctx, []string{"--patience", "2s"}, func(string) string { return "" }, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	const want = `
How it ended
  alice   booked, in seat 1
  bob     given up: there are no rooms
  carol   given up: car: no answer within 2s
`
	if !strings.HasSuffix(out.String(), want) {
		t.Errorf("the program says\n%s, want at its end%s", &out, want)
	}
}
