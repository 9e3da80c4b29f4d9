// Package dispatch holds a benchmark: what the framework adds to an event on its way
// from Kafka's client to a handler.
package dispatch
