// Package event is the envelope and the vocabulary that services share: what an
// event is called, how it travels, and how handlers and publishers are typed.
//
// An event is a Go struct whose [Contract] fixes its wire name, version, topic
// and kind as constants; nothing is ever derived from a Go name. It travels as a
// CloudEvents 1.0 message in Kafka's binary mode (structured mode is read too),
// keyed by the id of the aggregate it belongs to, so the events of one aggregate
// stay in order.
//
// A service binds handlers with [On] and [OnBatch], says what it publishes with
// [Publishes], and publishes inside its transaction with [Publish]. The type
// parameters are inferred from the handler.
//
// # Guarantees
//
// [Encode] and [Decode] are inverse for every valid envelope. Decode never
// panics, whatever bytes it is given. An error that a handler returns is an
// outcome: [Reject] sends the message to the dead letters at once, [Later] asks
// for it again after a delay, and any other error is retried with back-off.
//
// # What it does not do
//
// It knows no broker, no database and no loop; packages kafka, store and service
// do. It imports nothing of this module.
//
// # Concurrency
//
// Everything here is a value or a pure function and safe for concurrent use.
//
// # Testing
//
// Package tuttitest runs handlers against a broker in virtual time. A handler is
// a plain function and can be called directly with a [Message].
package event
