package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tutti-go/tutti/internal/kafkatest"
)

// emptied returns the addresses of real Kafka, without the topics and groups that an
// earlier shop has left there.
func emptied(t *testing.T) string {
	t.Helper()
	addresses := kafkatest.Need(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(addresses...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	shops := func() (names []string) {
		topics, err := admin.ListTopics(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range topics.Names() {
			if strings.HasPrefix(name, "shop.") {
				names = append(names, name)
			}
		}
		return names
	}
	listed, err := admin.ListGroups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var groups []string
	for _, group := range listed.Groups() {
		if slices.Contains(names(), strings.TrimSuffix(group, ".sent")) {
			groups = append(groups, group)
		}
	}
	if len(groups) > 0 { // a cluster that never had one has nobody to ask
		if _, err := admin.DeleteGroups(t.Context(), groups...); err != nil {
			t.Fatal(err)
		}
	}
	for left := shops(); len(left) > 0; left = shops() { // Kafka deletes by and by
		if _, err := admin.DeleteTopics(t.Context(), left...); err != nil {
			t.Fatal(err)
		}
	}
	return strings.Join(addresses, ",")
}

// TestShopOverKafka runs the whole shop on real Kafka: orders of each style by HTTP, a
// stop and a start, and the check of what is stored.
func TestShopOverKafka(t *testing.T) {
	brokers, dir := emptied(t), t.TempDir()
	args := []string{"--data", dir, "--http", "127.0.0.1:0", "--brokers", brokers}
	s := startShop(t, args...)
	s.prepare()
	for _, s.style = range styles {
		s.order("now-"+s.style, "plenty", "tok_ok", "Galway")
		if got := s.settled("now-" + s.style); got != "confirmed" {
			t.Errorf("by %s the order is %s, want confirmed", s.style, got)
		}
		s.order("later-"+s.style, "plenty", "tok_down_3", "Galway")
	}
	s.stop()
	s = startShop(t, args...)
	for _, style := range styles {
		if got := s.settled("later-" + style); got != "confirmed" {
			t.Errorf("after the restart the order by %s is %s, want confirmed", style, got)
		}
	}
	s.stop()
	verified(t, "--data", dir, "--brokers", brokers)
}

// TestReplayOverKafka replays as many invoices as a month has on real Kafka, by both
// styles side by side, and ends as by choreography on the embedded broker.
func TestReplayOverKafka(t *testing.T) {
	brokers := emptied(t)
	args := []string{"replay", writeOrders(t, 1500), "--json", "--decline", "10"}
	want := fmt.Sprint(replayed(t, args...))
	dir := filepath.Join(t.TempDir(), "data")
	if got := fmt.Sprint(replayed(t, append(args, "--style", "mixed", "--brokers", brokers, "--data", dir)...)); got != want {
		t.Errorf("on Kafka the replay ends with\n%s, want\n%s", got, want)
	}
	verified(t, "--data", dir, "--brokers", brokers, "--settled")
}
