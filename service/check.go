package service

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/store"
)

// ErrMismatch says that the database and the log do not fit together, because one
// of them went back in time or lost a part.
var ErrMismatch = errors.New("database and log do not fit together")

// checkAccess asks the cluster whether its rules let this service work.
func (s *Service) checkAccess(ctx context.Context) error {
	reads, writes := s.subscribed(), s.published()
	var groups []string
	if len(reads) > 0 {
		groups = append(groups, s.name)
	}
	if len(writes) > 0 {
		groups = append(groups, s.sentGroup())
	}
	return s.cfg.bus.CheckAccess(ctx, kafka.Access{Groups: groups, Reads: reads, Writes: writes})
}

// published lists the topics that the service writes, each once.
func (s *Service) published() []string {
	var topics []string
	for c := range s.publishes {
		topics = append(topics, c.Topic.Name)
	}
	slices.Sort(topics)
	return slices.Compact(topics)
}

// check compares the database with the log, and with what this service told Kafka
// of itself, before anything is read or sent.
func (r *running) check(ctx context.Context) error {
	s := r.s
	var positions map[event.Partition]store.Position
	read, err := r.around(ctx, s.name, s.subscribed(), func() (err error) {
		positions, err = r.db.Positions(ctx)
		return err
	})
	if err != nil {
		return err
	}
	ids, anew, err := r.topicIDs(ctx)
	if err != nil {
		return err
	}
	var faults []error
	resets := map[event.Partition]int64{}
	for p, b := range read {
		pos, stored := positions[p]
		next, fault := s.fits(p, pos.Next, stored, b)
		if stored && anew[p.Topic] {
			next, fault = s.fitsNone(p, pos.Next, b, fault)
		}
		if fault != nil {
			faults = append(faults, fault)
			resets[p] = next
		}
	}
	backwards, stale, err := r.checkSent(ctx, anew)
	if err != nil {
		return err
	}
	faults = append(faults, backwards...)
	gaps, err := r.db.Gaps(ctx)
	if err != nil {
		return err
	}
	if len(faults) == 0 && (len(gaps) == 0 || s.cfg.Recover == Refuse) {
		if len(ids) == 0 {
			return nil
		}
		return r.db.Update(ctx, func(tx *store.Tx) error { return tx.KeepTopicIDs(ctx, ids) })
	}
	if s.cfg.Recover == Refuse {
		return fmt.Errorf("%w:\n%w\nBring back the newest copy of what is behind, or start once with recovery %q (go on from what the database knows; "+
			"what it has forgotten is handled again) or %q (go on from what the log and its offsets say; what is between is left out)",
			ErrMismatch, errors.Join(faults...), Rewind, Skip)
	}
	gaps = slices.DeleteFunc(gaps, func(g store.Gap) bool { _, reset := resets[g.Partition]; return reset })
	for _, g := range gaps {
		faults = append(faults, fmt.Errorf("%s: %s of lane %s are missing", g.Partition, theNumbers(g), g.Lane))
	}
	s.log.Warn("recovering although database and log do not fit", "how", string(s.cfg.Recover), "why", errors.Join(faults...))
	if len(faults) > len(gaps) {
		err = r.db.Reincarnate(ctx)
	} else { // the numbers of this service are sound
		err = r.db.Unused(ctx)
	}
	if err != nil {
		return err
	}
	back := map[event.Partition]int64{}
	if err := r.db.Update(ctx, func(tx *store.Tx) error {
		for p, next := range resets {
			if err := tx.ResetPosition(ctx, p, next); err != nil {
				return err
			}
		}
		if err := tx.KeepTopicIDs(ctx, ids); err != nil {
			return err
		}
		return s.overGaps(ctx, tx, gaps, func(p event.Partition) int64 { return read[p].Start }, back)
	}); err != nil {
		return err
	}
	maps.Copy(resets, back)
	return r.renote(ctx, resets, stale)
}

// topicIDs returns the ids of topics that the database does not know, and which topics
// were others when they were last used: whatever they hold by now, offsets and numbers of
// before mean nothing in them.
func (r *running) topicIDs(ctx context.Context) (ids map[string]string, anew map[string]bool, err error) {
	var names []string
	for _, t := range r.s.topics() {
		names = append(names, t.Name)
	}
	ids, anew = map[string]string{}, map[string]bool{}
	if len(names) == 0 {
		return ids, anew, nil
	}
	known, err := r.db.TopicIDs(ctx)
	if err != nil {
		return nil, nil, err
	}
	now, err := r.s.cfg.bus.TopicIDs(ctx, names)
	if err != nil {
		return nil, nil, err
	}
	for name, raw := range now {
		if id := topicID(raw); id != "" && id != known[name] {
			ids[name], anew[name] = id, known[name] != ""
		}
	}
	return ids, anew, nil
}

// topicID is the id of a topic as it is stored: "" if it has none, as before Kafka 2.8.
func topicID(raw [16]byte) string {
	if raw == [16]byte{} {
		return ""
	}
	return hex.EncodeToString(raw[:])
}

// around reads what Kafka knows of topics: what a group has committed from before the
// database is read, and the ends of the log from after it. Other instances go on
// meanwhile, and that must look like nothing is wrong.
func (r *running) around(ctx context.Context, group string, topics []string, database func() error) (map[event.Partition]kafka.Bounds, error) {
	before, err := r.s.cfg.bus.Bounds(ctx, group, topics)
	if err != nil {
		return nil, err
	}
	if err := database(); err != nil || !r.db.Shared() {
		return before, err
	}
	after, err := r.s.cfg.bus.Bounds(ctx, group, topics)
	if err != nil {
		return nil, err
	}
	for p, b := range before {
		b.End = max(b.End, after[p].End)
		before[p] = b
	}
	return before, nil
}

// renote replaces what this service told Kafka of itself and no longer holds after a
// recovery: the next start would be refused because of it.
func (r *running) renote(ctx context.Context, resets map[event.Partition]int64, stale map[event.Partition]kafka.Mark) error {
	l, read := r.s.loop, map[event.Partition]kafka.Mark{}
	l.mu.Lock()
	for p, next := range resets { // told again with the first report
		l.ends[p] = end{log: next, next: next, told: -1}
		read[p] = kafka.Mark{Offset: next}
	}
	l.mu.Unlock()
	if len(read) > 0 {
		if err := r.s.cfg.bus.Commit(ctx, r.s.name, read); err != nil { // Kafka may still count a member that is gone
			r.s.log.Debug("note where the service reads on", "error", err)
		}
	}
	if len(stale) == 0 {
		return nil
	}
	return r.s.cfg.bus.Commit(ctx, r.s.sentGroup(), stale)
}

// fits compares a position with the log. If they do not fit, it returns where
// recovery continues, and why.
func (s *Service) fits(p event.Partition, next int64, stored bool, b kafka.Bounds) (int64, error) {
	switch {
	case !stored && b.Committed > b.Start:
		return s.recoverAt(b.Start, b), fmt.Errorf(
			"%s: this database never read it, but the service had read up to %d: it is a new or an old database", p, b.Committed)
	case !stored:
		return 0, nil
	case next > b.End:
		return b.End, fmt.Errorf(
			"%s: the database has handled it up to %d, but the log ends at %d: the log was cut, or its topic made anew", p, next, b.End)
	case next < b.Start && s.cfg.guards.heads:
		return b.Start, fmt.Errorf(
			"%s: the next record is %d, but the log begins at %d: %d records were deleted by retention before they were handled", p, next, b.Start, b.Start-next)
	case b.Committed > next:
		return s.recoverAt(next, b), fmt.Errorf(
			"%s: the database has handled it up to %d, but the service had up to %d: the database is an old copy", p, next, b.Committed)
	}
	return 0, nil
}

// fitsNone is fits where the topic was made anew. What else does not fit, fault says.
func (s *Service) fitsNone(p event.Partition, next int64, b kafka.Bounds, fault error) (int64, error) {
	if fault == nil {
		fault = fmt.Errorf("%s: the database has handled it up to %d, but its topic was made anew since: the log, which ends at %d, is another", p, next, b.End)
	}
	if s.cfg.Recover == Skip {
		return min(max(next, b.Start), b.End), fault
	}
	return b.Start, fault
}

func (s *Service) recoverAt(database int64, log kafka.Bounds) int64 {
	if s.cfg.Recover == Skip {
		return min(log.Committed, log.End)
	}
	return database
}

// checkSent compares what the outbox has numbered with what this service told
// Kafka it had sent: numbers must not be given twice. stale is what to tell Kafka
// instead, where the log is shorter than that.
func (r *running) checkSent(ctx context.Context, anew map[string]bool) (faults []error, stale map[event.Partition]kafka.Mark, err error) {
	var numbered, unsent map[store.LanePartition]int64
	sent, err := r.around(ctx, r.s.sentGroup(), r.s.published(), func() (err error) {
		if numbered, err = r.db.Numbered(ctx); err == nil {
			unsent, err = r.db.CountUnsent(ctx)
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	written := map[event.Partition]int64{} // at least so many records are in the log
	for lp, seq := range numbered {
		written[lp.Partition] += seq - unsent[lp]
	}
	stale = map[event.Partition]kafka.Mark{}
	for p, b := range sent {
		note, lost := strings.CutSuffix(b.Metadata, cutMark)
		if b.Committed > b.End || lost || anew[p.Topic] {
			stale[p] = kafka.Mark{Offset: b.End}
		}
		if written[p] > b.End {
			faults = append(faults, fmt.Errorf("%s: this service had sent %d events, but the log ends at %d: the log was cut, or its topic made anew", p, written[p], b.End))
			continue
		}
		if anew[p.Topic] && written[p] > 0 && !lost {
			faults = append(faults, fmt.Errorf("%s: this service had sent %d events, but its topic was made anew since", p, written[p]))
			continue
		}
		if b.Committed < 0 {
			continue
		}
		switch {
		case lost:
			faults = append(faults, fmt.Errorf("%s: this service had sent events up to %d, and then later ones were before that: the log was cut, or its topic made anew", p, b.Committed))
		case b.Committed > b.End:
			faults = append(faults, fmt.Errorf("%s: this service had sent events up to %d, but the log ends at %d: the log was cut, or its topic made anew", p, b.Committed, b.End))
		}
		lane, number, ok := strings.Cut(note, " ")
		seq, err := strconv.ParseInt(number, 10, 64)
		if !ok || err != nil || !strings.HasPrefix(lane, r.db.Name()+".") {
			continue // of another incarnation: its numbers are not ours
		}
		if have := numbered[store.LanePartition{Lane: lane, Partition: p}]; have < seq {
			faults = append(faults, fmt.Errorf("%s: the database has numbered %d events for it, but the service had sent %d: the database is an old copy", p, have, seq))
		}
	}
	return faults, stale, nil
}
