// Package interop tests that programs which are not built on this framework take part:
// kcat, Java's kafka-clients and Python's confluent-kafka read our events and write
// events to us, in CloudEvents' binary and structured mode. It has no code.
//
// The clients are installed by .ci/kafka. A test whose client is absent is skipped, and
// fails where CI=true.
package interop
