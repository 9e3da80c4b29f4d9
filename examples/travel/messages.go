package main

import "github.com/tutti-go/tutti/event"

// What the services say to each other. In life each service has a package for its
// contracts, which the others import; here they are in one file.

// about is the trip that a message belongs to. It is the key of all messages, so those
// of one trip stay in order.
type about struct {
	Trip string `json:"trip"`
}

func (a about) Key() string { return a.Trip }

// What is said of trips.
type (
	tripRequested struct {
		about
		Hotel   string `json:"hotel"`
		Company string `json:"company"` // of the car
	}
	tripBooked struct {
		about
		Seat int64 `json:"seat"`
	}
	tripGivenUp struct {
		about
		Why string `json:"why"`
	}
)

// What flights are asked, and say.
type (
	bookFlight   struct{ about }
	cancelFlight struct{ about }
	flightBooked struct {
		about
		Seat int64 `json:"seat"`
	}
	flightCancelled struct{ about }
)

// What hotels are asked, and say.
type (
	bookHotel struct {
		about
		Hotel string `json:"hotel"`
	}
	cancelHotel    struct{ about }
	hotelBooked    struct{ about }
	hotelFull      struct{ about }
	hotelCancelled struct{ about }
)

// What cars are asked, and say.
type (
	rentCar struct {
		about
		Company string `json:"company"`
	}
	returnCar   struct{ about }
	carRented   struct{ about }
	carReturned struct{ about }
)

func (tripRequested) Contract() event.Contract   { return says("trip", "requested") }
func (tripBooked) Contract() event.Contract      { return says("trip", "booked") }
func (tripGivenUp) Contract() event.Contract     { return says("trip", "given-up") }
func (bookFlight) Contract() event.Contract      { return asks("flight", "book") }
func (cancelFlight) Contract() event.Contract    { return asks("flight", "cancel") }
func (flightBooked) Contract() event.Contract    { return says("flight", "booked") }
func (flightCancelled) Contract() event.Contract { return says("flight", "cancelled") }
func (bookHotel) Contract() event.Contract       { return asks("hotel", "book") }
func (cancelHotel) Contract() event.Contract     { return asks("hotel", "cancel") }
func (hotelBooked) Contract() event.Contract     { return says("hotel", "booked") }
func (hotelFull) Contract() event.Contract       { return says("hotel", "full") }
func (hotelCancelled) Contract() event.Contract  { return says("hotel", "cancelled") }
func (rentCar) Contract() event.Contract         { return asks("car", "rent") }
func (returnCar) Contract() event.Contract       { return asks("car", "return") }
func (carRented) Contract() event.Contract       { return says("car", "rented") }
func (carReturned) Contract() event.Contract     { return says("car", "returned") }

// says is the contract of an event: it travels in the topic of what it is about.
func says(what, happened string) event.Contract {
	return event.Contract{Type: "travel." + what + "." + happened, Version: 1, Topic: event.Topic{Name: "travel." + what}}
}

// asks is the contract of a command: its topic is that of the one service that obeys.
func asks(what, todo string) event.Contract {
	return event.Contract{Type: "travel." + what + "." + todo, Version: 1, Topic: event.Topic{Name: "travel." + what + ".command"}, Kind: event.KindCommand}
}
