package event

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind says what a message means to its receiver.
type Kind uint8

// An event says what happened, to whoever cares. A command asks the one owner of
// its topic to do something.
const (
	KindEvent Kind = iota
	KindCommand
)

func (k Kind) String() string {
	if k == KindCommand {
		return "command"
	}
	return "event"
}

// Topic is where messages travel. It is part of a contract, because producers
// and consumers must agree on it.
type Topic struct {
	// Name is the Kafka topic: 1 to 249 letters, digits, dots, dashes or
	// underscores.
	Name string
	// Partitions is how many partitions the topic is created with on an external
	// broker; 0 means the broker connection's default. An existing topic is never
	// changed.
	Partitions int
	// Retention is how long records are kept; 0 means for ever, since services
	// build their state from the log.
	Retention time.Duration
}

// Contract identifies a message type on the wire. All fields are constants of
// the contract, never derived from Go names.
type Contract struct {
	// Type is the CloudEvents type, such as "shop.order.placed".
	Type string
	// Version is the major version of the body, 1 or more.
	Version int
	// Topic is where the message travels.
	Topic Topic
	// Kind is event (the zero value) or command.
	Kind Kind
}

// String returns the type and version, as in "shop.order.placed/1".
func (c Contract) String() string { return fmt.Sprintf("%s/%d", c.Type, c.Version) }

// Validate reports every fault of the contract at once.
func (c Contract) Validate() error {
	var errs []error
	if c.Type == "" || len(c.Type) > maxAttribute || strings.ContainsFunc(c.Type, notPrintable) {
		errs = append(errs, fmt.Errorf("type %q: want 1 to %d printable characters", c.Type, maxAttribute))
	}
	if c.Version < 1 {
		errs = append(errs, fmt.Errorf("version %d: want 1 or more", c.Version))
	}
	if !validTopic(c.Topic.Name) {
		errs = append(errs, fmt.Errorf("topic %q: want 1 to 249 letters, digits, dots, dashes or underscores", c.Topic.Name))
	}
	if c.Topic.Partitions < 0 || c.Topic.Partitions > 10_000 {
		errs = append(errs, fmt.Errorf("topic %s: %d partitions, want 0 to 10000", c.Topic.Name, c.Topic.Partitions))
	}
	if r := c.Topic.Retention; r != 0 && r < time.Millisecond { // Kafka would take it for none at all
		errs = append(errs, fmt.Errorf("topic %s: retention %v, want 0 (for ever) or at least 1ms", c.Topic.Name, r))
	}
	if c.Kind > KindCommand {
		errs = append(errs, fmt.Errorf("kind %d: want event or command", c.Kind))
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("contract %s: %w", c, errors.Join(errs...))
}

// Body is a message that can be published.
type Body interface {
	Typed
	// Key is the id of the aggregate that the message belongs to. Messages with
	// one key keep their order.
	Key() string
}

// Typed is a message that can be received: consumers may decode into a struct of
// their own, with just the fields that they need.
type Typed interface {
	Contract() Contract
}

func notPrintable(r rune) bool { return r <= ' ' || r == 0x7f }

// validTopic follows Kafka's own rule (org.apache.kafka.common.internals.Topic).
func validTopic(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) > 249 {
		return false
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	return !strings.ContainsFunc(name, func(r rune) bool { return !strings.ContainsRune(letters, r) })
}
