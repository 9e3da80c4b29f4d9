package service

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tutti-go/tutti/event"
)

// Status is how a service is. Counts are since its start.
type Status struct {
	Service string `json:"service"`
	Ready   bool   `json:"ready"`
	// Problems says what is wrong, if anything is.
	Problems []string `json:"problems,omitempty"`
	Lag      []Lag    `json:"lag,omitempty"`

	Handled      int64 `json:"handled"`
	Unknown      int64 `json:"unknown"`     // records of types that nobody here handles
	Duplicates   int64 `json:"duplicates"`  // records dropped because they were seen
	Gaps         int64 `json:"gaps"`        // records dropped because one before them was missing
	Parked       int64 `json:"parked"`      // records parked
	Dead         int64 `json:"dead"`        // dead letters made
	Redelivered  int64 `json:"redelivered"` // attempts at parked records
	Published    int64 `json:"published"`
	Resent       int64 `json:"resent"` // events sent again because sending failed
	Transactions int64 `json:"transactions"`

	// Unsent is how many committed events Kafka has not acknowledged, at least (what an
	// instance has left is read bit by bit), and UnsentSeconds how long the oldest of them has waited.
	Unsent        int     `json:"unsent"`
	UnsentSeconds float64 `json:"unsentSeconds,omitempty"`
}

// Lag is how far a service is behind the end of a partition.
type Lag struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Next      int64  `json:"next"`
	End       int64  `json:"end"`
	// Seconds is the age of the last record handled, where some wait behind it.
	Seconds float64 `json:"seconds"`
}

// unreadFor is how long a partition that could not be read is taken for one that cannot:
// it is tried again all the time.
const unreadFor = 5 * time.Second

// Status returns how the service is. It is safe for concurrent use.
func (s *Service) Status() Status {
	l := s.loop
	st := Status{
		Service: s.name,
		Handled: l.totals.handled.Load(), Unknown: l.totals.unknown.Load(), Duplicates: l.totals.duplicate.Load(), Gaps: l.totals.gap.Load(),
		Parked: l.totals.parked.Load(), Dead: l.totals.dead.Load(), Redelivered: l.totals.redelivered.Load(),
		Published: l.totals.published.Load(), Transactions: l.totals.transactions.Load(),
	}
	select {
	case <-s.stopped:
		st.Problems = append(st.Problems, "stopped")
		return st
	default: // ready stays closed when it stops, and select would take either
	}
	select {
	case <-s.ready:
	default:
		st.Problems = append(st.Problems, "starting")
		if why := l.waits.Load(); why != nil {
			st.Problems = append(st.Problems, (*why).Error())
		}
		return st
	}
	st.Ready = true
	if ill := l.ill.Load(); ill != nil {
		st.Ready = false
		st.Problems = append(st.Problems, fmt.Sprintf("the database has taken no transaction for %v: %v", time.Since(ill.since).Truncate(time.Second), ill.err))
	} else if d, what := l.hangs(); d > 0 {
		st.Ready = false
		st.Problems = append(st.Problems, fmt.Sprintf("one transaction has been running for %v: %s", d, what))
	}
	if f := l.stalled.Load(); f != nil {
		st.Ready = false
		st.Problems = append(st.Problems, f.String(s))
	}
	for _, g := range l.missing() {
		st.Ready = false
		st.Problems = append(st.Problems, missingFor(g))
	}
	var since time.Time
	var trouble error
	st.Resent = l.relay.resent.Load()
	if st.Unsent, since, trouble = l.relay.status(); !since.IsZero() {
		st.UnsentSeconds = time.Since(since).Seconds()
	}
	if trouble == nil && st.UnsentSeconds > 10 {
		trouble = errors.New("events have waited for Kafka's acknowledgement for over 10 seconds")
	}
	if trouble != nil {
		st.Problems = append(st.Problems, trouble.Error())
	}
	problems := len(st.Problems)
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, u := range l.unread {
		if time.Since(u.at) < unreadFor {
			st.Problems = append(st.Problems, fmt.Sprintf("%s cannot be read: %v", p, u.err))
		}
	}
	slices.Sort(st.Problems[problems:])
	for p, e := range l.ends {
		lag := Lag{Topic: p.Topic, Partition: p.Number, Next: e.next, End: e.log}
		if e.log > e.next && !e.handled.IsZero() {
			lag.Seconds = time.Since(e.handled).Seconds()
		}
		st.Lag = append(st.Lag, lag)
	}
	slices.SortFunc(st.Lag, func(a, b Lag) int {
		if c := strings.Compare(a.Topic, b.Topic); c != 0 {
			return c
		}
		return int(a.Partition - b.Partition)
	})
	return st
}

// changed returns the positions handled since the last call.
func (l *loop) changed() map[event.Partition]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[event.Partition]int64{}
	for p, e := range l.ends {
		if e.next > e.told {
			out[p] = e.next
			e.told = e.next
			l.ends[p] = e
		}
	}
	return out
}

// untold makes positions part of the next changed: Kafka was not told.
func (l *loop) untold(next map[event.Partition]int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range next {
		if e, ok := l.ends[p]; ok {
			e.told = -1
			l.ends[p] = e
		}
	}
}

// news returns the last acknowledged event of partitions where that has changed
// since the last call.
func (r *relay) news() map[event.Partition]mark {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[event.Partition]mark{}
	if r.lost {
		return out
	}
	for p, m := range r.marks {
		if r.told[p] != m {
			out[p] = m
		}
	}
	r.told = maps.Clone(r.marks)
	return out
}

// routes serves liveness and readiness.
func (s *Service) routes() {
	s.Handle(healthPattern, func(w http.ResponseWriter, _ *http.Request) error {
		return WriteJSON(w, statusIf(s.alive()), s.Status())
	})
	s.Handle(readyPattern, func(w http.ResponseWriter, _ *http.Request) error {
		st := s.Status()
		return WriteJSON(w, statusIf(st.Ready), st)
	})
}

const (
	healthPattern = "GET /healthz"
	readyPattern  = "GET /readyz"
)

// alive reports whether the service has not ended.
func (s *Service) alive() bool {
	select {
	case <-s.stopped:
		return false
	default:
		return true
	}
}

func statusIf(well bool) int {
	if well {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}

// healthOf answers for several services at once.
func healthOf(services []*Service, well func(*Service) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		answer := struct {
			OK       bool     `json:"ok"`
			Services []Status `json:"services"`
		}{OK: true}
		for _, s := range services {
			answer.OK = answer.OK && well(s)
			answer.Services = append(answer.Services, s.Status())
		}
		_ = WriteJSON(w, statusIf(answer.OK), answer) // a status can be encoded
	}
}
