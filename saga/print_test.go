package saga_test

import "fmt"

// The process that a trip is, for those who have to agree to it.
func ExampleDefinition_String() {
	fmt.Print(booking())
	// Output:
	// trip/1
	// started by trip.wanted/1
	//
	// 1. flight: send flight.book/1, wait for flight.taken/1
	//    within 1m, at most 3 times, then it is given up
	//    undo: send flight.drop/1, wait for flight.free/1
	//      within 1m, at most 10 times, then a person is needed
	// 2. hotel: send hotel.book/1, wait for hotel.taken/1
	//    fails with hotel.full/1
	//    within 1m, at most 3 times, then it is given up
	//    nothing to undo
}

// The same as a flowchart, for a page in Markdown.
func ExampleDefinition_Mermaid() {
	fmt.Print(booking().Mermaid())
	// Output:
	// flowchart TD
	//   start(["started by trip.wanted/1"])
	//   n1["flight<br/>flight.book/1"]
	//   n2["undo flight<br/>flight.drop/1"]
	//   n1 -.-> n2
	//   start --> n1
	//   n3["hotel<br/>hotel.book/1"]
	//   n1 --> n3
	//   done(["completed"])
	//   n3 --> done
	//   back(["what was done is undone, in reverse order"])
	//   n3 -. "hotel.full/1" .-> back
}
