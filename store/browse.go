package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/tutti-go/tutti/event"
)

// Place is where a record is in the log, or was: of a log that is gone, parked records
// have offsets below 0.
type Place struct {
	event.Partition
	Offset int64
}

// String returns topic/partition@offset.
func (p Place) String() string { return p.Partition.String() + "@" + strconv.FormatInt(p.Offset, 10) }

// ParsePlace reads what [Place.String] returns.
func ParsePlace(s string) (Place, error) {
	bad := fmt.Errorf("%q is no place in the log: want topic/partition@offset, as in shop.order/0@42", s)
	topic, rest, slash := strings.Cut(s, "/")
	number, offset, at := strings.Cut(rest, "@")
	n, err := strconv.ParseInt(number, 10, 32)
	if !slash || !at || topic == "" || err != nil || n < 0 {
		return Place{}, bad
	}
	pos, err := strconv.ParseInt(offset, 10, 64)
	if err != nil {
		return Place{}, bad
	}
	return Place{event.Partition{Topic: topic, Number: int32(n)}, pos}, nil
}

// Version changes with each attempt at a parked record and with each change by a
// person: who has seen a record can tell whether it is still as they saw it.
func (p Parked) Version() string {
	return fmt.Sprintf("%s.%d.%d", p.State, p.Attempts, millis(p.Due))
}

// Brief is a parked record without its body, for lists.
type Brief struct {
	Parked
	Size   int // bytes of the body
	Behind int // records of its key that are parked behind it
}

// Bodies are left out of lists, so that a page takes little memory.
const briefColumns = `topic, part, pos, msgkey, state, attempts, due, since, error, headers, LENGTH(body),
	CASE WHEN state = 'waiting' OR LENGTH(msgkey) = 0 THEN 0 ELSE (SELECT COUNT(*) FROM tutti_parked AS later
		WHERE later.topic = tutti_parked.topic AND later.part = tutti_parked.part AND later.msgkey = tutti_parked.msgkey
		AND later.pos > tutti_parked.pos) END`

// BrowseParked returns the parked records of a selection, in the order of the log,
// from the one after a place on (nil: from the first), at most sel.Limit of them.
func (s *Store) BrowseParked(ctx context.Context, sel Selection, after *Place) ([]Brief, error) {
	where, args := sel.where()
	if after != nil {
		where += fmt.Sprintf(" AND (topic, part, pos) > ($%d, $%d, $%d)", len(args)+1, len(args)+2, len(args)+3)
		args = append(args, after.Topic, after.Number, after.Offset)
	}
	limit := sel.Limit
	if limit == 0 {
		limit = 1000
	}
	args = append(args, limit)
	out, err := Collect(ctx, s.Reader(), scanBrief, fmt.Sprintf(`SELECT `+briefColumns+` FROM tutti_parked
		WHERE %s ORDER BY topic, part, pos LIMIT $%d`, where, len(args)), args...)
	if err != nil {
		return nil, fmt.Errorf("browse parked records: %w", err)
	}
	return out, nil
}

func scanBrief(r Rows) (Brief, error) {
	var b Brief
	var due, since int64
	var state string
	var headers []byte
	if err := r.Scan(&b.Topic, &b.Number, &b.Offset, &b.Record.Key, &state, &b.Attempts, &due, &since, &b.Error, &headers, &b.Size, &b.Behind); err != nil {
		return b, err
	}
	b.State, b.Due, b.Since = State(state), fromMillis(due), fromMillis(since)
	u := &unpacker{b: headers}
	b.Record.Headers = u.headers()
	if u.err != nil {
		return b, fmt.Errorf("headers of %s@%d: %w", b.Partition, b.Offset, u.err)
	}
	return b, nil
}

// ParkedAt returns the record parked from a place, as this transaction sees it, and
// [ErrNoRows] if there is none.
func (tx *Tx) ParkedAt(ctx context.Context, at Place) (Parked, error) {
	rows, err := tx.Query(ctx, `SELECT `+parkedColumns+` FROM tutti_parked WHERE topic = $1 AND part = $2 AND pos = $3`, at.Topic, at.Number, at.Offset)
	return oneParked(rows, err)
}

// CountParked counts the parked records by state.
func (s *Store) CountParked(ctx context.Context) (map[State]int, error) {
	out := map[State]int{}
	_, err := Collect(ctx, s.Reader(), func(r Rows) (struct{}, error) {
		var state string
		var n int
		err := r.Scan(&state, &n)
		out[State(state)] = n
		return struct{}{}, err
	}, `SELECT state, COUNT(*) FROM tutti_parked GROUP BY state`)
	if err != nil {
		return nil, fmt.Errorf("count parked records: %w", err)
	}
	return out, nil
}
