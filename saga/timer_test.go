package saga_test

import (
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/saga"
)

func newsNode(name string) *saga.Node[story] {
	return saga.Wait(name, saga.Done(func(s *story, m event.Message[news]) { s.tell("news") }))
}

// A timer that has fired, and after which there is none, must not be taken for one that
// is still to come: a restart in between loses all later time limits.
func TestTimerAfterTimer(t *testing.T) {
	def := saga.Define("timer", 1, starts(), saga.Sleep("nap", func(*story) time.Duration { return time.Hour }), newsNode("wait"), work[a]())
	play(t, func(w *theatre) {
		w.hands.will("do-a t", "silent")
		w.Publish(begin{ID: "t"})
		w.Sleep(2 * time.Hour)
		w.Stop("director")
		w.Restart("director")
		w.Publish(news{ID: "t"})
		w.Sleep(10 * time.Minute)
		w.expect("t", saga.Compensated, "a: no answer within 1m0s")
	}, def)
}
