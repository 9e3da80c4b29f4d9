// Package load drives a system with orders and measures how fast it confirms them.
// All programs that are compared share it, so that they are compared by the same
// rule. It is a module of its own, without dependencies, so that the programs share
// nothing else.
//
// In a closed loop ([Plan].InFlight) that many orders are under way at any time: an
// order that ends is followed by the next. The rate is of the orders that ended
// within the measured time; what is under way before and after it does not count.
//
// In an open loop ([Plan].Rate) orders begin at fixed times, whatever became of
// those before. Latency is from the time at which an order was to begin, so a
// system that falls behind cannot hide it.
//
// # Guarantees
//
// A measurement ends: what is still under way [Patience] after its end is counted
// as failed.
//
// # Concurrency
//
// Orders are placed from many goroutines at once.
package load
