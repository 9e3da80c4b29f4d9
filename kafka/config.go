package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// Config says how to reach a cluster. Brokers is required; the zero value of the
// rest is the documented default.
type Config struct {
	// Brokers are the addresses to start from, as host:port.
	Brokers []string
	// TLS encrypts connections; default: plaintext.
	TLS TLS
	// SASL says who we are; default: nobody.
	SASL SASL
	// Partitions is how many partitions a topic gets whose contract names none;
	// default 6, and 1 on an embedded broker, which syncs each partition by itself.
	Partitions int
	// Replication is how many brokers keep each record of the topics that we create;
	// default: 3 on a cluster of three brokers or more, else the cluster's own.
	Replication int
	// MinInSync is how many brokers must have a record before it counts as written
	// (min.insync.replicas of the topics that we create). Default: one less than
	// Replication, so that one broker may be away, and at least 1; where Replication is
	// left to the cluster, so is this.
	MinInSync int
	// FetchWait is how long a broker may hold a request for records back if it has
	// none; default 500 ms.
	FetchWait time.Duration
	// Heartbeat is how often a member of a group says that it is there; one that has
	// not for 7.5 times as long is replaced. Default 2 s; longer ones are for tests in
	// virtual time, in which months pass.
	Heartbeat time.Duration
	// Dial replaces the network, for tests.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Timeout is how long Connect and topic creation try; default 30 s.
	Timeout time.Duration
	// Logger defaults to slog.Default.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	c.FetchWait = cmp.Or(c.FetchWait, 500*time.Millisecond)
	c.Heartbeat = cmp.Or(c.Heartbeat, 2*time.Second)
	c.Timeout = cmp.Or(c.Timeout, 30*time.Second)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.MinInSync == 0 && c.Replication > 0 {
		c.MinInSync = max(c.Replication-1, 1)
	}
	return c
}

// Bounds of settings, wide enough for any cluster.
const (
	maxPartitions  = 10_000
	maxReplication = 100
)

// Validate reports all faults at once. Connect does so too.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(len(c.Brokers) > 0, "Brokers is empty, want host:port")
	for _, b := range c.Brokers {
		check(isAddress(b), "Brokers has %q, want host:port", b)
	}
	check(c.Partitions >= 0 && c.Partitions <= maxPartitions, "Partitions is %d, want 0 to %d", c.Partitions, maxPartitions)
	check(c.Replication >= 0 && c.Replication <= maxReplication, "Replication is %d, want 0 to %d", c.Replication, maxReplication)
	check(c.MinInSync >= 0, "MinInSync is %d, want 0 or more", c.MinInSync)
	check(c.MinInSync == 0 || c.Replication > 0, "MinInSync is %d, but Replication, of which it is a part, is not given", c.MinInSync)
	check(c.MinInSync <= c.Replication || c.Replication <= 0, "MinInSync is %d, want at most Replication, which is %d", c.MinInSync, c.Replication)
	check(c.FetchWait >= 0, "FetchWait is %v, want 0 or more", c.FetchWait)
	check(c.Heartbeat >= 0, "Heartbeat is %v, want 0 or more", c.Heartbeat)
	check(c.Timeout >= 0, "Timeout is %v, want 0 or more", c.Timeout)
	if _, err := c.TLS.config(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(append(errs, c.SASL.validate())...)
}

func isAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err != nil || port == "" {
		return false
	}
	_, err = net.LookupPort("tcp", port)
	return err == nil
}
