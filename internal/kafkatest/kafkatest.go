// Package kafkatest tells tests where real Kafka is, by the variables that
// scripts/kafka writes to DIR/env. Without them, tests that need it are skipped;
// where CI=true, they fail. They have OverKafka in their names, by which .ci/kafka
// runs them and no others: a test without it fails.
package kafkatest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tutti-go/tutti/kafka"
)

// The variables.
const (
	PlainVar = "TUTTI_KAFKA"       // addresses of plaintext listeners, host:port,…
	SASLVar  = "TUTTI_KAFKA_SASL"  // of those with TLS and SASL
	TLSVar   = "TUTTI_KAFKA_TLS"   // of those that want a client's certificate
	CertsVar = "TUTTI_KAFKA_CERTS" // directory of ca.pem, tutti.pem and tutti.key
)

// Given returns the addresses of real Kafka, or nil where there is none.
func Given() []string { return list(PlainVar) }

func list(name string) []string {
	if os.Getenv(name) == "" {
		return nil
	}
	return strings.Split(os.Getenv(name), ",")
}

// Need returns the addresses of real Kafka. Without it, the test is skipped, or
// fails in CI.
func Need(t testing.TB) []string {
	t.Helper()
	return need(t, PlainVar)
}

func need(t testing.TB, name string) []string {
	t.Helper()
	named(t)
	addresses := list(name)
	if addresses == nil {
		Absent(t, "%s is not set: start Kafka with scripts/kafka start --secure, which says where it is", name)
	}
	return addresses
}

// mark is what the names of tests that need real Kafka contain.
const mark = "OverKafka"

// named fails a test that .ci/kafka would not run.
func named(t testing.TB) {
	t.Helper()
	if name, _, _ := strings.Cut(t.Name(), "/"); !strings.Contains(name, mark) {
		t.Fatalf("%s needs real Kafka: put %s into its name, or .ci/kafka does not run it", name, mark)
	}
}

// Absent skips a test that needs what is not there, or fails it in CI.
func Absent(t testing.TB, format string, args ...any) {
	t.Helper()
	named(t)
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// Secure is real Kafka with TLS and SASL, as scripts/kafka start --secure has it.
type Secure struct {
	Plain, SASL, TLS []string
	Certs            string // directory
}

// NeedSecure is like Need.
func NeedSecure(t testing.TB) Secure {
	t.Helper()
	return Secure{Plain: need(t, PlainVar), SASL: need(t, SASLVar), TLS: need(t, TLSVar), Certs: need(t, CertsVar)[0]}
}

var names atomic.Int64

// Suffix returns an end of names that no other test or run has: topics and groups
// outlast both.
func Suffix() string {
	return fmt.Sprintf(".%s-%d", strconv.FormatInt(time.Now().UnixNano(), 36), names.Add(1))
}

// Each runs a test over an embedded broker and over real Kafka. For the embedded one,
// broker is set.
func Each(t *testing.T, test func(t *testing.T, addresses []string, broker *kafka.Broker)) {
	t.Run("embedded", func(t *testing.T) {
		broker, err := kafka.Embed(kafka.BrokerConfig{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := broker.Close(); err != nil {
				t.Error(err)
			}
		})
		test(t, broker.Addrs(), broker)
	})
	t.Run("real", func(t *testing.T) { test(t, Need(t), nil) })
}
