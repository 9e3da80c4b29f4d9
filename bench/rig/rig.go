package rig

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/tutti-go/tutti/bench/load"
	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/service"
)

// Rig is a broker and what runs on it.
type Rig struct {
	Bus      *kafka.Bus
	Services []*service.Service
	// Waiting is the orders under way: the watch ends them.
	Waiting load.Waiting

	start   func(run func(context.Context) error) // until stop
	stop    context.CancelFunc
	ended   chan error
	started int
	closers []func() error
}

// Open connects to the brokers of the settings, or embeds one. Even one that failed is
// to be closed.
func Open(ctx context.Context, s load.Settings, partitions int) (*Rig, error) {
	const most = 100 // that run at once
	r := &Rig{ended: make(chan error, most)}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	r.start = func(run func(context.Context) error) {
		r.started++
		go func() { r.ended <- run(running) }()
	}
	if len(s.Brokers) == 0 {
		broker, err := kafka.Embed(kafka.BrokerConfig{Dir: filepath.Join(s.Dir, "broker")})
		if err != nil {
			return r, err
		}
		r.closers = append(r.closers, broker.Close)
		s.Brokers = broker.Addrs()
	}
	var err error
	if r.Bus, err = kafka.Connect(ctx, kafka.Config{Brokers: s.Brokers, Partitions: partitions}); err != nil {
		return r, err
	}
	r.closers = append(r.closers, func() error { r.Bus.Close(); return nil })
	return r, nil
}

// Run runs a service until the end, and returns once it is ready.
func (r *Rig) Run(ctx context.Context, s *service.Service) error {
	r.Services = append(r.Services, s)
	r.start(s.Run)
	select {
	case <-s.Ready():
		return nil
	case err := <-r.ended:
		r.started--
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Watch ends the orders of which the log gets a message of a contract, from its present
// end on.
func (r *Rig) Watch(ctx context.Context, c event.Contract) error {
	bounds, err := r.Bus.Bounds(ctx, "", []string{c.Topic.Name})
	if err != nil {
		return err
	}
	from := map[event.Partition]int64{}
	for p, at := range bounds {
		from[p] = at.End
	}
	log, err := r.Bus.Reader("bench", from)
	if err != nil {
		return err
	}
	r.closers = append(r.closers, func() error { log.Close(context.Background()); return nil })
	r.start(func(ctx context.Context) error { return r.read(ctx, log, c.Type) })
	return nil
}

func (r *Rig) read(ctx context.Context, log *kafka.Consumer, wanted string) error {
	for {
		fetched, err := log.Poll(ctx, 10_000)
		if err != nil {
			if ctx.Err() != nil {
				err = nil
			}
			return err
		}
		for _, f := range fetched {
			for _, record := range f.Records {
				if typeOf(record.Record) == wanted {
					r.Waiting.End(string(record.Key))
				}
			}
		}
	}
}

// typeOf looks at no more than the type: the driver is not what is measured.
func typeOf(r event.Record) string {
	for _, h := range r.Headers {
		if h.Key == "ce_type" {
			return string(h.Value)
		}
	}
	return ""
}

// CaughtUp waits until all services have read what the topics hold.
func (r *Rig) CaughtUp(ctx context.Context, topics ...string) error {
	bounds, err := r.Bus.Bounds(ctx, "", topics)
	if err != nil {
		return err
	}
	pause := time.NewTicker(50 * time.Millisecond)
	defer pause.Stop()
	for r.behind(bounds) {
		select {
		case <-pause.C:
		case err := <-r.ended:
			r.started--
			return errors.Join(errors.New("a service ended"), err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (r *Rig) behind(bounds map[event.Partition]kafka.Bounds) bool {
	for _, s := range r.Services {
		lags := s.Status().Lag
		if len(lags) == 0 {
			return true
		}
		for _, lag := range lags {
			if lag.Next < bounds[event.Partition{Topic: lag.Topic, Number: lag.Partition}].End {
				return true
			}
		}
	}
	return false
}

// Count is what the services have done since their start.
func (r *Rig) Count() map[string]float64 {
	counts := map[string]float64{}
	for _, s := range r.Services {
		st := s.Status()
		counts["transactions"] += float64(st.Transactions)
		counts["records"] += float64(st.Handled)
	}
	return counts
}

// Close stops all.
func (r *Rig) Close() error {
	r.stop()
	var errs []error
	for range r.started {
		select {
		case err := <-r.ended:
			errs = append(errs, err)
		case <-time.After(20 * time.Second):
			errs = append(errs, errors.New("stop services: one does not end"))
		}
	}
	for i := len(r.closers) - 1; i >= 0; i-- {
		errs = append(errs, r.closers[i]())
	}
	return errors.Join(errs...)
}
