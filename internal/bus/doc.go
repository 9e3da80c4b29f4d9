// Package bus is how our commands are told of the bus: which Kafka, how to get in,
// and how the topics that they create are laid out.
package bus
