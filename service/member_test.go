package service_test

import (
	"context"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/service"
)

// Kafka takes an instance for replaced that still holds its lane: it joins again, and
// goes on.
func TestFencedMemberJoinsAgain(t *testing.T) {
	t.Parallel()
	bus := cluster(t)
	s, _ := start(t, bus, "echo", t.TempDir(), service.Config{}, echo)
	produce(t, bus, madeTopic, made("before", 1))
	eventually(t, s, "it reads", func() bool { return s.Status().Handled == 1 })
	var incarnation string
	if err := s.Read().QueryRow(t.Context(), `SELECT value FROM tutti_meta WHERE name = 'incarnation'`).Scan(&incarnation); err != nil {
		t.Fatal(err)
	}
	joined := make(chan struct{}, 8)
	other, err := bus.Join(kafka.Membership{
		Group: s.Name(), Instance: s.Name() + "." + incarnation + ".0", Topics: []string{madeTopic.Name},
		Start: func(_ context.Context, ps []event.Partition) (map[event.Partition]int64, error) {
			joined <- struct{}{}
			starts := map[event.Partition]int64{}
			for _, p := range ps {
				starts[p] = 1
			}
			return starts, nil
		},
		Lost: func([]event.Partition) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	go func() {
		defer cancel()
		for ctx.Err() == nil {
			if _, err := other.Poll(ctx, 1); err != nil {
				return // the service has its place back
			}
		}
	}()
	select {
	case <-joined: // it has taken the service's place
	case <-time.After(10 * time.Second):
		t.Fatal("the other member was given no partition")
	}
	<-ctx.Done()
	other.Kill()
	produce(t, bus, madeTopic, made("after", 1))
	eventually(t, s, "it reads again", func() bool { return s.Status().Handled == 2 })
}
