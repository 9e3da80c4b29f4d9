package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/bulk"
)

// State of a parked record.
type State string

// A parked record is to be retried when due, waits behind an earlier record of
// its key, or is dead: it waits for redrive, edit or discard.
const (
	StateRetry   State = "retry"
	StateWaiting State = "waiting"
	StateDead    State = "dead"
)

// Parked is a record that could not be handled, or that follows one of the same
// key that could not.
type Parked struct {
	event.Partition
	Offset   int64
	State    State
	Attempts int
	Due      time.Time // of a dead letter: when it died
	Since    time.Time
	Error    string
	Record   event.Record // the bytes as they were read
}

// Size is about how many bytes a record takes in the database.
func (p Parked) Size() int64 {
	n := len(p.Record.Key) + len(p.Record.Value)
	for _, h := range p.Record.Headers {
		n += len(h.Key) + len(h.Value) + 4
	}
	return int64(n)
}

// Key is the record's key as text.
func (p Parked) Key() string { return string(p.Record.Key) }

const parkedColumns = `topic, part, pos, msgkey, state, attempts, due, since, error, headers, body`

// Park stores a record. One that is parked already is left as it is.
func (tx *Tx) Park(ctx context.Context, p Parked) error {
	if err := tx.Exec(ctx, `INSERT INTO tutti_parked (`+parkedColumns+`, size) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (topic, part, pos) DO NOTHING`,
		p.Topic, p.Number, p.Offset, notNil(p.Record.Key), string(p.State), p.Attempts, tx.dueOf(p), millis(tx.now), clip(p.Error),
		appendHeaders(nil, p.Record.Headers), notNil(p.Record.Value), p.Size()); err != nil {
		return fmt.Errorf("park %s@%d: %w", p.Partition, p.Offset, err)
	}
	return nil
}

// dueOf is what is stored as due: of a dead letter the time of its death, so that
// one that has died again is another version.
func (tx *Tx) dueOf(p Parked) int64 {
	if p.State == StateDead {
		return millis(tx.now)
	}
	return millis(p.Due)
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Unpark deletes a parked record.
func (tx *Tx) Unpark(ctx context.Context, p event.Partition, offset int64) error {
	if err := tx.Exec(ctx, `DELETE FROM tutti_parked WHERE topic = $1 AND part = $2 AND pos = $3`, p.Topic, p.Number, offset); err != nil {
		return fmt.Errorf("unpark %s@%d: %w", p, offset, err)
	}
	return nil
}

// Repark stores the outcome of another attempt.
func (tx *Tx) Repark(ctx context.Context, p Parked) error {
	if err := tx.Exec(ctx, `UPDATE tutti_parked SET state = $1, attempts = $2, due = $3, error = $4 WHERE topic = $5 AND part = $6 AND pos = $7`,
		string(p.State), p.Attempts, tx.dueOf(p), clip(p.Error), p.Topic, p.Number, p.Offset); err != nil {
		return fmt.Errorf("park %s@%d again: %w", p.Partition, p.Offset, err)
	}
	return nil
}

// Behind returns the first record parked of a key of a partition after an offset,
// and [ErrNoRows] if there is none.
func (tx *Tx) Behind(ctx context.Context, p event.Partition, key []byte, offset int64) (Parked, error) {
	if err := tx.regroup(ctx, p); err != nil {
		return Parked{}, err
	}
	rows, err := tx.Query(ctx, `SELECT `+parkedColumns+` FROM tutti_parked WHERE topic = $1 AND part = $2 AND msgkey = $3 AND pos > $4
		ORDER BY pos LIMIT 1`, p.Topic, p.Number, notNil(key), offset)
	return oneParked(rows, err)
}

// regroup is called before it is decided which records of a partition wait and which do
// not. Another instance may do so at the same time, or read on in the partition, and park
// more: neither sees what the other does, and a record could be left to wait behind none.
// All of them write the partition's position, which only one of them can.
func (tx *Tx) regroup(ctx context.Context, p event.Partition) error {
	if !tx.s.shared {
		return nil
	}
	if err := tx.Exec(ctx, `UPDATE tutti_position SET next = next WHERE topic = $1 AND part = $2`, p.Topic, p.Number); err != nil {
		return fmt.Errorf("look at what is parked in %s: %w", p, err)
	}
	return nil
}

func oneParked(rows Rows, err error) (Parked, error) {
	if err != nil {
		return Parked{}, err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return Parked{}, err
		}
		return Parked{}, ErrNoRows
	}
	return scanParked(rows)
}

// ParkedBefore reports whether a record of a key is parked before an offset.
func (tx *Tx) ParkedBefore(ctx context.Context, p event.Partition, key []byte, offset int64) (bool, error) {
	var pos int64
	err := tx.QueryRow(ctx, `SELECT pos FROM tutti_parked WHERE topic = $1 AND part = $2 AND msgkey = $3 AND pos < $4 LIMIT 1`,
		p.Topic, p.Number, notNil(key), offset).Scan(&pos)
	if errors.Is(err, ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for records parked before %s@%d: %w", p, offset, err)
	}
	return true, nil
}

// ToRetry returns the parked record at an offset if it is to be retried, and
// [ErrNoRows] otherwise.
func (tx *Tx) ToRetry(ctx context.Context, p event.Partition, offset int64) (Parked, error) {
	rows, err := tx.Query(ctx, `SELECT `+parkedColumns+` FROM tutti_parked WHERE topic = $1 AND part = $2 AND pos = $3 AND state = 'retry'`,
		p.Topic, p.Number, offset)
	return oneParked(rows, err)
}

// ParkedKeys counts the parked records of a partition by key, and says how many bytes
// they have.
func (s *Store) ParkedKeys(ctx context.Context, p event.Partition) (keys map[string]int, size int64, err error) {
	rows, err := s.Reader().Query(ctx, `SELECT msgkey, COUNT(*), CAST(SUM(size) AS BIGINT) FROM tutti_parked WHERE topic = $1 AND part = $2 GROUP BY msgkey`, p.Topic, p.Number)
	if err != nil {
		return nil, 0, fmt.Errorf("read keys parked in %s: %w", p, err)
	}
	defer rows.Close()
	keys = map[string]int{}
	for rows.Next() {
		var key []byte
		var n int
		var bytes int64
		if err := rows.Scan(&key, &n, &bytes); err != nil {
			return nil, 0, fmt.Errorf("read keys parked in %s: %w", p, err)
		}
		keys[string(key)] = n
		size += bytes
	}
	return keys, size, rows.Err()
}

// Owned says which partitions are an instance's where several share a database. What
// belongs to topics that none of them reads any more is everyone's.
type Owned struct {
	Partitions []event.Partition
	Read       []string // topics
}

// where returns a condition of SQL, its arguments beginning after those that there are.
func (o *Owned) where(args []any) (string, []any) {
	if o == nil {
		return "", args
	}
	var or []string
	for _, p := range o.Partitions {
		args = append(args, p.Topic, p.Number)
		or = append(or, fmt.Sprintf("topic = $%d AND part = $%d", len(args)-1, len(args)))
	}
	foreign := "1 = 1"
	for _, topic := range o.Read {
		args = append(args, topic)
		foreign += fmt.Sprintf(" AND topic <> $%d", len(args))
	}
	return " AND (" + strings.Join(append(or, foreign), " OR ") + ")", args
}

// DueParked returns the records to retry that are due at now, at most limit of
// them, and when the first of the others will be due (zero if there is none): those in
// partitions that are owned, or all if owned is nil. It leaves out headers and bodies,
// which may be large: see [Tx.ToRetry].
func (s *Store) DueParked(ctx context.Context, now time.Time, limit int, owned *Owned) ([]Parked, time.Time, error) {
	where, args := owned.where([]any{limit + 1})
	all, err := Collect(ctx, s.Reader(), scanDue, `SELECT topic, part, pos, msgkey, due, error FROM tutti_parked WHERE state = 'retry'`+where+` ORDER BY due LIMIT $1`, args...)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read parked records that are due: %w", err)
	}
	for i, p := range all {
		if p.Due.After(now) || i == limit {
			return all[:i], p.Due, nil
		}
	}
	return all, time.Time{}, nil
}

// Selection picks parked records. Empty fields pick all.
type Selection struct {
	State     State
	Topic     string
	Partition *int32
	Key       string
	Error     string // a part of the error's text, in upper or lower case
	Offset    *int64 // with Topic: one record of each partition
	Limit     int    // 0 means 1000
}

// where returns the selection as a condition of SQL, and its arguments.
func (sel Selection) where() (string, []any) {
	where, args := []string{"1 = 1"}, []any{}
	pick := func(condition string, arg any) {
		args = append(args, arg)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	if sel.State != "" {
		pick("state = $%d", string(sel.State))
	}
	if sel.Topic != "" {
		pick("topic = $%d", sel.Topic)
	}
	if sel.Partition != nil {
		pick("part = $%d", *sel.Partition)
	}
	if sel.Key != "" {
		pick("msgkey = $%d", []byte(sel.Key))
	}
	if sel.Error != "" {
		text := strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(sel.Error)
		pick(`LOWER(error) LIKE LOWER($%d) ESCAPE '\'`, "%"+text+"%")
	}
	if sel.Offset != nil {
		pick("pos = $%d", *sel.Offset)
	}
	return strings.Join(where, " AND "), args
}

// ListParked returns the parked records of a selection, in the order of the log.
func (s *Store) ListParked(ctx context.Context, sel Selection) ([]Parked, error) {
	where, args := sel.where()
	args = append(args, cmp.Or(sel.Limit, 1000))
	out, err := Collect(ctx, s.Reader(), scanParked, fmt.Sprintf(`SELECT `+parkedColumns+` FROM tutti_parked
		WHERE %s ORDER BY topic, part, pos LIMIT $%d`, where, len(args)), args...)
	if err != nil {
		return nil, fmt.Errorf("list parked records: %w", err)
	}
	return out, nil
}

// changeDead runs a statement that changes one dead letter, and fails if there is
// none.
func (tx *Tx) changeDead(ctx context.Context, verb, query string, p event.Partition, offset int64, args ...any) error {
	n, err := tx.Affected(ctx, query, append([]any{p.Topic, p.Number, offset}, args...)...)
	if err != nil {
		return fmt.Errorf("%s %s@%d: %w", verb, p, offset, err)
	}
	if n != 1 {
		return fmt.Errorf("%s %s@%d: %w among the dead letters", verb, p, offset, ErrNoRows)
	}
	return nil
}

// Redrive makes a dead letter due now, with all its attempts before it. Where an
// earlier record of its key is parked, it waits behind that one.
func (tx *Tx) Redrive(ctx context.Context, p event.Partition, offset int64) error {
	if err := tx.regroup(ctx, p); err != nil {
		return err
	}
	return tx.changeDead(ctx, "redrive", `UPDATE tutti_parked SET attempts = 0, due = $4, state = CASE WHEN LENGTH(msgkey) > 0 AND EXISTS (
			SELECT 1 FROM tutti_parked AS earlier WHERE earlier.topic = tutti_parked.topic AND earlier.part = tutti_parked.part
			AND earlier.msgkey = tutti_parked.msgkey AND earlier.pos < tutti_parked.pos) THEN 'waiting' ELSE 'retry' END
		WHERE topic = $1 AND part = $2 AND pos = $3 AND state = 'dead'`, p, offset, millis(tx.now))
}

// RedriveAll redrives the dead letters that died of an error that begins as one of these
// does, a few in each transaction, and returns how many there were.
func (s *Store) RedriveAll(ctx context.Context, errs []string) (redriven int, err error) {
	for piece := range bulk.Chunks(errs) {
		begins := make([]string, len(piece))
		for i := range piece {
			begins[i] = fmt.Sprintf("SUBSTR(error, 1, LENGTH($%[1]d)) = $%[1]d", i+1)
		}
		dead, err := Collect(ctx, s.Reader(), func(r Rows) (p Parked, err error) { return p, r.Scan(&p.Topic, &p.Number, &p.Offset) },
			`SELECT topic, part, pos FROM tutti_parked WHERE state = 'dead' AND (`+strings.Join(begins, " OR ")+`)`, bulk.Args(nil, piece)...)
		if err != nil {
			return redriven, fmt.Errorf("look for dead letters to redrive: %w", err)
		}
		for few := range slices.Chunk(dead, 100) {
			n, err := s.redrive(ctx, few)
			if err != nil {
				return redriven, err
			}
			redriven += n
		}
	}
	return redriven, nil
}

func (s *Store) redrive(ctx context.Context, few []Parked) (n int, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		n = 0 // it may run more than once
		for _, p := range few {
			switch err := tx.Redrive(ctx, p.Partition, p.Offset); {
			case err == nil:
				n++
			case !errors.Is(err, ErrNoRows): // another instance may have been first
				return err
			}
		}
		return nil
	})
	return n, err
}

// Edit replaces the body of a dead letter. It stays dead until it is redriven.
func (tx *Tx) Edit(ctx context.Context, p event.Partition, offset int64, body []byte) error {
	return tx.changeDead(ctx, "edit", `UPDATE tutti_parked SET size = size - OCTET_LENGTH(body) + $5, body = $4
		WHERE topic = $1 AND part = $2 AND pos = $3 AND state = 'dead'`, p, offset, notNil(body), len(body))
}

// Discard deletes a dead letter for ever, and makes the next record of its key
// due.
func (tx *Tx) Discard(ctx context.Context, p event.Partition, offset int64, key []byte) error {
	if err := tx.changeDead(ctx, "discard", `DELETE FROM tutti_parked
		WHERE topic = $1 AND part = $2 AND pos = $3 AND state = 'dead'`, p, offset); err != nil {
		return err
	}
	return tx.wakeNext(ctx, p, key, offset)
}

// wakeNext makes the record behind offset of a key due now, if one waits.
func (tx *Tx) wakeNext(ctx context.Context, p event.Partition, key []byte, offset int64) error {
	if err := tx.regroup(ctx, p); err != nil {
		return err
	}
	if err := tx.Exec(ctx, `UPDATE tutti_parked SET state = 'retry', due = $5 WHERE topic = $1 AND part = $2 AND msgkey = $3 AND state = 'waiting'
		AND pos = (SELECT MIN(pos) FROM tutti_parked WHERE topic = $1 AND part = $2 AND msgkey = $3 AND pos > $4)`,
		p.Topic, p.Number, notNil(key), offset, millis(tx.now)); err != nil {
		return fmt.Errorf("wake the record behind %s@%d: %w", p, offset, err)
	}
	return nil
}

func scanDue(r Rows) (Parked, error) {
	p := Parked{State: StateRetry}
	var due int64
	err := r.Scan(&p.Topic, &p.Number, &p.Offset, &p.Record.Key, &due, &p.Error)
	p.Due = fromMillis(due)
	return p, err
}

func scanParked(r Rows) (Parked, error) {
	var p Parked
	var due, since int64
	var state string
	var headers []byte
	if err := r.Scan(&p.Topic, &p.Number, &p.Offset, &p.Record.Key, &state, &p.Attempts, &due, &since, &p.Error, &headers, &p.Record.Value); err != nil {
		return p, err
	}
	p.State, p.Due, p.Since = State(state), fromMillis(due), fromMillis(since)
	u := &unpacker{b: headers}
	p.Record.Headers = u.headers()
	if u.err != nil {
		return p, fmt.Errorf("headers of %s@%d: %w", p.Partition, p.Offset, u.err)
	}
	return p, nil
}
