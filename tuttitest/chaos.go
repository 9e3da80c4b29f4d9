package tuttitest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/service"
)

// Fault is a kind of harm.
type Fault string

// The faults of [World.Chaos].
const (
	Kill       Fault = "kill"       // a service crashes at any time, and is started again
	CrashPoint Fault = "crash"      // a service crashes at a point within a batch, and is started again
	Cut        Fault = "cut"        // a service does not reach the broker
	Drop       Fault = "drop"       // a service's connections break once
	Delay      Fault = "delay"      // what a service sends is late, perhaps until the broker takes it for dead
	Duplicate  Fault = "duplicate"  // a part of the log is written again, as by an instance taken for dead
	Corrupt    Fault = "corrupt"    // records arrive damaged
	Refuse     Fault = "refuse"     // the broker refuses records of a topic, for good or for a while
	Unanswered Fault = "unanswered" // the broker writes records and says that it did not
	Rebalance  Fault = "rebalance"  // a service has to join its group again
)

// AllFaults is every kind of fault, in a fixed order: plans depend on it.
var AllFaults = []Fault{Kill, CrashPoint, Cut, Drop, Delay, Duplicate, Corrupt, Refuse, Unanswered, Rebalance}

// Chaos says how much harm is done. Its zero value is the documented default.
type Chaos struct {
	// Over is the time in which the faults begin; default 20 s.
	Over time.Duration
	// Faults is how many there are; default 8.
	Faults int
	// Kinds of faults; default [AllFaults].
	Kinds []Fault
	// Services that are harmed; default all that run now.
	Services []string
}

// harm is one fault of a plan.
type harm struct {
	kind    Fault
	at      time.Duration
	lasts   time.Duration
	service string
	topic   string
	point   service.Point
	n       int
}

func (h harm) String() string {
	return fmt.Sprintf("%s %s %s at %v for %v (%s, %d)", h.kind, h.service, h.topic, h.at, h.lasts, h.point, h.n)
}

// Chaos begins to harm services and network, as the world's seed decides, and
// returns at once. The faults go on beside the test until they are over; Quiet
// waits for that. Whatever crashes is started again.
func (w *World) Chaos(c Chaos) {
	w.t.Helper()
	if c.Over == 0 {
		c.Over = 20 * time.Second
	}
	if c.Faults == 0 {
		c.Faults = 8
	}
	if c.Kinds == nil {
		c.Kinds = AllFaults
	}
	if c.Services == nil {
		for _, i := range w.all() {
			if !i.hasEnded() {
				c.Services = append(c.Services, i.name)
			}
		}
	}
	topics := w.topicNames()
	slices.Sort(topics)
	if len(c.Services) == 0 || len(topics) == 0 {
		w.t.Fatal("chaos needs services that run")
	}
	for _, h := range plan(w.rng, c, topics) {
		w.chaos.Go(func() {
			time.Sleep(h.at)
			w.log.Info("fault", "what", h.String())
			w.harm(h)
		})
	}
}

// plan draws the faults. It is the same for the same seed, services and topics.
func plan(rng *rand.Rand, c Chaos, topics []string) []harm {
	points := []service.Point{service.BeforeBegin, service.BeforeCommit, service.AfterCommit, service.BetweenSends, service.BeforeJob, service.AfterJob}
	harms := make([]harm, c.Faults)
	for n := range harms {
		harms[n] = harm{
			kind: c.Kinds[rng.IntN(len(c.Kinds))], at: time.Duration(rng.Int64N(int64(c.Over))), lasts: time.Millisecond << rng.IntN(16), // to 33 s
			service: c.Services[rng.IntN(len(c.Services))], topic: topics[rng.IntN(len(topics))],
			point: points[rng.IntN(len(points))], n: 1 + rng.IntN(8),
		}
	}
	return harms
}

// harm does one fault, and undoes it.
func (w *World) harm(h harm) {
	w.mu.Lock()
	i := w.instances[h.service]
	w.mu.Unlock()
	switch h.kind {
	case Duplicate:
		w.duplicate(h)
		return
	case Refuse:
		faults := []kafka.SendFault{kafka.Busy, kafka.Invalid, kafka.TooLarge, kafka.Forbidden}
		w.broker.FailSends(h.topic, faults[h.n%len(faults)], 1+h.n/4)
		return
	case Unanswered:
		w.broker.FailSends(h.topic, kafka.Unanswered, 1)
		return
	case Rebalance:
		w.broker.Rebalance(serviceOf(h.service), h.n%2 == 0)
		return
	}
	if i.hasEnded() {
		return // another fault got there first
	}
	switch h.kind {
	case Kill:
		w.kill(i)
		w.revive(i, h.lasts)
	case CrashPoint:
		i.arm(h.point, h.n)
		select {
		case <-i.ended:
			w.revive(i, h.lasts)
		case <-time.After(time.Minute): // it did not come that far
			i.arm(h.point, 0)
			if i.hasEnded() {
				w.revive(i, h.lasts)
			}
		}
	case Cut:
		i.link.setCut(true)
		time.Sleep(h.lasts)
		i.link.setCut(false)
	case Drop:
		i.link.drop()
	case Delay:
		i.link.slow(h.lasts)
		time.Sleep(h.lasts)
		i.link.slow(0)
	case Corrupt:
		i.link.garble(h.n)
	}
}

// revive starts a service again after a while, unless something else has.
func (w *World) revive(dead *instance, after time.Duration) {
	time.Sleep(after)
	w.mu.Lock()
	mine := w.instances[dead.name] == dead
	w.mu.Unlock()
	if !mine {
		return
	}
	i := &instance{name: dead.name, register: dead.register, cfg: dead.cfg}
	switch err := w.start(i); {
	case err == nil, i.wasAsked(), errors.Is(err, errRunning): // what another fault waited for has started it
	default:
		w.t.Errorf("start %s again: %v", dead.name, err)
	}
}

func (i *instance) wasAsked() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

// duplicate writes the end of a partition again.
func (w *World) duplicate(h harm) {
	bounds, err := w.bus.Bounds(context.Background(), "tuttitest", []string{h.topic})
	if err != nil {
		w.t.Errorf("copy records of %s: %v", h.topic, err)
		return
	}
	for p, b := range bounds {
		end := b.End
		if int(p.Number) != h.n%2 || end == b.Start {
			continue
		}
		from := max(b.Start, end-int64(h.n))
		entries, err := readLog(w.bus, map[event.Partition]int64{p: from}, map[event.Partition]int64{p: end})
		if err != nil {
			w.t.Errorf("read %s: %v", p, err)
			return
		}
		for _, e := range entries {
			// The broker may be told to refuse this one: then there is no copy.
			_, _ = w.out.send(context.Background(), p, e.raw)
		}
	}
}
