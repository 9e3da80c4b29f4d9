package service_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

const (
	mega  = 1 << 20
	large = 10 * mega // larger than what services may publish
)

// roomy starts a broker on disk whose topic takes large records, with a producer that
// is not ours and writes batches of up to a size.
func roomy(t *testing.T, batch int32) (*kafka.Bus, *kgo.Client) {
	t.Helper()
	broker, err := kafka.Embed(kafka.BrokerConfig{Dir: t.TempDir(), Unsynced: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { broker.Close() })
	if err := broker.Cluster().CreateTopic(madeTopic.Name, 1, map[string]string{"max.message.bytes": fmt.Sprint(4 * large)}); err != nil {
		t.Fatal(err)
	}
	bus, err := kafka.Connect(t.Context(), kafka.Config{Brokers: broker.Addrs()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	producer, err := kgo.NewClient(kgo.SeedBrokers(broker.Addrs()...), kgo.DefaultProduceTopic(madeTopic.Name), kgo.ProducerBatchMaxBytes(batch))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(producer.Close)
	return bus, producer
}

// put writes a record as one of another's.
func put(t *testing.T, producer *kgo.Client, r event.Record) {
	t.Helper()
	if err := producer.ProduceSync(t.Context(), foreignRecord(r)).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func foreignRecord(r event.Record) *kgo.Record {
	out := &kgo.Record{Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, kgo.RecordHeader(h))
	}
	return out
}

// TestLargePoison: records of 10 MB that others write are handled if they can be, and
// parked as they are if not, without flooding log or status with them.
func TestLargePoison(t *testing.T) {
	bus, producer := roomy(t, 4*large)
	junk := strings.Repeat("x", large)
	typed := foreign("typed", "typed", `{}`)
	for i, h := range typed.Headers {
		if h.Key == "ce_type" {
			typed.Headers[i].Value = []byte(junk[:mega])
		}
	}
	put(t, producer, foreign("body", "body", junk))
	put(t, producer, foreign("kind", "kind", `{"id":"kind","n":"`+junk+`"}`))
	put(t, producer, foreign("key", junk, `{"id":"key","n":0}`))
	put(t, producer, foreign(junk[:mega], "id", `{"id":"id","n":0}`))
	put(t, producer, typed)
	put(t, producer, foreign("fine", "fine", `{"id":"fine","n":0,"more":"`+junk+`"}`))
	put(t, producer, foreign("panics", "panics", `{"id":"panics","n":1,"more":"`+junk+`"}`))
	put(t, producer, made("after", 0))

	var log logged
	cfg := quick
	cfg.Logger = log.logger()
	s, _ := start(t, bus, "reader", t.TempDir(), cfg, picky(func(m Made) error {
		if m.ID == "panics" {
			panic(junk)
		}
		return nil
	}))
	eventually(t, s, "the small one is done", func() bool { return rows(t, s)["after0"] == 1 })
	if got := rows(t, s); len(got) != 2 || got["fine0"] != 1 {
		t.Errorf("%d are done, want the small one, and the large one that is in order", len(got))
	}
	dead := func() (n int) { // counted: to read them all costs much
		if err := s.Read().QueryRow(t.Context(), `SELECT COUNT(*) FROM tutti_parked WHERE state = 'dead'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	eventually(t, s, "all poison is dead", func() bool { return dead() == 6 })
	for i, p := range parked(t, s, store.Selection{}) {
		if size := len(p.Record.Value); (p.Key() == "body" || p.Key() == "kind" || p.Key() == "panics") && size < large {
			t.Errorf("%d bytes of %s are parked, want all", size, p.Key())
		}
		says := []string{"invalid character", "cannot unmarshal", "key is 10485760 bytes long", "attribute id is 1048576 bytes long", "attribute type is 1048576 bytes long", "panic: xxx"}
		if len(p.Record.Key) > event.MaxKey+1 || len(p.Error) > 10_000 || !strings.Contains(p.Error, says[i]) {
			t.Errorf("parked at %d with a key of %d bytes and an error of %d: %.200s", p.Offset, len(p.Record.Key), len(p.Error), p.Error)
		}
		if err := s.Redrive(t.Context(), p); err != nil {
			t.Error(err)
		}
	}
	eventually(t, s, "all are dead again", func() bool { return dead() == 6 })
	log.mu.Lock()
	defer log.mu.Unlock()
	if n := log.buf.Len(); n > 300_000 {
		t.Errorf("%d bytes are logged, want few", n)
	}
}

// bulky is an event as large as they come.
func bulky(n int) Bulky { return Bulky{"k", n, strings.Repeat("x", event.MaxData-100)} }

// Bulky takes the place of Made.
type Bulky struct {
	ID   string `json:"id"`
	N    int    `json:"n"`
	More string `json:"more"`
}

func (Bulky) Contract() event.Contract { return Made{}.Contract() }
func (m Bulky) Key() string            { return m.ID }

func bulkyWriter(s *service.Service) { event.Publishes[Bulky](s) }

// TestUnsentBytes: what waits for Kafka is bounded by its size as well.
func TestUnsentBytes(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("writer", bulkyWriter, service.Config{UnsentBytes: 5 * mega})
		w.Start("reader", reader)
		w.Cut("writer")
		taken := 0
		for ; taken < 100; taken++ {
			if w.Service("writer").Write(w.T().Context(), func(ctx context.Context, tx *store.Tx) error { return event.Publish(ctx, tx, bulky(taken)) }) != nil {
				break
			}
		}
		if taken < 4 || taken > 8 {
			t.Errorf("%d events of 0.9 MB are taken while Kafka is away, want about as many as 5 MB hold", taken)
		}
		w.Heal("writer")
		w.Quiet()
		if got, want := got(w), numbers(0, len(got(w))); !slices.Equal(got, want) || len(got) < taken {
			t.Errorf("handled %v, want %d or more, in order", got, taken)
		}
	})
}

// TestMuchPublishedAtOnce: what handlers publish in one transaction is bounded, too; a row
// of the outbox has it all.
func TestMuchPublishedAtOnce(t *testing.T) {
	t.Parallel()
	bus := cluster(t)
	var records []event.Record
	for i := range 20 {
		records = append(records, made(fmt.Sprint(i), 1))
	}
	produce(t, bus, madeTopic, records...)
	most := 0
	s, _ := start(t, bus, "amplifier", t.TempDir(), service.Config{UnsentBytes: mega}, func(s *service.Service) {
		event.Publishes[Checked](s)
		s.Migrations(migrations(doneTable))
		event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Made]) error {
			most = max(most, tx.Appended())
			for range 500 {
				if err := event.Publish(ctx, tx, Checked{strings.Repeat("x", 1000)}); err != nil {
					return err
				}
			}
			return tx.Exec(ctx, `INSERT INTO done (id, n) VALUES ($1, 1)`, m.Body.ID)
		})
	})
	eventually(t, s, "all are handled", func() bool { return len(rows(t, s)) == len(records) })
	if most > mega {
		t.Errorf("a handler began with %d bytes published in its transaction, want at most %d", most, mega)
	}
}

// TestMuchLeftUnsent: what an instance has left unsent is sent in order, and before
// what comes after the start, although it is not read at once.
func TestMuchLeftUnsent(t *testing.T) {
	t.Parallel()
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("writer", bulkyWriter)
		w.Start("reader", reader)
		w.Cut("writer")
		for n := range 25 {
			publish(w.T(), w.Service("writer"), bulky(n))
		}
		w.Crash("writer")
		w.Restart("writer")
		for n := range 5 {
			publish(w.T(), w.Service("writer"), bulky(25+n))
		}
		w.Broker().FailSends(madeTopic.Name, kafka.Invalid, 1)
		w.Quiet()
		if got, want := got(w), numbers(0, 30); !slices.Equal(got, want) {
			t.Errorf("handled %v, want %v", got, want)
		}
		if st := w.Service("writer").Status(); st.Unsent != 0 {
			t.Errorf("%d events are unsent in the end", st.Unsent)
		}
	})
}

// TestSlowConsumer: however much waits behind a slow handler, it waits in the log.
func TestSlowConsumer(t *testing.T) {
	bus, producer := roomy(t, mega)
	const records, size, room = 1500, 64_000, 48 * mega
	random := rand.New(rand.NewPCG(1, 1))
	filler := make([]byte, size/2) // what compresses well takes more room than Kafka counts
	for n := range records {
		for i := range filler {
			filler[i] = byte(random.Uint32())
		}
		r := foreign(fmt.Sprint(n), "k", fmt.Sprintf(`{"id":"k","n":%d,"more":"%x"}`, n, filler))
		producer.Produce(t.Context(), foreignRecord(r), func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	if err := producer.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	before, most, lag := heap(), uint64(0), int64(0)
	var s *service.Service
	s, _ = start(t, bus, "slow", t.TempDir(), service.Config{Unsynced: true}, func(s *service.Service) {
		event.On(s, func(_ context.Context, _ *store.Tx, m event.Message[Made]) error {
			if m.Body.N%150 == 149 {
				time.Sleep(50 * time.Millisecond) // those who read ahead get as far as they can
				most = max(most, heap())
			}
			return nil
		})
	})
	eventually(t, s, "all are handled", func() bool {
		for _, l := range s.Status().Lag {
			lag = max(lag, l.End-l.Next)
		}
		return s.Status().Handled == records
	})
	if most > before+room {
		t.Errorf("%d MB are on the heap while %d MB wait, want at most %d", (most-before)/mega, records*size/mega, room/mega)
	}
	t.Logf("%d MB on the heap before, %d MB at most while %d MB waited", before/mega, most/mega, records*size/mega)
	if lag < records/2 {
		t.Errorf("the status has shown a lag of at most %d, want it to show that %d wait", lag, records)
	}
}

// heap returns how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
