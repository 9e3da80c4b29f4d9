package service_test

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/admin"
	"github.com/tutti-go/tutti/service"
)

// TestTransactionsOfOthers: Kafka ends a transaction with a record that no client sees.
// A service is not behind because of it, and misses nothing when retention deletes it.
func TestTransactionsOfOthers(t *testing.T) {
	broker, bus := embedded(t)
	if err := bus.EnsureTopics(t.Context(), []event.Topic{madeTopic}); err != nil {
		t.Fatal(err)
	}
	producer, err := kgo.NewClient(kgo.SeedBrokers(broker.Addrs()...), kgo.DefaultProduceTopic(madeTopic.Name), kgo.TransactionalID("foreign"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(producer.Close)
	for n, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit, kgo.TryAbort} {
		if err := producer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		put(t, producer, made("a", n))
		if err := producer.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	fine := picky(func(Made) error { return nil })
	s, stop := start(t, bus, "picky", dir, service.Config{}, fine)
	eventually(t, s, "it has read all", func() bool {
		var lags admin.Lags
		ask(t, s, "GET", "/lag", nil, &lags)
		return len(lags.Lags) == 1 && lags.Lags[0].Lag == 0
	})
	if st := s.Status(); st.Handled != 2 || st.Unknown != 0 {
		t.Errorf("status is %+v, want two handled, and none unknown", st)
	}
	stop()
	for p, end := range broker.Ends([]string{madeTopic.Name}) {
		if err := broker.Truncate(p, end); err != nil {
			t.Fatal(err)
		}
	}
	s, _ = start(t, bus, "picky", dir, service.Config{}, fine)
	produce(t, bus, madeTopic, made("a", 9))
	eventually(t, s, "it goes on", func() bool { return fmt.Sprint(rows(t, s)) == "map[a0:1 a2:1 a9:1]" })
}
