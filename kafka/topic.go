package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tutti-go/tutti/event"
)

// EnsureTopics creates the topics that do not exist, and learns how many
// partitions each has. An existing topic is never changed.
func (b *Bus) EnsureTopics(ctx context.Context, topics []event.Topic) error {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.Name
	}
	have, err := b.look(ctx, names)
	if err != nil {
		return err
	}
	var made []string
	var errs []error // all at once: a person has to ask for each
	for _, t := range topics {
		if found, ok := have[t.Name]; ok && found.err == nil {
			b.learn(t.Name, found.partitions)
			continue
		}
		if err := b.create(ctx, t); err != nil {
			errs = append(errs, fmt.Errorf("create topic %s: %w", t.Name, err))
			if ctx.Err() != nil {
				break
			}
		}
		made = append(made, t.Name)
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return b.await(ctx, made)
}

// found is what the cluster says of a topic.
type found struct {
	partitions int
	may        []kmsg.ACLOperation // what this client may do; none: the cluster does not tell
	err        error
}

// look looks topics up.
func (b *Bus) look(ctx context.Context, topics []string) (map[string]found, error) {
	out := map[string]found{}
	if len(topics) == 0 {
		return out, nil
	}
	req := kmsg.NewPtrMetadataRequest()
	req.IncludeTopicAuthorizedOperations = true
	for _, name := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	var resp *kmsg.MetadataResponse
	err := patiently(ctx, func() (err error) {
		resp, err = req.RequestWith(ctx, b.client)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look topics up: %w", b.explain(err))
	}
	b.brokersSeen(len(resp.Brokers))
	for _, t := range resp.Topics {
		if t.Topic == nil {
			continue
		}
		f := found{partitions: len(t.Partitions), err: kerr.ErrorForCode(t.ErrorCode)}
		const untold = math.MinInt32
		for op := kmsg.ACLOperationRead; t.AuthorizedOperations != untold && op <= kmsg.ACLOperationIdempotentWrite; op++ {
			if t.AuthorizedOperations&(1<<op) != 0 {
				f.may = append(f.may, op)
			}
		}
		out[*t.Topic] = f
	}
	return out, nil
}

// create creates a topic. That another service was faster is no error.
func (b *Bus) create(ctx context.Context, t event.Topic) error {
	partitions, replication, minInSync := b.layout(t)
	retention := "-1"
	if t.Retention > 0 {
		retention = strconv.FormatInt(t.Retention.Milliseconds(), 10)
	}
	configs := map[string]*string{"retention.ms": &retention}
	if minInSync > 0 {
		n := strconv.Itoa(minInSync)
		configs["min.insync.replicas"] = &n
	}
	var made kadm.CreateTopicResponse
	err := patiently(ctx, func() (err error) {
		made, err = b.admin.CreateTopic(ctx, int32(partitions), int16(replication), configs, t.Name)
		return err
	})
	if err != nil && made.Err == nil || passing(err) {
		return b.explain(err) // the request failed, or nobody could serve it
	}
	switch {
	case errors.Is(err, kerr.TopicAlreadyExists):
		return nil
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
		return advice(ErrDenied, err, "%s may not create it, or even see it: allow the operations Create and Describe on topic %s, "+
			"or create it by hand with %d partitions and retention.ms=%s", b.cfg.SASL, t.Name, partitions, retention)
	case errors.Is(err, kerr.InvalidReplicationFactor):
		wanted := fmt.Sprintf("%d copies of each record are asked for", replication)
		if replication < 0 {
			wanted = "the cluster keeps more copies of each record by default"
		}
		return advice(ErrUnreachable, err, "%s, and too few brokers are there: start more, or set a lower replication", wanted)
	case err != nil && made.ErrMessage != "":
		return fmt.Errorf("%w: %s", err, made.ErrMessage)
	}
	return err
}

// safe is how many copies survive the loss of a broker while another is restarted.
const safe = 3

// layout says how a topic is laid out on this cluster. Negative: as the cluster has
// it by default; 0 for minInSync likewise.
func (b *Bus) layout(t event.Topic) (partitions, replication, minInSync int) {
	switch {
	case b.embedded: // each partition costs a sync of its own, and buys nothing
		return cmp.Or(b.cfg.Partitions, 1), -1, 0
	case b.cfg.Replication > 0:
		replication, minInSync = b.cfg.Replication, b.cfg.MinInSync
	case b.brokersSeen(0) >= safe:
		replication, minInSync = safe, safe-1
	default:
		replication = -1
	}
	return cmp.Or(t.Partitions, b.cfg.Partitions, 6), replication, minInSync
}

// brokersSeen is told how many brokers there are, and returns how many there were at once, at
// most: a cluster may have been starting when it was connected to, and one of its brokers
// may be away now.
func (b *Bus) brokersSeen(now int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.brokers = max(b.brokers, now)
	return b.brokers
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
		if errors.Is(err, kerr.TopicAuthorizationFailed) {
			return fmt.Errorf("look at new topics: %w", advice(ErrDenied, err, "allow %s the operation Describe on %s", b.cfg.SASL, strings.Join(topics, ", ")))
		}
		if !sleep(ctx, 20*time.Millisecond) {
			return fmt.Errorf("wait for new topics %s: %w", strings.Join(topics, ", "), b.explain(err))
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

// ensured reports whether all of some topics were.
func (b *Bus) ensured(topics []string) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return !slices.ContainsFunc(topics, func(t string) bool { return b.partitions[t] == 0 })
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
