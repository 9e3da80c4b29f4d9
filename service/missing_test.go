package service_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/tuttitest"
)

// Events of a lane are missing: their sender is away, or the log has lost them.

// land puts events of a lane into the log, with their numbers as what they say.
func land(w *tuttitest.World, lane string, seqs ...int64) {
	for _, seq := range seqs {
		n := seq
		if lane != "x.0" {
			n += 100
		}
		w.Produce(madeTopic, event.Encode(event.Envelope{
			ID: fmt.Sprint(lane, "-", seq), Source: "/x", Type: "test.made", Version: 1, Key: "k", Lane: lane, Seq: seq,
		}, fmt.Appendf(nil, `{"id":"k","n":%d}`, n)))
	}
}

// says expects the reader to be not ready because of what is missing.
func says(w *tuttitest.World, what string) {
	w.T().Helper()
	if st := w.Service("reader").Status(); st.Ready || len(st.Problems) != 1 || !strings.Contains(st.Problems[0], what) {
		w.T().Errorf("status is %+v, want not ready because of %s", st, what)
	}
}

func handled(w *tuttitest.World, want ...string) {
	w.T().Helper()
	w.Sleep(5 * time.Second)
	if got := got(w); !slices.Equal(got, want) {
		w.T().Errorf("handled %v, want %v", got, want)
	}
}

func TestMissing(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("reader", reader)
		land(w, "x.0", 1, 2, 5, 6)
		land(w, "y.0", 1)
		handled(w, "1", "2", "101")
		if st := w.Service("reader").Status(); !st.Ready {
			t.Errorf("status is %+v, want ready: it may come yet", st)
		}
		w.Sleep(time.Minute)
		const missing = "test.made/0: the events 3 to 4 of lane x.0 have been missing for 1m5s"
		says(w, missing)
		land(w, "y.0", 2)
		handled(w, "1", "2", "101", "102") // others go on
		w.Crash("reader")
		w.Restart("reader")
		w.Sleep(time.Second)
		says(w, "the events 3 to 4 of lane x.0")
		land(w, "x.0", 3, 4, 5, 6, 7) // as its sender does, once it can
		handled(w, "1", "2", "101", "102", "3", "4", "5", "6", "7")
		if st := w.Service("reader").Status(); !st.Ready {
			t.Errorf("status is %+v, want ready again", st)
		}
	})
}

// TestRecoveryOverMissing: what is missing never comes, and a person says so.
func TestRecoveryOverMissing(t *testing.T) {
	for how, want := range map[service.Recovery][]string{service.Rewind: {"1", "2", "101", "4", "5", "102", "6"}, service.Skip: {"1", "2", "101", "102", "6"}} {
		t.Run(string(how), func(t *testing.T) {
			tuttitest.Run(t, func(w *tuttitest.World) {
				w.Start("reader", reader)
				land(w, "x.0", 1, 2, 4)
				land(w, "y.0", 1)
				land(w, "x.0", 5)
				w.Sleep(2 * time.Minute)
				says(w, "the events 3 to 3 of lane x.0")
				w.Stop("reader")
				w.Start("reader", reader, service.Config{Recover: how})
				w.Sleep(5 * time.Second)
				land(w, "y.0", 2)
				land(w, "x.0", 6)
				w.Sleep(5 * time.Second)
				w.Stop("reader")
				w.Start("reader", reader)
				w.Sleep(2 * time.Minute)
				handled(w, want...)
				if st := w.Service("reader").Status(); !st.Ready {
					t.Errorf("status is %+v, want ready", st)
				}
			})
		})
	}
}

// TestPartitionThatCannotBeRead: the service says which one, as long as that is so.
func TestPartitionThatCannotBeRead(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("reader", reader)
		land(w, "x.0", 1)
		handled(w, "1")
		fault := w.Broker().Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: madeTopic.Name, Err: kerr.UnknownServerError, Count: -1})
		land(w, "x.0", 2)
		handled(w, "1")
		const want = "test.made/0 cannot be read: UNKNOWN_SERVER_ERROR"
		if st := w.Service("reader").Status(); !st.Ready || len(st.Problems) != 2 || !strings.HasPrefix(st.Problems[0], want) {
			t.Errorf("status is %+v, want ready, and that %s", st, want)
		}
		fault.Remove()
		w.Sleep(5 * time.Second)
		handled(w, "1", "2")
		if st := w.Service("reader").Status(); !st.Ready || len(st.Problems) != 0 {
			t.Errorf("status afterwards is %+v, want ready without problems", st)
		}
	})
}
