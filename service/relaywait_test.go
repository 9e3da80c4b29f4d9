package service

import (
	"context"
	"log/slog"
	"testing"
	"time"
)

// lateContext ends just after it was asked whether it has, for the nth time.
type lateContext struct {
	context.Context
	end context.CancelFunc
	n   int
}

func (c *lateContext) Err() error {
	err := c.Context.Err()
	if c.n--; c.n == 0 {
		c.end()
		time.Sleep(10 * time.Millisecond) // who is told of it acts
	}
	return err
}

// TestWaitEnds: who waits for room goes on when their time is up, also if that is just
// as they begin to wait.
func TestWaitEnds(t *testing.T) {
	t.Parallel()
	r := newRelay("lane", slog.Default(), nil, 0)
	r.waiting = 1
	inner, end := context.WithCancel(t.Context())
	defer end()
	ended := make(chan bool, 1)
	go func() { ended <- r.room(&lateContext{inner, end, 1}, 1, 1) }()
	select {
	case ok := <-ended:
		if ok {
			t.Error("there is room, want none")
		}
	case <-time.After(5 * time.Second):
		t.Error("the wait does not end although its time is up")
	}
}
