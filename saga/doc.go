// Package saga directs services through a business process: a definition says the
// steps, what undoes them, and how long each may take; the engine sends the commands,
// follows the replies, and compensates what was done where the process cannot go on.
//
// A definition is declared in Go, typed by the state of the process, and reads as the
// business would tell it:
//
//	saga.Define("trip.booking", 1,
//		saga.StartedBy(func(t *trip, m event.Message[tripv1.Requested]) { … }),
//		saga.Step("flight", saga.Send(bookFlight), saga.Done(flightBooked), saga.Failed(noFlight),
//			saga.Undo(cancelFlight, saga.Done(flightCancelled))),
//		saga.Step("hotel", …).Within(time.Minute).Attempts(3),
//	)
//
// [Register] makes a service direct it. Beside [Step] there are [Parallel], [If],
// [While], [Sub], [Wait] for an event, [Decide] by a person, [Sleep], and [Fail].
// [Definition.String] and [Definition.Mermaid] draw a definition, and [Define] panics
// where it cannot be right: [Definition.Check] says what is looked for.
//
// # Guarantees
//
// The state of an instance, what it sends, its timer and its history are stored in the
// transaction that moves the position over the message that led to them, so each has
// its effect exactly once, whatever crashes. An instance is its saga's name and a key;
// a second start of the same instance has no effect.
//
// A reply is matched with what the instance waits for, by its contract. A reply that
// nothing waits for is recorded in the instance's history as late, as a duplicate or as
// unexpected, and changes nothing else. An event that a [Wait] is for, or that cancels,
// is kept until the instance gets there, also before the instance starts.
//
// A step that is not answered is asked for again, then given up; its outcome is then
// unknown, and it is undone with the others. So commands must tolerate to come twice,
// and an undo must tolerate that there is nothing to undo. Commands of one instance to
// one topic keep their order, so an undo never overtakes what it undoes.
//
// Compensation goes in reverse order, and side by side where the steps were; what does
// not succeed is retried with back-off, and then stands as stuck until a person retries
// or skips it. After a pivot step nothing is undone any more: what follows is retried,
// or stuck.
//
// # What it does not do
//
// It calls nothing: work that takes time or reaches outside belongs to the services
// that the commands are for. It isolates no data: other processes see what steps have
// done before the saga ends.
//
// # Concurrency
//
// The functions of a definition run on the service's loop, one at a time, and must have
// no effects but on the state they are given. Several instances of the service share
// the work; one that dies is taken over by the others. A definition may be registered
// in any number of services. The methods of [Engine] may be called by any number of
// goroutines.
//
// # Testing
//
// Use tuttitest: a wait of 30 days takes milliseconds.
package saga
