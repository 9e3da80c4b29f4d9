package service

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/store"
)

// fetch polls and decodes until ctx ends.
func (l *loop) fetch(ctx context.Context, c *kafka.Consumer) error {
	for {
		fetched, err := c.Poll(ctx, l.s.cfg.Batch)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		n := 0
		for _, f := range fetched {
			n += len(f.Records)
		}
		ds := make([]delivery, 0, n)
		for _, f := range fetched {
			for _, r := range f.Records {
				var m message // none
				if !r.Control {
					m = l.decode(f.Partition, r.Offset, r.Record)
				}
				// One that is too long stays so, and takes no more room in memory and indexes.
				r.Key = r.Key[:min(len(r.Key), event.MaxKey+1)]
				ds = append(ds, delivery{f.Partition, r, m, false})
			}
			l.mu.Lock()
			switch {
			case f.Err != nil:
				l.unread[f.Partition] = unread{f.Err, time.Now()}
			case l.assigned[f.Partition]:
				e := l.ends[f.Partition]
				e.log = max(e.log, f.End)
				l.ends[f.Partition] = e
			}
			l.mu.Unlock()
		}
		if len(ds) == 0 {
			continue
		}
		select {
		case l.fetched <- ds:
		case <-ctx.Done():
			return nil
		}
	}
}

// decode reads a record, and finds who handles it.
func (l *loop) decode(p event.Partition, offset int64, r event.Record) message {
	var m message
	var data []byte
	m.env, data, m.err = event.Decode(r)
	m.env.Topic, m.env.Partition, m.env.Offset = p.Topic, p.Number, offset
	if m.err != nil {
		return m
	}
	if m.binding, m.err = l.s.binding(m.env); m.err != nil || m.binding == nil {
		return m
	}
	m.err = safely(func() (err error) {
		m.body, err = m.binding.Decode(m.env, data)
		return err
	})
	return m
}

// renew decodes a record once more that its handler was given before, in an attempt that
// was undone: it may have changed what it was given.
func (l *loop) renew(d *delivery) {
	if d.given {
		d.message = l.decode(d.Partition, d.Offset, d.Record)
	}
	d.given = true
}

// binding finds the handler of a message: nil if nobody here wants its type, an
// error if its version is not known.
func (s *Service) binding(e event.Envelope) (*event.Binding[*store.Tx], error) {
	versions := s.byType[typeID{e.Topic, e.Type}]
	if len(versions) == 0 {
		return nil, nil
	}
	if e.Version == 0 && len(versions) == 1 {
		return versions[0], nil // foreign, and there is no choice
	}
	for _, b := range versions {
		if b.Contract.Version == e.Version {
			return b, nil
		}
	}
	known := make([]int, len(versions))
	for i, b := range versions {
		known[i] = b.Contract.Version
	}
	slices.Sort(known)
	return nil, fmt.Errorf("%w %d", s.unversed(e.Type, e.Version), known)
}

// unversed begins the error of a record whose version the service does not handle: it is
// tried again when an instance starts that does.
func (s *Service) unversed(typ string, version int) error {
	has := fmt.Sprintf("has version %d", version)
	if version == 0 {
		has = "says no version"
	}
	return fmt.Errorf("%w: %s %s, and service %s handles", event.ErrMalformed, typ, has, s.name)
}
