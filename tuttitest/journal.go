package tuttitest

import (
	"context"
	"slices"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
)

// Event is a message as it stands in the log.
type Event struct {
	event.Envelope
	Data []byte
}

// place is where a record stands.
type place struct {
	event.Partition
	offset int64
}

// entry is a record that the world has read.
type entry struct {
	Event
	at       place
	raw      event.Record
	copied   bool // an earlier record has the same source and id
	expected bool // the test wrote it, or an Expect named it
}

// journal is what the world has read of the log.
type journal struct {
	w       *World
	next    map[event.Partition]int64
	entries []entry
	ids     map[[2]string]bool
	own     map[place]bool // written by the test
}

func newJournal(w *World) *journal {
	return &journal{w: w, next: map[event.Partition]int64{}, ids: map[[2]string]bool{}, own: map[place]bool{}}
}

// refresh reads what the log has got since.
func (j *journal) refresh() {
	j.w.t.Helper()
	from := map[event.Partition]int64{}
	ends := j.w.broker.Ends(j.w.topicNames())
	for p, end := range ends {
		if j.next[p] < end {
			from[p] = j.next[p]
		}
	}
	if len(from) == 0 {
		return
	}
	records, err := readLog(j.w.bus, from, ends)
	if err != nil {
		j.w.t.Fatalf("read the log: %v", err)
	}
	for p := range from {
		j.next[p] = ends[p]
	}
	for _, e := range records {
		id := [2]string{e.Source, e.ID}
		e.copied, j.ids[id] = j.ids[id], true
		e.expected = j.own[e.at]
		j.entries = append(j.entries, e)
	}
}

// readLog reads partitions between two offsets, in the order of time.
func readLog(bus *kafka.Bus, from, ends map[event.Partition]int64) ([]entry, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	reader, err := bus.Reader("tuttitest", from)
	if err != nil {
		return nil, err
	}
	defer reader.Close(ctx)
	type timed struct {
		entry
		time time.Time
	}
	var out []timed
	for open := len(from); open > 0; {
		fetched, err := reader.Poll(ctx, 10_000)
		if err != nil {
			return nil, err
		}
		for _, f := range fetched {
			for _, r := range f.Records {
				if r.Offset >= ends[f.Partition] {
					continue
				}
				env, data, _ := event.Decode(r.Record) // what is malformed is shown as far as it goes
				env.Topic, env.Partition, env.Offset = f.Topic, f.Number, r.Offset
				out = append(out, timed{entry{Event: Event{env, data}, at: place{f.Partition, r.Offset}, raw: r.Record}, r.Time})
				if r.Offset == ends[f.Partition]-1 {
					open--
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b timed) int { return a.time.Compare(b.time) })
	entries := make([]entry, len(out))
	for n, e := range out {
		entries[n] = e.entry
	}
	return entries, nil
}
