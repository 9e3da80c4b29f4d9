package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tutti-go/tutti/event"
)

// Bus is a connection to a cluster, shared by services.
type Bus struct {
	cfg    Config
	client *kgo.Client
	admin  *kadm.Client

	embedded bool // the brokers are ours, not Apache Kafka
	met      bool // they have answered: a connection that breaks is not for its settings

	mu         sync.RWMutex
	brokers    int // how many there were at once, at most
	partitions map[string]int
	hash       kgo.TopicPartitioner
}

// Connect connects to a cluster, and fails if no broker answers in time.
func Connect(ctx context.Context, cfg Config) (*Bus, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	cfg = cfg.withDefaults()
	if cfg.SASL.Mechanism == Plain && cfg.TLS == (TLS{}) {
		cfg.Logger.Warn("the password travels unencrypted: SASL PLAIN wants TLS", "brokers", cfg.Brokers)
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
	if err := b.meet(ctx); err != nil {
		client.Close()
		if err = b.explain(err); !errors.Is(err, ErrSecurity) && !errors.Is(err, ErrDenied) && !errors.Is(err, ErrUnreachable) {
			err = fmt.Errorf("%w: %w", ErrUnreachable, err)
		}
		return nil, fmt.Errorf("connect to Kafka at %s: %w", strings.Join(cfg.Brokers, ", "), err)
	}
	return b, nil
}

// meet looks who is there.
func (b *Bus) meet(ctx context.Context) error {
	if err := b.client.Ping(ctx); err != nil {
		return err
	}
	cluster, err := b.admin.BrokerMetadata(ctx)
	if err != nil {
		return err
	}
	b.embedded, b.met = cluster.Cluster == embeddedID, true
	return nil
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
		kgo.MetadataMaxAge(max(5*time.Minute, b.cfg.Heartbeat)),
		kgo.ConnIdleTimeout(min(max(20*time.Second, b.cfg.Heartbeat), 15*time.Minute)),
		kgo.DialTimeout(5 * time.Second),
	}
	switch encrypted, err := b.cfg.TLS.config(); {
	case err != nil: // the files were fine at Connect, and are not now
		opts = append(opts, kgo.Dialer(func(context.Context, string, string) (net.Conn, error) { return nil, err }))
	case b.cfg.Dial != nil && encrypted != nil:
		opts = append(opts, kgo.Dialer(encryptOver(b.cfg.Dial, encrypted)))
	case b.cfg.Dial != nil:
		opts = append(opts, kgo.Dialer(b.cfg.Dial))
	case encrypted != nil:
		opts = append(opts, kgo.DialTLSConfig(encrypted))
	}
	if m := b.cfg.SASL.mechanism(); m != nil {
		opts = append(opts, kgo.SASL(m))
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

// Bounds is what Kafka knows of a partition.
type Bounds struct {
	Start, End int64
	// Committed is the offset that the group committed, -1 if none, with what was
	// stored beside it.
	Committed int64
	Metadata  string
}

// Bounds returns the bounds of all partitions of some topics, and what a group
// committed there, if one is named.
func (b *Bus) Bounds(ctx context.Context, group string, topics []string) (map[event.Partition]Bounds, error) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	out := map[event.Partition]Bounds{}
	if len(topics) == 0 {
		return out, nil
	}
	var starts, ends kadm.ListedOffsets
	var committed kadm.OffsetResponses
	err := b.settled(ctx, topics, func() (err error) {
		if starts, err = listed(b.admin.ListStartOffsets(ctx, topics...)); err != nil {
			return fmt.Errorf("list first offsets: %w", err)
		}
		if ends, err = listed(b.admin.ListEndOffsets(ctx, topics...)); err != nil {
			return fmt.Errorf("list last offsets: %w", err)
		}
		if group == "" {
			return nil
		}
		if committed, err = b.admin.FetchOffsets(ctx, group); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			return fmt.Errorf("fetch offsets of group %s: %w", group, err)
		}
		for _, t := range topics {
			for n, o := range committed[t] {
				if o.Err != nil { // to have no answer is not to have committed none
					return fmt.Errorf("fetch the offset of group %s in %s: %w", group, event.Partition{Topic: t, Number: n}, o.Err)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, b.explain(err)
	}
	starts.Each(func(o kadm.ListedOffset) {
		bounds := Bounds{Start: o.Offset, Committed: -1}
		if end, ok := ends.Lookup(o.Topic, o.Partition); ok {
			bounds.End = end.Offset
		}
		if c, ok := committed.Lookup(o.Topic, o.Partition); ok {
			bounds.Committed, bounds.Metadata = c.At, c.Metadata
		}
		out[event.Partition{Topic: o.Topic, Number: o.Partition}] = bounds
	})
	return out, nil
}

// listed adds to an answer's error those of its partitions.
func listed(offsets kadm.ListedOffsets, err error) (kadm.ListedOffsets, error) {
	if err == nil {
		err = offsets.Error()
	}
	return offsets, err
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
		return fmt.Errorf("commit offsets of group %s: %w", group, b.explain(err))
	}
	return nil
}

// Topics lists the topics of the cluster, without internal ones.
func (b *Bus) Topics(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	var details kadm.TopicDetails
	err := patiently(ctx, func() (err error) {
		details, err = b.admin.ListTopics(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", b.explain(err))
	}
	names := details.Names()
	slices.Sort(names)
	return names, nil
}
