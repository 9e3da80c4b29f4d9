package kafka

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tutti-go/tutti/event"
)

// A partition that a broker fails to read is asked for again, now and then, and it is said
// why. Others are read meanwhile.
func TestPartitionThatCannotBeRead(t *testing.T) {
	t.Parallel()
	broker, bus := embedded(t)
	var log bytes.Buffer
	bus.cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	good, bad := event.Partition{Topic: "good"}, event.Partition{Topic: "bad"}
	if err := bus.EnsureTopics(t.Context(), []event.Topic{{Name: good.Topic}, {Name: bad.Topic}}); err != nil {
		t.Fatal(err)
	}
	p, err := bus.Producer("p")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	send := func(to event.Partition) {
		p.Send(t.Context(), to, event.Record{Value: []byte("x")}, func(_ int64, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	send(good)
	send(bad)
	var asked atomic.Int64
	broker.cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		broker.cluster.KeepControl()
		asked.Add(1)
		return nil, nil, false
	})
	fault := broker.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: bad.Topic, Err: kerr.UnknownServerError, Count: -1})
	c, err := bus.Reader("r", map[event.Partition]int64{good: 0, bad: 0})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Kill()
	got := map[event.Partition]int{}
	read := func(ctx context.Context, enough func() bool) {
		t.Helper()
		for ctx.Err() == nil && !enough() {
			fetched, err := c.Poll(ctx, 100)
			if err != nil && ctx.Err() == nil {
				t.Fatal(err)
			}
			for _, f := range fetched {
				got[f.Partition] += len(f.Records)
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	read(ctx, func() bool { return false })
	if got[good] != 1 || got[bad] != 0 {
		t.Errorf("read %v, want the one that can be read", got)
	}
	if n := asked.Load(); n > 50 {
		t.Errorf("asked %d times in a second", n)
	}
	if n := strings.Count(log.String(), "cannot be read"); n != 1 || !strings.Contains(log.String(), "bad/0") || !strings.Contains(log.String(), "UNKNOWN_SERVER_ERROR") {
		t.Errorf("said %d times: %s", n, log.String())
	}
	fault.Remove()
	send(good)
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	read(ctx, func() bool { return got[good] == 2 && got[bad] == 1 })
	if got[good] != 2 || got[bad] != 1 {
		t.Errorf("read %v in the end, want all", got)
	}
}
