package kafka

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tutti-go/tutti/internal/lock"
)

// BrokerConfig tunes an embedded broker. Its zero value is the documented default.
type BrokerConfig struct {
	// Dir is where the broker keeps its data. Empty: in memory, for tests.
	Dir string
	// Port to listen on at 127.0.0.1; 0 takes a free one.
	Port int
	// Network replaces the sockets, for tests.
	Network *Network
	// Unsynced leaves the syncing of writes to the operating system: for tests.
	Unsynced bool
	// Logger defaults to slog.Default.
	Logger *slog.Logger
}

// embeddedID is what embedded brokers call their cluster.
const embeddedID = "tutti"

// Broker is a Kafka-compatible broker in this process: franz-go's kfake.
type Broker struct {
	cluster *kfake.Cluster
	log     *logFiles // nil: not synced
	release func() error
}

// Network connects brokers and clients of one process without sockets.
type Network = kfake.VirtualNetwork

// Embed starts a broker. Data of an earlier one in the same directory is there
// again, also after a crash.
func Embed(cfg BrokerConfig) (*Broker, error) {
	b := &Broker{release: func() error { return nil }}
	opts := []kfake.Opt{kfake.NumBrokers(1), kfake.ClusterID(embeddedID), kfake.DefaultNumPartitions(1), kfake.Ports(cfg.Port)}
	listen := net.Listen
	if cfg.Network != nil {
		listen = cfg.Network.Listen
		opts = append(opts, kfake.GroupMaxSessionTimeout(24*time.Hour)) // see Config.Heartbeat
	}
	if cfg.Dir != "" {
		if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
			return nil, fmt.Errorf("start embedded broker: %w", err)
		}
		release, err := lock.File(filepath.Join(cfg.Dir, "broker.lock"))
		if err != nil {
			return nil, fmt.Errorf("start embedded broker on %s: %w", cfg.Dir, err)
		}
		b.release = release
		dir := filepath.Join(cfg.Dir, "log")
		opts = append(opts, kfake.DataDir(dir))
		if !cfg.Unsynced {
			b.log = newLogFiles(dir, cmp.Or(cfg.Logger, slog.Default()))
		}
	}
	opts = append(opts, kfake.ListenFn(func(network, address string) (net.Listener, error) {
		l, err := listen(network, address)
		if err != nil || b.log == nil {
			return l, err
		}
		return durable{l, b.log}, nil
	}))
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start embedded broker: %w", err), b.release())
	}
	b.cluster = cluster
	if cfg.Network != nil {
		b.hurryFirstFetches()
	}
	return b, nil
}

// hurryFirstFetches answers the first fetch of each session soon. It may ask for a part
// of what its consumer has just been given, and the rest waits for its answer
// (franz-go 1.22): up to FetchWait, which in tests can be an hour.
func (b *Broker) hurryFirstFetches() {
	b.cluster.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		if fetch := r.(*kmsg.FetchRequest); fetch.SessionEpoch == 0 {
			fetch.MaxWaitMillis = min(fetch.MaxWaitMillis, 10)
		}
		return nil, nil, false
	})
}

// Addrs are the addresses to connect to.
func (b *Broker) Addrs() []string { return b.cluster.ListenAddrs() }

// Cluster gives tests the broker's faults and controls.
func (b *Broker) Cluster() *kfake.Cluster { return b.cluster }

// Close stops the broker; what it acknowledged is on disk.
func (b *Broker) Close() error {
	b.cluster.Close()
	if b.log != nil {
		b.log.close()
	}
	return b.release()
}
