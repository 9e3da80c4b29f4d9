package dispatch

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

const events = 200_000 // in the log

var topic = event.Topic{Name: "bench.dispatch"}

// happened is an event as small as one of use can be.
type happened struct {
	ID     string `json:"id"`
	Amount int64  `json:"amount"`
}

func (happened) Contract() event.Contract {
	return event.Contract{Type: "bench.happened", Version: 1, Topic: topic}
}

// BenchmarkDispatch reads the same log of an embedded broker by the framework, with
// an empty handler, and by franz-go alone. Figures are for an event, and contain what
// the broker, which is in the same process, spends on the fetch.
func BenchmarkDispatch(b *testing.B) {
	broker, err := kafka.Embed(kafka.BrokerConfig{})
	if err != nil {
		b.Fatal(err)
	}
	defer broker.Close()
	fill(b, broker)
	b.Run("franz_go", func(b *testing.B) { perEvent(b, func(int) { plain(b, broker) }) })
	b.Run("tutti", func(b *testing.B) { perEvent(b, func(i int) { framework(b, broker, i) }) })
}

// perEvent reports the time and the allocations of reading the log once.
func perEvent(b *testing.B, read func(i int)) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	begin := time.Now()
	for i := range b.N {
		read(i)
	}
	took := time.Since(begin)
	runtime.ReadMemStats(&after)
	n := float64(b.N * events)
	b.ReportMetric(float64(took.Nanoseconds())/n, "ns/event")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/n, "allocs/event")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/n, "bytes/event")
}

// fill writes the log as a service would have.
func fill(b *testing.B, broker *kafka.Broker) {
	bus := connect(b, broker)
	if err := bus.EnsureTopics(b.Context(), []event.Topic{topic}); err != nil {
		b.Fatal(err)
	}
	producer, err := bus.Producer("bench-fill")
	if err != nil {
		b.Fatal(err)
	}
	defer producer.Close()
	var failed atomic.Value
	for i := range events {
		id := "source.0-" + strconv.Itoa(i+1)
		record := event.Encode(event.Envelope{
			ID: id, Source: "/source", Type: "bench.happened", Version: 1, Key: "key-" + strconv.Itoa(i%1000), Time: time.Now(),
			CorrelationID: id, Lane: "source.0", Seq: int64(i + 1),
		}, fmt.Appendf(nil, `{"id":%q,"amount":%d}`, id, i))
		producer.Send(b.Context(), event.Partition{Topic: topic.Name}, record, func(_ int64, err error) {
			if err != nil {
				failed.Store(err)
			}
		})
	}
	if err := producer.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := failed.Load(); err != nil {
		b.Fatal(err)
	}
}

func connect(b *testing.B, broker *kafka.Broker) *kafka.Bus {
	b.Helper()
	bus, err := kafka.Connect(b.Context(), kafka.Config{Brokers: broker.Addrs()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(bus.Close)
	return bus
}

// framework reads the log by a service of its own, on a database that syncs.
func framework(b *testing.B, broker *kafka.Broker, i int) {
	s := service.New("bench-"+strconv.Itoa(b.N)+"-"+strconv.Itoa(i), connect(b, broker), service.Config{
		Database: "sqlite:" + filepath.Join(b.TempDir(), "bench.db"),
	})
	event.On(s, func(context.Context, *store.Tx, event.Message[happened]) error { return nil })
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for pause := time.NewTicker(time.Millisecond); s.Status().Handled < events; {
		select {
		case err := <-ended:
			b.Fatal("the service ended:", err)
		case <-pause.C:
		}
	}
	stop()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}

// plain reads the log, and nothing else.
func plain(b *testing.B, broker *kafka.Broker) {
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.Addrs()...), kgo.ConsumeTopics(topic.Name), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	for n := 0; n < events; {
		fetches := client.PollRecords(b.Context(), 1000)
		if err := fetches.Err(); err != nil {
			b.Fatal(err)
		}
		n += fetches.NumRecords()
	}
}
