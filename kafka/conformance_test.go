package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/kafkatest"
	"github.com/tutti-go/tutti/internal/paralleltest"
	"github.com/tutti-go/tutti/kafka"
)

func TestMain(m *testing.M) {
	paralleltest.AtLeast(8)
	os.Exit(m.Run())
}

// fixture is a bus on one of the implementations.
type fixture struct {
	*testing.T
	bus    *kafka.Bus
	broker *kafka.Broker // where it is embedded
	topic  string
	group  string
}

const partitions = 3

// TestConformanceOverKafka holds the embedded broker and Apache Kafka to the same behaviour.
func TestConformanceOverKafka(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		test func(f fixture)
	}{
		{"order", testOrder}, {"topics", testTopics}, {"keys", testKeys}, {"share", testShare}, {"restart", testRestart},
		{"replaced", testReplaced}, {"lost", testLost}, {"offsets", testOffsets}, {"reader", testReader},
	}
	kafkatest.Each(t, func(t *testing.T, addresses []string, broker *kafka.Broker) {
		bus, err := kafka.Connect(t.Context(), kafka.Config{Brokers: addresses, Partitions: partitions})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(bus.Close)
		for _, tc := range tests {
			t.Run(tc.name, func(t *testing.T) {
				suffix := kafkatest.Suffix()
				f := fixture{t, bus, broker, "conform" + suffix, "group" + suffix}
				if err := bus.EnsureTopics(t.Context(), []event.Topic{{Name: f.topic}}); err != nil {
					t.Fatal(err)
				}
				tc.test(f)
			})
		}
	})
}

// send writes records, of which the nth has that number for its value.
func (f fixture) send(partition int32, from, to int) {
	f.Helper()
	p, err := f.bus.Producer("conform")
	if err != nil {
		f.Fatal(err)
	}
	defer p.Close()
	for n := from; n < to; n++ {
		r := event.Record{Key: fmt.Append(nil, "k", n), Value: fmt.Append(nil, n), Headers: []event.Header{{Key: "h", Value: fmt.Append(nil, "v", n)}, {Key: "h", Value: nil}}}
		p.Send(f.Context(), event.Partition{Topic: f.topic, Number: partition}, r, func(offset int64, err error) {
			if err != nil || offset != int64(n) {
				f.Errorf("record %d is at offset %d (%v), want it at its number", n, offset, err)
			}
		})
	}
	if err := p.Flush(f.Context()); err != nil {
		f.Fatal(err)
	}
}

// member is a consumer of the group that begins where starts says, else at 0.
type member struct {
	*kafka.Consumer
	mu     sync.Mutex
	got    map[event.Partition]bool
	starts int64
}

func (f fixture) join(instance string, start int64) *member {
	f.Helper()
	m := &member{got: map[event.Partition]bool{}, starts: start}
	c, err := f.bus.Join(kafka.Membership{
		Group: f.group, Instance: f.group + instance, Topics: []string{f.topic},
		Start: func(_ context.Context, ps []event.Partition) (map[event.Partition]int64, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			starts := map[event.Partition]int64{}
			for _, p := range ps {
				m.got[p], starts[p] = true, m.starts
			}
			return starts, nil
		},
		Lost: func(ps []event.Partition) {
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, p := range ps {
				delete(m.got, p)
			}
		},
	})
	if err != nil {
		f.Fatal(err)
	}
	m.Consumer = c
	return m
}

func (m *member) partitions() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.got)
}

const patience = 40 * time.Second

// poll polls all members until ok.
func (f fixture) poll(what string, ok func() bool, visit func(kafka.Fetched), members ...*member) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), patience)
	defer cancel()
	for !ok() {
		for _, m := range members {
			short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			fetched, err := m.Poll(short, 100)
			cancel()
			if err != nil && short.Err() == nil {
				f.Fatalf("Poll() = %v", err)
			}
			for _, x := range fetched {
				visit(x)
			}
		}
		if ctx.Err() != nil {
			f.Fatalf("not in %v: %s", patience, what)
		}
	}
}

func ignore(kafka.Fetched) {}

// Records come as they were written, in order, each once.
func testOrder(f fixture) {
	const n = 2500
	f.send(1, 0, n)
	m := f.join("a", 0)
	defer m.Close(context.Background())
	var got []string
	f.poll("all records", func() bool { return len(got) >= n }, func(x kafka.Fetched) {
		if x.End != n || len(x.Records) > 100 {
			f.Errorf("%d records of a log that ends at %d, want at most 100 and an end at %d", len(x.Records), x.End, n)
		}
		for _, r := range x.Records {
			want := fmt.Sprint(len(got))
			if string(r.Value) != want || string(r.Key) != "k"+want || r.Offset != int64(len(got)) || len(r.Headers) != 2 ||
				string(r.Headers[0].Value) != "v"+want || time.Since(r.Time) > time.Hour {
				f.Fatalf("record %+v, want number %s", r, want)
			}
			got = append(got, string(r.Value))
		}
	}, m)
}

// Topics are made as the contract says, once, and never changed.
func testTopics(f fixture) {
	name := f.topic + ".contract"
	errs := make(chan error, 8)
	for range cap(errs) { // several services start at once
		go func() {
			other, err := f.bus.Via(f.Context(), nil)
			if err != nil {
				errs <- err
				return
			}
			defer other.Close()
			errs <- other.EnsureTopics(f.Context(), []event.Topic{{Name: name, Partitions: 5, Retention: time.Hour}, {Name: f.topic, Partitions: 9}})
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			f.Fatal(err)
		}
	}
	want := map[string]int{name: 5, f.topic: partitions}
	if f.broker != nil { // which syncs each partition by itself, and goes by its setting
		want[name] = partitions
	}
	for topic, n := range want {
		bounds, err := f.bus.Bounds(f.Context(), f.group, []string{topic})
		if err != nil || len(bounds) != n {
			f.Errorf("topic %s has %d partitions (%v), want %d", topic, len(bounds), err, n)
		}
	}
	topics, err := f.bus.Topics(f.Context())
	if err != nil || !slices.Contains(topics, name) || slices.Contains(topics, "__consumer_offsets") {
		f.Errorf("Topics() = %v (%v), want %s and no internal ones", topics, err, name)
	}
}

// Keys go to the partitions that Java's client has for them: these are the hashes of
// Kafka's own tests of murmur2 (UtilsTest), without their sign, modulo 3.
func testKeys(f fixture) {
	for key, want := range map[string]int32{
		"21": 1173551340 % 3, "foobar": 1357151166 % 3, "a-little-bit-long-string": 1161502112 % 3, "abc": 479470107 % 3,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": 2088585677 % 3,
	} {
		if got, err := f.bus.Partition(f.topic, key); err != nil || got != want {
			f.Errorf("Partition(%q) = %d (%v), want %d", key, got, err, want)
		}
	}
	if _, err := f.bus.Partition("nothing", "a"); err == nil || !strings.Contains(err.Error(), "not ensured") {
		f.Errorf("Partition() of a topic that was not ensured: error %v", err)
	}
}

// Members share the partitions out, and take over those of one that leaves.
func testShare(f fixture) {
	a := f.join("a", 0)
	f.poll("all for one", func() bool { return a.partitions() == partitions }, ignore, a)
	b := f.join("b", 0)
	f.poll("some for each", func() bool { return a.partitions()+b.partitions() == partitions && b.partitions() > 0 }, ignore, a, b)
	a.Close(context.Background())
	f.poll("all for the other", func() bool { return b.partitions() == partitions }, ignore, b)
	b.Close(context.Background())
}

// An instance that crashed and comes back has its partitions back, without waiting
// until it is taken for dead.
func testRestart(f fixture) {
	a := f.join("a", 0)
	f.poll("all for one", func() bool { return a.partitions() == partitions }, ignore, a)
	a.Kill()
	begin := time.Now()
	a = f.join("a", 0)
	f.poll("all again", func() bool { return a.partitions() == partitions }, ignore, a)
	if took := time.Since(begin); took > 12*time.Second {
		f.Errorf("the partitions were back after %v, want less than the session timeout", took)
	}
	a.Close(context.Background())
}

// Of two instances of one name, the first is told to go.
func testReplaced(f fixture) {
	first := f.join("a", 0)
	f.poll("all for the first", func() bool { return first.partitions() == partitions }, ignore, first)
	second := f.join("a", 0)
	defer second.Close(context.Background())
	f.poll("all for the second", func() bool { return second.partitions() == partitions }, ignore, second)
	ctx, cancel := context.WithTimeout(f.Context(), patience)
	defer cancel()
	for {
		_, err := first.Poll(ctx, 100)
		if errors.Is(err, kafka.ErrReplaced) {
			break
		}
		if err != nil {
			f.Fatalf("Poll() = %v, want ErrReplaced", err)
		}
	}
	first.Kill()
}

// An offset that the log does not hold is an error, not a jump.
func testLost(f fixture) {
	f.send(0, 0, 3)
	m := f.join("a", 17)
	defer m.Kill()
	ctx, cancel := context.WithTimeout(f.Context(), patience)
	defer cancel()
	if _, err := m.Poll(ctx, 100); !errors.Is(err, kafka.ErrLogLost) {
		f.Errorf("Poll() = %v, want ErrLogLost", err)
	}
}

// Committed offsets are kept with what is stored beside them.
func testOffsets(f fixture) {
	f.send(2, 0, 5)
	p := event.Partition{Topic: f.topic, Number: 2}
	bounds, err := f.bus.Bounds(f.Context(), f.group, []string{f.topic})
	if want := (kafka.Bounds{Start: 0, End: 5, Committed: -1}); err != nil || bounds[p] != want {
		f.Errorf("Bounds() = %+v (%v), want %+v", bounds[p], err, want)
	}
	if err := f.bus.Commit(f.Context(), f.group, map[event.Partition]kafka.Mark{p: {Offset: 4, Metadata: "lane 17"}}); err != nil {
		f.Fatal(err)
	}
	bounds, err = f.bus.Bounds(f.Context(), f.group, []string{f.topic})
	if want := (kafka.Bounds{Start: 0, End: 5, Committed: 4, Metadata: "lane 17"}); err != nil || bounds[p] != want {
		f.Errorf("Bounds() = %+v (%v), want %+v", bounds[p], err, want)
	}
	if bounds, err = f.bus.Bounds(f.Context(), "", []string{f.topic}); err != nil || bounds[p].Committed != -1 || bounds[p].End != 5 {
		f.Errorf("Bounds() of no group = %+v (%v)", bounds[p], err)
	}
	m := f.join("a", 0)
	f.poll("all for one", func() bool { return m.partitions() == partitions }, ignore, m)
	f.poll("a member commits", func() bool { return m.Commit(f.Context(), map[event.Partition]int64{p: 5}) }, ignore, m)
	m.Close(context.Background())
	if bounds, err = f.bus.Bounds(f.Context(), f.group, []string{f.topic}); err != nil || bounds[p].Committed != 5 {
		f.Errorf("Bounds() = %+v (%v), want 5 committed", bounds[p], err)
	}
}

// A reader begins where it is told, in no group.
func testReader(f fixture) {
	f.send(0, 0, 10)
	r, err := f.bus.Reader("conform", map[event.Partition]int64{{Topic: f.topic}: 7})
	if err != nil {
		f.Fatal(err)
	}
	defer r.Kill()
	ctx, cancel := context.WithTimeout(f.Context(), patience)
	defer cancel()
	var got []string
	for len(got) < 3 {
		fetched, err := r.Poll(ctx, 2)
		if err != nil {
			f.Fatal(err)
		}
		for _, x := range fetched {
			for _, rec := range x.Records {
				got = append(got, string(rec.Value))
			}
		}
	}
	if want := []string{"7", "8", "9"}; !slices.Equal(got, want) {
		f.Errorf("read %v, want %v", got, want)
	}
}
