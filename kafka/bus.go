package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tutti-go/tutti/event"
)

// Config says how to reach a cluster. Brokers is required; the zero value of the
// rest is the documented default.
type Config struct {
	// Brokers are the addresses to start from, as host:port.
	Brokers []string
	// Partitions is how many partitions a topic gets whose contract names none;
	// default 1, which suits an embedded broker: it syncs each partition by itself.
	Partitions int
	// Replication is how many brokers keep each record; default: the cluster's.
	Replication int
	// FetchWait is how long a broker may hold a request for records back if it has
	// none; default 500 ms.
	FetchWait time.Duration
	// Dial replaces the network, for tests.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Timeout is how long Connect and topic creation try; default 30 s.
	Timeout time.Duration
	// Logger defaults to slog.Default.
	Logger *slog.Logger
}

// Bus is a connection to a cluster, shared by services.
type Bus struct {
	cfg    Config
	client *kgo.Client
	admin  *kadm.Client

	mu         sync.RWMutex
	partitions map[string]int
	hash       kgo.TopicPartitioner
}

// ErrUnreachable is wrapped where no broker answers.
var ErrUnreachable = errors.New("no Kafka broker answers")

// Connect connects to a cluster, and fails if no broker answers in time.
func Connect(ctx context.Context, cfg Config) (*Bus, error) {
	if len(cfg.Brokers) == 0 {
		return nil, errors.New("connect to Kafka: Brokers is empty, want host:port")
	}
	for _, b := range cfg.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			return nil, fmt.Errorf("connect to Kafka: broker %q: want host:port", b)
		}
	}
	if cfg.Partitions == 0 {
		cfg.Partitions = 1
	}
	if cfg.Replication == 0 {
		cfg.Replication = -1
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.FetchWait == 0 {
		cfg.FetchWait = 500 * time.Millisecond
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	b := &Bus{cfg: cfg, partitions: map[string]int{}}
	client, err := kgo.NewClient(b.options("tutti-admin")...)
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	b.client, b.admin = client, kadm.NewClient(client)
	b.hash = kgo.StickyKeyPartitioner(nil).ForTopic("")
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	if err := client.Ping(ctx); err != nil {
		client.Close()
		return nil, fmt.Errorf("connect to Kafka: %w at %s: %w", ErrUnreachable, strings.Join(cfg.Brokers, ", "), err)
	}
	return b, nil
}

// Close ends the connection. Consumers and producers are closed by themselves.
func (b *Bus) Close() { b.client.Close() }

// Via returns a bus like b whose connections are made by dial: for tests that cut
// one service off.
func (b *Bus) Via(ctx context.Context, dial func(ctx context.Context, network, address string) (net.Conn, error)) (*Bus, error) {
	cfg := b.cfg
	cfg.Dial = dial
	return Connect(ctx, cfg)
}

func (b *Bus) options(id string) []kgo.Opt {
	opts := []kgo.Opt{
		kgo.SeedBrokers(b.cfg.Brokers...),
		kgo.ClientID(id),
		kgo.WithLogger(logger{b.cfg.Logger}),
		kgo.RetryBackoffFn(backoff),
		kgo.DisableClientMetrics(),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.DialTimeout(5 * time.Second),
	}
	if b.cfg.Dial != nil {
		opts = append(opts, kgo.Dialer(b.cfg.Dial))
	}
	return opts
}

// backoff doubles from 50 ms to 2 s. The client's many connections need no jitter
// among themselves: each has its own history of failures.
func backoff(fails int) time.Duration {
	return min(50*time.Millisecond<<min(fails, 6), 2*time.Second)
}

// logger passes the client's warnings on.
type logger struct{ l *slog.Logger }

func (logger) Level() kgo.LogLevel { return kgo.LogLevelWarn }

func (g logger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	to := slog.LevelDebug // what the client retries by itself is not news
	if level == kgo.LogLevelError {
		to = slog.LevelWarn
	}
	g.l.Log(context.Background(), to, "kafka: "+msg, keyvals...)
}

// EnsureTopics creates the topics that do not exist, and learns how many
// partitions each has.
func (b *Bus) EnsureTopics(ctx context.Context, topics []event.Topic) error {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.Name
	}
	have, err := b.admin.ListTopics(ctx, names...)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	var made []string
	for _, t := range topics {
		if d, ok := have[t.Name]; ok && d.Err == nil {
			b.learn(t.Name, len(d.Partitions))
			continue
		}
		n := cmp.Or(t.Partitions, b.cfg.Partitions)
		retention := "-1"
		if t.Retention > 0 {
			retention = strconv.FormatInt(t.Retention.Milliseconds(), 10)
		}
		_, err := b.admin.CreateTopic(ctx, int32(n), int16(b.cfg.Replication), map[string]*string{"retention.ms": &retention}, t.Name)
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) { // another service may have been faster
			return fmt.Errorf("create topic %s: %w", t.Name, err)
		}
		made = append(made, t.Name)
	}
	return b.await(ctx, made)
}

// await waits until topics made a moment ago are known to the brokers that are
// asked, and learns how many partitions each has.
func (b *Bus) await(ctx context.Context, topics []string) error {
	for len(topics) > 0 {
		starts, err := b.admin.ListStartOffsets(ctx, topics...)
		if err == nil {
			err = starts.Error()
		}
		if err == nil {
			for topic, partitions := range starts {
				b.learn(topic, len(partitions))
			}
			return nil
		}
		if !sleep(ctx, 20*time.Millisecond) {
			return fmt.Errorf("wait for new topics %s: %w", strings.Join(topics, ", "), err)
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (b *Bus) learn(topic string, partitions int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.partitions[topic] = partitions
}

// Partition returns the partition that a key belongs to, as every Kafka client
// computes it.
func (b *Bus) Partition(topic, key string) (int32, error) {
	b.mu.RLock()
	n := b.partitions[topic]
	b.mu.RUnlock()
	if n == 0 {
		return 0, fmt.Errorf("topic %s is not known: it was not ensured", topic)
	}
	if n == 1 {
		return 0, nil
	}
	b.mu.Lock() // the client's partitioner promises nothing about concurrency
	defer b.mu.Unlock()
	return int32(b.hash.Partition(&kgo.Record{Key: []byte(key)}, n)), nil
}

// Bounds is what Kafka knows of a partition.
type Bounds struct {
	Start, End int64
	// Committed is the offset that the group committed, -1 if none, with what was
	// stored beside it.
	Committed int64
	Metadata  string
}

// Bounds returns the bounds of all partitions of some topics, and what a group
// committed there.
func (b *Bus) Bounds(ctx context.Context, group string, topics []string) (map[event.Partition]Bounds, error) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	out := map[event.Partition]Bounds{}
	if len(topics) == 0 {
		return out, nil
	}
	starts, err := b.admin.ListStartOffsets(ctx, topics...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list first offsets: %w", err)
	}
	ends, err := b.admin.ListEndOffsets(ctx, topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list last offsets: %w", err)
	}
	committed, err := b.admin.FetchOffsets(ctx, group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("fetch offsets of group %s: %w", group, err)
	}
	starts.Each(func(o kadm.ListedOffset) {
		bounds := Bounds{Start: o.Offset, Committed: -1}
		if end, ok := ends.Lookup(o.Topic, o.Partition); ok {
			bounds.End = end.Offset
		}
		if c, ok := committed.Lookup(o.Topic, o.Partition); ok && c.Err == nil {
			bounds.Committed, bounds.Metadata = c.At, c.Metadata
		}
		out[event.Partition{Topic: o.Topic, Number: o.Partition}] = bounds
	})
	return out, nil
}

// Mark is an offset to be committed with something beside it.
type Mark struct {
	Offset   int64
	Metadata string
}

// Commit stores offsets for a group that has no members.
func (b *Bus) Commit(ctx context.Context, group string, marks map[event.Partition]Mark) error {
	offsets := kadm.Offsets{}
	for p, m := range marks {
		offsets.Add(kadm.Offset{Topic: p.Topic, Partition: p.Number, At: m.Offset, LeaderEpoch: -1, Metadata: m.Metadata})
	}
	if err := b.admin.CommitAllOffsets(ctx, group, offsets); err != nil {
		return fmt.Errorf("commit offsets of group %s: %w", group, err)
	}
	return nil
}

// Topics lists the topics of the cluster, without internal ones.
func (b *Bus) Topics(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	details, err := b.admin.ListTopics(ctx)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	names := details.Names()
	slices.Sort(names)
	return names, nil
}
