// Package rig runs services of the framework on a broker for a measurement, and reads
// in the log which orders have ended.
//
// # Guarantees
//
// [Rig.Run] returns once a service is ready, and [Rig.Watch] begins at the end that the
// log has when it is called: an order that is placed later is not missed. What ends by
// itself is reported by [Rig.Close].
//
// # What it does not do
//
// It does not restart what has ended: the orders that wait for it fail, and the result
// says so.
//
// # Concurrency
//
// A rig is set up by one goroutine. Then Waiting and Count may be used by any number.
package rig
