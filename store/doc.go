// Package store is a service's own database: its transactions, and the
// bookkeeping that makes effects exactly-once.
//
// In one transaction ([Tx]) handlers run with plain SQL, positions move, and
// outgoing messages are appended to the outbox. Positions are the truth about
// what was consumed, and a fence: an instance that has been replaced cannot
// commit. Every outgoing message is numbered in the lane of the instance that
// writes it, densely within each topic and partition, so that consumers tell
// duplicates and gaps from what is next.
//
// SQLite is built in (pure Go, write-ahead log, every commit synced to disk); one
// process at a time may have a SQLite database open. A PostgreSQL database is shared
// by any number of instances, each with a lane of its own; those that are gone are
// replaced by the others ([Store.AdoptLane]).
//
// # Guarantees
//
// What a transaction wrote, its positions, messages, jobs and timers are there
// together after a crash at any moment, or none of them. Statements of handlers
// use $1, $2, … on every database. Bookkeeping is a few rows a transaction and
// does not grow with the number of messages, except for foreign messages, whose
// ids are kept until [Tx.ForgetForeign].
//
// # What it does not do
//
// It sends nothing: package service hands committed messages to Kafka. It maps no
// objects.
//
// # Concurrency
//
// One write transaction at a time in a store; Begin waits. Where several instances
// share a database, a transaction that gets in the way of another's fails with
// [ErrConflict], and is to be run again. Reads through [Store.Reader] go on
// beside it and see the last commit. A [Tx] belongs to one goroutine.
//
// # Testing
//
// The conformance suite in this package runs over every kind of database. Use
// tuttitest for services.
package store
