package kafka_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/kafkatest"
	"github.com/tutti-go/tutti/kafka"
)

// allow adds access rules for user guest.
func allow(t *testing.T, brokers []string, op kadm.ACLOperation, topics, groups []string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	rules := kadm.NewACLs().Allow("User:guest").AllowHosts().Operations(op).ResourcePatternType(kadm.ACLPatternLiteral)
	if len(topics) > 0 {
		rules.Topics(topics...)
	}
	if len(groups) > 0 {
		rules.Groups(groups...)
	}
	made, err := kadm.NewClient(client).CreateACLs(t.Context(), rules)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range made {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
}

// TestAccessOverKafka takes user guest, who may do nothing, from one missing right to the next.
// Each time the error says which, and how to give it.
func TestAccessOverKafka(t *testing.T) {
	real := kafkatest.NeedSecure(t)
	connect := func(cfg kafka.Config) *kafka.Bus {
		bus, err := kafka.Connect(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(bus.Close)
		return bus
	}
	guest := connect(kafka.Config{Brokers: real.SASL, TLS: kafka.TLS{CA: filepath.Join(real.Certs, "ca.pem")}, SASL: as(kafka.ScramSHA256, "guest")})
	owner := connect(kafka.Config{Brokers: real.Plain})
	suffix := kafkatest.Suffix()
	topic, group := event.Topic{Name: "access" + suffix}, "access"+suffix
	refused := func(what string, err error, want ...string) {
		t.Helper()
		if !errors.Is(err, kafka.ErrDenied) {
			t.Errorf("%s: %v, want ErrDenied", what, err)
			return
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v, want %q in it", what, err, w)
			}
		}
	}

	refused("make a topic", guest.EnsureTopics(t.Context(), []event.Topic{topic}),
		"user guest (SCRAM-SHA-256)", "operations Create and Describe on topic "+topic.Name, "by hand with 6 partitions and retention.ms=-1")
	if err := owner.EnsureTopics(t.Context(), []event.Topic{topic}); err != nil {
		t.Fatal(err)
	}
	refused("see a topic", guest.EnsureTopics(t.Context(), []event.Topic{topic}), "Describe on topic "+topic.Name)

	want := kafka.Access{Groups: []string{group}, Reads: []string{topic.Name}, Writes: []string{topic.Name}}
	rule := func(op, kind, name string) string {
		return "--add --allow-principal User:guest --operation " + op + " --" + kind + " " + name
	}
	refused("all", guest.CheckAccess(t.Context(), want), rule("Read", "topic", topic.Name), rule("Write", "topic", topic.Name), rule("Read", "group", group))
	allow(t, real.Plain, kadm.OpRead, []string{topic.Name}, nil)
	eventuallyNot(t, func() bool { return strings.Contains(guest.CheckAccess(t.Context(), want).Error(), "Read on topic") })
	refused("write, group", guest.CheckAccess(t.Context(), want), rule("Write", "topic", topic.Name), rule("Read", "group", group))
	if err := guest.EnsureTopics(t.Context(), []event.Topic{topic}); err != nil {
		t.Errorf("a topic that is there: %v", err)
	}
	_, err := guest.Bounds(t.Context(), group, []string{topic.Name})
	refused("offsets of a group", err, "fetch offsets of group "+group)
	m := fixture{t, guest, nil, topic.Name, group}.join("a", 0)
	_, err = m.Poll(t.Context(), 1)
	m.Kill()
	refused("join a group", err, "as group "+group)
	p, err := guest.Producer("guest")
	if err != nil {
		t.Fatal(err)
	}
	p.Send(t.Context(), event.Partition{Topic: topic.Name}, event.Record{Value: []byte("x")}, func(_ int64, err error) {
		if err == nil {
			t.Error("a record was written without the right to")
		}
	})
	if err := p.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	p.Close()

	allow(t, real.Plain, kadm.OpWrite, []string{topic.Name}, nil)
	allow(t, real.Plain, kadm.OpRead, nil, []string{group})
	eventuallyNot(t, func() bool { return guest.CheckAccess(t.Context(), want) != nil })
	f := fixture{t, guest, nil, topic.Name, group}
	f.send(0, 0, 3)
	m = f.join("a", 0)
	defer m.Close(context.Background())
	got := 0
	f.poll("3 records", func() bool { return got == 3 }, func(x kafka.Fetched) { got += len(x.Records) }, m)
}

// eventuallyNot waits until rules have reached the broker.
func eventuallyNot(t *testing.T, holds func() bool) {
	t.Helper()
	for holds() {
		if t.Context().Err() != nil {
			t.Fatal("access rules do not reach the broker")
		}
	}
}

// TestTooFewBrokersOverKafka asks for more copies than a cluster can keep.
func TestTooFewBrokersOverKafka(t *testing.T) {
	bus, err := kafka.Connect(t.Context(), kafka.Config{Brokers: kafkatest.Need(t), Replication: 5})
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	err = bus.EnsureTopics(t.Context(), []event.Topic{{Name: "many" + kafkatest.Suffix()}})
	if err == nil || !strings.Contains(err.Error(), "5 copies of each record are asked for") || !strings.Contains(err.Error(), "brokers are there") {
		t.Errorf("EnsureTopics() = %v, want how many brokers are missing", err)
	}
}
