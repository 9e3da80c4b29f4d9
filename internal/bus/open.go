package bus

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"

	"github.com/tutti-go/tutti/kafka"
)

// Opened is a connection to the bus and, if there is none elsewhere, the broker that
// it is to.
type Opened struct {
	*kafka.Bus
	// Brokers are the addresses of the brokers.
	Brokers []string
	broker  *kafka.Broker
}

// Open connects to the Kafka that --brokers names, or to a broker that it embeds,
// with its data in dir/broker.
func (s *Settings) Open(ctx context.Context, dir string, log *slog.Logger) (o *Opened, err error) {
	o = &Opened{Brokers: s.Brokers}
	if len(s.Brokers) == 0 {
		if o.broker, err = kafka.Embed(kafka.BrokerConfig{Dir: filepath.Join(dir, "broker"), Port: s.Port, Logger: log}); err != nil {
			return nil, err
		}
		o.Brokers = o.broker.Addrs()
	}
	cfg := s.Config()
	cfg.Brokers, cfg.Logger = o.Brokers, log
	if o.Bus, err = kafka.Connect(ctx, cfg); err != nil {
		return nil, errors.Join(err, o.Close())
	}
	log.Info("connected to Kafka", "brokers", o.Brokers, "embedded", o.Embedded())
	return o, nil
}

// Embedded reports whether the broker is this process's own.
func (o *Opened) Embedded() bool { return o.broker != nil }

// Close ends the connection, and the broker if it is ours.
func (o *Opened) Close() error {
	if o.Bus != nil {
		o.Bus.Close()
	}
	if o.broker == nil {
		return nil
	}
	return o.broker.Close()
}
