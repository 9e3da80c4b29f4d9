package bus

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"time"

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
// with its data in dir/broker. It waits for brokers that do not answer, and says so:
// they may be starting as well.
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
	if o.Bus, err = patiently(ctx, cfg); err != nil {
		return nil, errors.Join(err, o.Close())
	}
	log.Info("connected to Kafka", "brokers", o.Brokers, "embedded", o.Embedded())
	return o, nil
}

const (
	pause = 500 * time.Millisecond // where an attempt fails at once
	every = 5 * time.Second        // it is said that one waits
	doubt = 30 * time.Second       // whether it is a broker that hangs up, or a proxy before one that is starting
)

// patiently connects as soon as a broker answers. Each attempt may take longer than one
// before that was not answered: on a machine that has little time for us, none that is
// short succeeds.
func patiently(ctx context.Context, cfg kafka.Config) (*kafka.Bus, error) {
	var said time.Time
	quiet := time.Now() // when nobody hung up last
	for atMost := every; ; {
		begun := time.Now()
		b, err := connect(ctx, cfg, atMost)
		hungUp := errors.Is(err, kafka.ErrHungUp)
		if !hungUp {
			quiet = time.Now()
		}
		if waits := errors.Is(err, kafka.ErrUnreachable) || hungUp && time.Since(quiet) < doubt; !waits || ctx.Err() != nil {
			return b, err
		}
		if time.Since(said) >= every {
			said = time.Now()
			cfg.Logger.Warn("waiting for Kafka", "error", err)
		}
		if time.Since(begun) >= atMost {
			atMost = min(2*atMost, time.Minute)
			continue
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

func connect(ctx context.Context, cfg kafka.Config, atMost time.Duration) (*kafka.Bus, error) {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	return kafka.Connect(ctx, cfg)
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
