// Package service runs a service: it polls Kafka, runs the handlers, and commits
// positions, effects and outgoing events together; it serves HTTP, jobs and
// timers, and drains when it stops.
//
// # Guarantees
//
// The effects of a message in the service's database, what its handler publishes,
// and the jobs and timers it starts, happen exactly once, whatever crashes: the
// stored position is the truth, and lanes of numbered events let consumers drop
// what they have seen. Events of one key stay in order. A message whose handler
// fails is parked with those of its key behind it; other keys go on. Nothing is
// skipped silently: messages that cannot be decoded are parked as they are.
//
// Costs are paid per transaction, not per message: each transaction handles all
// that waits, at most Config.Batch records.
//
// # What it does not do
//
// It calls nothing outside from within a transaction: use package job. Consumers
// that are not built on this package see events at least once, and after a failed
// send out of order until they are sent again; the lane and seq headers let them
// do the same as this package does.
//
// # Concurrency
//
// Handlers of one service run one after another, on one goroutine. Write, Read,
// Status and the methods on parked records are safe for concurrent use. A batch
// that fails is run again, so handlers must have no effects beside their
// transaction.
//
// # Testing
//
// Use tuttitest: broker, services and clock in one process and in virtual time.
package service
