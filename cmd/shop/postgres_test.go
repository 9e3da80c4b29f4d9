package main

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tutti-go/tutti/tuttitest"
)

// TestShopOverPostgres runs the whole shop in one database, a schema for each
// service: orders by HTTP, a kill and a start, and the check of what is stored.
func TestShopOverPostgres(t *testing.T) {
	args := []string{"--data", t.TempDir(), "--database", tuttitest.Postgres(t)}
	s := startShop(t, append(args, "--http", "127.0.0.1:0")...)
	if got := s.outcomes(); !maps.Equal(got, wantOutcomes) {
		t.Errorf("orders ended as %v, want %v", got, wantOutcomes)
	}
	s.order("late", "plenty", "tok_down_3", "Galway")
	running := start(t, "shop", append([]string{"verify"}, args...)...)
	if code := running.wait(); code == 0 || !strings.Contains(running.stderr.String(), "the shop is running") {
		t.Errorf("shop verify of a running shop ended with %d: %s", code, running.stderr.String())
	}
	s.kill()
	s = startShop(t, append(args, "--http", "127.0.0.1:0")...)
	if got := s.settled("late"); got != "confirmed" {
		t.Errorf("after a kill the order is %s, want confirmed", got)
	}
	s.stop()
	verified(t, args...) // a mail may be under way
}

// TestReplayOverPostgres replays orders by both styles side by side, and ends as by
// choreography on SQLite.
func TestReplayOverPostgres(t *testing.T) {
	t.Parallel()
	database := tuttitest.Postgres(t)
	args := []string{"replay", writeOrders(t, 300), "--json", "--decline", "10"}
	want := fmt.Sprint(replayed(t, args...))
	if got := fmt.Sprint(replayed(t, append(args, "--style", "mixed", "--database", database, "--data", t.TempDir())...)); got != want {
		t.Errorf("on PostgreSQL the replay ends with\n%s, want\n%s", got, want)
	}
}

// TestTwoShopsOverPostgres runs all services twice on one database and one broker.
// One process is killed, the other finishes everything; then that is frozen until it
// has been replaced, and wakes up.
func TestTwoShopsOverPostgres(t *testing.T) {
	dir := t.TempDir()
	broker := start(t, "tutti", "broker", "--data", dir, "--port", "0")
	address, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(broker.line()), "broker "), ",")
	common := []string{"--data", dir, "--database", tuttitest.Postgres(t), "--brokers", address}
	args := append(common, "--partitions", "4", "--http", "127.0.0.1:0")
	one, two := startShop(t, args...), startShop(t, args...)
	one.prepare()
	one.must("POST", "/stock/plenty/receipts", "more", map[string]any{"quantity": 10_000})
	var acknowledged []string
	place := func(s *site, from, to int) {
		for n := from; n < to; n++ {
			id := fmt.Sprintf("o-%d", n)
			s.style = styles[n%len(styles)]
			if s.order(id, "plenty", "tok_down_1", "Galway").status < http.StatusMultipleChoices {
				acknowledged = append(acknowledged, id)
			}
		}
	}
	settled := func(s *site) {
		t.Helper()
		for _, id := range acknowledged {
			if got := s.settled(id); got != "confirmed" {
				t.Errorf("order %s is %s, want confirmed", id, got)
			}
		}
	}
	place(one, 0, 20)
	place(two, 20, 60)
	two.kill() // with orders of its own under way
	place(one, 60, 80)
	settled(one)
	if len(acknowledged) < 60 {
		t.Errorf("%d orders were acknowledged, want most of 80", len(acknowledged))
	}

	two = startShop(t, args...)
	place(one, 80, 100)
	if err := one.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	place(two, 100, 120)
	settled(two)
	if err := one.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if code := one.wait(); code == 0 || !strings.Contains(one.stderr.String(), "another instance has taken over") {
		t.Errorf("the process that was frozen ended with %d, want an error that says why", code)
	}
	place(two, 120, 130)
	settled(two)
	time.Sleep(time.Second) // mails may be under way; Settled would say so below
	two.stop()
	verified(t, append(common, "--settled")...)
	broker.stop()
}
