package service_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tutti-go/tutti/internal/kafkatest"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/service"
)

// suffix ends the names of services, which are groups, and of topics, on a Kafka that
// outlasts the test.
var suffix string

// overKafka runs a test over an embedded broker and over real Kafka.
func overKafka(t *testing.T, test func(t *testing.T, bus *kafka.Bus)) {
	kafkatest.Each(t, func(t *testing.T, addresses []string, broker *kafka.Broker) {
		if broker == nil {
			made, checked := madeTopic, checkedTopic
			t.Cleanup(func() { madeTopic, checkedTopic, suffix = made, checked, "" })
			suffix = kafkatest.Suffix()
			madeTopic.Name, madeTopic.Partitions = madeTopic.Name+suffix, 1 // tests count its offsets
			checkedTopic.Name, checkedTopic.Partitions = checkedTopic.Name+suffix, 4
		}
		bus, err := kafka.Connect(t.Context(), kafka.Config{Brokers: addresses})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(bus.Close)
		test(t, bus)
	})
}

// TestCrashesOverKafka lets a service die at every point where it could hurt, again and again,
// and start again: each event has its effect once.
func TestCrashesOverKafka(t *testing.T) { overKafka(t, crashes) }

func crashes(t *testing.T, bus *kafka.Bus) {
	const each = 5 // events a life
	dir := t.TempDir()
	m, _ := start(t, bus, "maker", dir, service.Config{}, maker)
	sent := 0
	for life, point := range []service.Point{
		service.BeforeCommit, service.AfterCommit, service.BetweenSends, service.BeforeJob, service.AfterJob, service.AfterCommit, service.BetweenSends,
	} {
		var armed, hit atomic.Bool
		s := service.New("checker"+suffix, bus, service.Config{Database: database(t, dir, "checker"), Batch: 2, Fault: func(p service.Point) error {
			if p == point && armed.Load() {
				hit.Store(true)
				return service.ErrCrash
			}
			return nil
		}})
		s.Migrations(migrations(doneTable))
		checker(s)
		ended := make(chan error, 1)
		go func() { ended <- s.Run(context.Background()) }()
		select {
		case <-s.Ready():
		case err := <-ended:
			t.Fatalf("life %d: Run() = %v before it was ready", life, err)
		}
		armed.Store(true)
		for range each {
			publish(t, m, Made{ID: fmt.Sprint("c", sent), N: sent})
			sent++
		}
		select {
		case err := <-ended:
			if !errors.Is(err, service.ErrCrash) {
				t.Fatalf("life %d: Run() = %v, want the crash", life, err)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("life %d does not reach %q", life, point)
		}
		if !hit.Load() {
			t.Errorf("life %d did not die at %q", life, point)
		}
	}
	c, _ := start(t, bus, "checker", dir, service.Config{}, checker)
	eventually(t, c, "all are checked", func() bool { return len(rows(t, m)) == sent })
	for id, n := range rows(t, m) {
		if n != 1 {
			t.Errorf("%s is done %d times, want once", id, n)
		}
	}
}
