// Package kafka is the bus: the connection to a Kafka cluster, the consumers and
// producers of services, and a broker to embed. It is the only importer of
// franz-go.
//
// [Embed] runs a Kafka-compatible broker in this process, with its data in a
// directory and every write synced to disk. [Connect] connects to it, or to Apache
// Kafka, by the same settings. Topics are always created explicitly, never by a
// client that happens to name one.
//
// # Guarantees
//
// A record that [Producer.Send] reports as sent is acknowledged by all in-sync
// replicas. Records go to the partition that every Kafka client would choose for
// their key (murmur2). A directory of an embedded broker is opened by one process
// at a time.
//
// # What it does not do
//
// It keeps no positions: a consumer starts where it is told, and the offsets
// committed to Kafka are for monitoring. A failed send is not repeated in order;
// package service does that.
//
// # Concurrency
//
// A [Bus] and a [Producer] are safe for concurrent use. A [Consumer] is polled by
// one goroutine.
//
// # Testing
//
// Give [Embed] and [Connect] a [Network], and all runs in one process without
// sockets, in virtual time under testing/synctest.
package kafka
