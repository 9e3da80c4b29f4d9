// Package job lets handlers have work done outside their transaction, and be
// called at a time: charge a card, book a carrier, cancel unless paid in 30
// minutes.
//
// [Start] records a job in the transaction. After the commit it runs on workers,
// with a concurrency limit, a timeout and retries of its own; its result comes
// back as the input of a handler in a later transaction. [At] records a timer the
// same way, and [Cancel] takes a job or timer back. Both are durable, survive
// restarts and move with virtual time in tests.
//
// # Guarantees
//
// A job runs at least once, with an id that is stable over retries and crashes:
// pass it to the other side as the idempotency key. The handler of its result has
// its effects exactly once. A job is added once per kind and id, as long as it is
// there; a cancelled job's handler is not called.
//
// # What it does not do
//
// It does not call anything: the function given to [Handle] does. It keeps no
// history of jobs that are done.
//
// # Concurrency
//
// Functions that do the work run on many goroutines at once. Handlers of results
// and timers run one after another, in the service's transactions.
//
// # Testing
//
// In tuttitest jobs and timers run in virtual time.
package job
