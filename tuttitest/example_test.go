package tuttitest_test

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

// Asked and Answered are the contracts of the example.
type Asked struct {
	ID string `json:"id"`
	A  int    `json:"a"`
	B  int    `json:"b"`
}

func (Asked) Contract() event.Contract {
	return event.Contract{Type: "sums.asked", Version: 1, Topic: event.Topic{Name: "sums.question"}}
}
func (q Asked) Key() string { return q.ID }

type Answered struct {
	ID  string `json:"id"`
	Sum int    `json:"sum"`
}

func (Answered) Contract() event.Contract {
	return event.Contract{Type: "sums.answered", Version: 1, Topic: event.Topic{Name: "sums.answer"}}
}
func (a Answered) Key() string { return a.ID }

// sums is the service under test.
func sums(s *service.Service) {
	event.Publishes[Answered](s)
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Asked]) error {
		return event.Publish(ctx, tx, Answered{ID: m.Body.ID, Sum: m.Body.A + m.Body.B})
	})
}

func Example() {
	// In a test file this is: func TestOutage(t *testing.T) { tuttitest.Run(t, outage) }
	outage := func(w *tuttitest.World) {
		w.Start("sums", sums)
		w.Publish(Asked{"q1", 2, 3})
		w.Expect(Answered{"q1", 5})
		begin := time.Now()
		w.Crash("sums")
		w.Publish(Asked{"q2", 20, 30})
		w.Sleep(30 * time.Minute)
		w.Start("sums", sums)
		w.Expect(Answered{"q2", 50})
		w.ExpectNoMore()
		fmt.Println("answered after", time.Since(begin).Truncate(time.Minute))
	}
	runTest("TestOutage", func(t *testing.T) { tuttitest.Run(t, outage) })
	// Output:
	// answered after 30m0s
}

// runTest runs a test as go test does, and keeps what -v would print out of the
// example's output.
func runTest(name string, fn func(t *testing.T)) {
	verbose := flag.Lookup("test.v").Value
	before := verbose.String()
	_ = verbose.Set("false") // a boolean takes it
	defer func() { _ = verbose.Set(before) }()
	match := func(string, string) (bool, error) { return true, nil }
	testing.RunTests(match, []testing.InternalTest{{Name: name, F: fn}})
}
