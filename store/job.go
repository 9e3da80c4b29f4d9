package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/bulk"
	"github.com/tutti-go/tutti/internal/fastjson"
)

// Job is work that waits to be done outside a transaction, or a timer that waits
// to be due. Kind and ID together identify it, and are its idempotency key.
type Job struct {
	Kind     string
	ID       string
	Due      time.Time
	Attempts int
	Failed   int // attempts of which the handler has failed, and not the work
	Args     []byte
	Cause    event.Cause
	Error    string // of the last attempt
	Running  bool   // an instance has it in memory
}

// A job waits in the table until it is due; it is running when an instance has it
// in memory, to work on or already working; dead, it waits for a person.
const (
	jobWaiting = "waiting"
	jobRunning = "running"
	jobDead    = "dead"
)

// AddJob stores a job unless one of the same kind and id is there. A job that is
// due now is handed to the workers right after the commit, if they have room. Jobs are
// written together: before one is taken back or changed, at the end of a savepoint, or at
// the commit, which is where the database's errors surface.
func (tx *Tx) AddJob(ctx context.Context, j Job) error {
	if tx.s.lane == nil {
		return fmt.Errorf("add job %s %s: no lane is held", j.Kind, j.ID)
	}
	if j.ID == "" || len(j.ID) > event.MaxKey {
		return event.Reject(fmt.Errorf("add job %s: id is %d bytes long, want 1 to %d", j.Kind, len(j.ID), event.MaxKey))
	}
	if err := storable([]any{j.Kind, j.ID}); err != nil { // operators name it as text
		return fmt.Errorf("add job %s %q: %w", j.Kind, j.ID, err)
	}
	j.Cause = tx.cause
	if j.Due.IsZero() {
		j.Due = tx.now
	}
	state := jobWaiting
	if j.Running = !j.Due.After(tx.now) && tx.s.cfg.Claim != nil && tx.s.cfg.Claim(j.Kind); j.Running {
		state = jobRunning
	}
	tx.jobs = append(tx.jobs, &jobChange{Job: j, state: state})
	return nil
}

// jobChange is a job that a transaction adds or takes back.
type jobChange struct {
	Job
	state   string // to be stored
	removed bool
	known   bool // one of its name was there already
}

// storeJobs stores the jobs that were added and are not stored yet: together, where the
// database takes arrays.
func (tx *Tx) storeJobs(ctx context.Context) error {
	if tx.stored == len(tx.jobs) {
		return nil
	}
	jobs := tx.jobs[tx.stored:]
	if err := tx.s.db.insertJobs(ctx, tx.s.lane.Number, jobs); err != nil {
		return fmt.Errorf("add %d jobs, the first %s %s: %w", len(jobs), jobs[0].Kind, jobs[0].ID, err)
	}
	tx.stored = len(tx.jobs)
	return nil
}

// changeJob runs a statement on jobs, those that were added included, and returns how many
// it has changed.
func (tx *Tx) changeJob(ctx context.Context, query string, args ...any) (int64, error) {
	if err := tx.storeJobs(ctx); err != nil {
		return 0, err
	}
	return tx.Affected(ctx, query, args...)
}

func (s *sqlite) insertJobs(ctx context.Context, lane int64, jobs []*jobChange) error {
	const into, row = `INSERT INTO tutti_job (kind, id, lane, due, state, attempts, args, cause, error) VALUES `, "?, ?, ?, ?, ?, 0, ?, ?, ''"
	insert := func(piece []*jobChange, otherwise string) (int64, error) {
		args := make([]any, 0, 7*len(piece))
		for _, c := range piece {
			args = append(args, c.Kind, c.ID, lane, millis(c.Due), c.state, notNil(c.Args), encodeCause(c.Cause))
		}
		return s.exec(ctx, into+bulk.Values(len(piece), row)+otherwise, args)
	}
	for piece := range bulk.Chunks(jobs) {
		_, err := insert(piece, "")
		if err == nil {
			continue
		}
		if !isConstraint(err) {
			return err
		}
		for i, c := range piece { // some were there: which?
			n, err := insert(piece[i:i+1], " ON CONFLICT (kind, id) DO NOTHING")
			if err != nil {
				return err
			}
			c.known = n != 1
		}
	}
	return nil
}

func (p *postgres) insertJobs(_ context.Context, lane int64, jobs []*jobChange) error {
	for len(jobs) > 0 {
		n, size := 0, 0
		for n < len(jobs) && n < mostQueued && size < sizeQueued {
			size += len(jobs[n].Args)
			n++
		}
		piece := jobs[:n]
		jobs = jobs[n:]
		var kinds, ids, states, causes []string
		var dues []int64
		var args [][]byte
		first := make(map[[2]string]*jobChange, len(piece))
		for _, c := range piece {
			kinds, ids, states, causes = append(kinds, c.Kind), append(ids, c.ID), append(states, c.state), append(causes, encodeCause(c.Cause))
			dues, args = append(dues, millis(c.Due)), append(args, notNil(c.Args))
			if name := [2]string{c.Kind, c.ID}; first[name] == nil {
				first[name] = c
			}
		}
		err := p.later(`INSERT INTO tutti_job (kind, id, lane, due, state, attempts, args, cause, error)
			SELECT k, i, $1, d, s, 0, a, c, '' FROM unnest($2::text[], $3::text[], $4::bigint[], $5::text[], $6::bytea[], $7::text[]) AS v (k, i, d, s, a, c)
			ON CONFLICT (kind, id) DO NOTHING RETURNING kind, id`, []any{lane, kinds, ids, dues, states, args, causes},
			statement{done: func(r *pgconn.Result) { // not called where the answer to a COMMIT is lost
				for _, c := range piece {
					c.known = true
				}
				for _, row := range r.Rows {
					first[[2]string{string(row[0]), string(row[1])}].known = false
				}
			}})
		if err != nil {
			return err
		}
	}
	return nil
}

// added returns the jobs that were added and not taken back.
func added(changes []*jobChange) []Job {
	if len(changes) == 0 {
		return nil
	}
	type id struct{ kind, id string }
	last := make(map[id]int, len(changes))
	for i, c := range changes {
		if !c.known {
			last[id{c.Kind, c.ID}] = i
		}
	}
	jobs := make([]Job, 0, len(last))
	for i, c := range changes {
		if !c.removed && !c.known && last[id{c.Kind, c.ID}] == i {
			jobs = append(jobs, c.Job)
		}
	}
	return jobs
}

// RemoveJob takes a job back, and reports whether it was there.
func (tx *Tx) RemoveJob(ctx context.Context, kind, id string) (bool, error) {
	n, err := tx.changeJob(ctx, `DELETE FROM tutti_job WHERE kind = $1 AND id = $2`, kind, id)
	if err != nil {
		return false, fmt.Errorf("remove job %s %s: %w", kind, id, err)
	}
	if n == 1 && len(tx.jobs) > 0 { // it may have been added in this transaction
		tx.jobs = append(tx.jobs, &jobChange{Job: Job{Kind: kind, ID: id}, removed: true})
		tx.stored = len(tx.jobs)
	}
	return n == 1, nil
}

// DropJobs takes back timers of a kind, whether they are there or not: many by few
// statements. Jobs that workers may have are taken back by [Tx.RemoveJob].
func (tx *Tx) DropJobs(ctx context.Context, kind string, ids []string) error {
	if err := tx.storeJobs(ctx); err != nil {
		return err
	}
	for piece := range bulk.Chunks(ids) {
		err := tx.Exec(ctx, `DELETE FROM tutti_job WHERE kind = $1 AND id IN (`+bulk.Params(2, len(piece))+`)`, bulk.Args([]any{kind}, piece)...)
		if err != nil {
			return fmt.Errorf("drop %d jobs %s: %w", len(piece), kind, err)
		}
	}
	return nil
}

// FinishJob deletes a job as it was read, and reports whether it was there: one of
// its name that was started after it was taken back has another due time, and stays.
func (tx *Tx) FinishJob(ctx context.Context, j Job) (bool, error) {
	n, err := tx.changeJob(ctx, `DELETE FROM tutti_job WHERE kind = $1 AND id = $2 AND due = $3`, j.Kind, j.ID, millis(j.Due))
	if err != nil {
		return false, fmt.Errorf("finish job %s %s: %w", j.Kind, j.ID, err)
	}
	return n == 1, nil
}

// ExpectJobs is FinishJob of jobs of one kind that are taken to be there. If one is not,
// the transaction fails as [Late]: here or, where statements are pipelined, at the next
// query or the commit.
func (tx *Tx) ExpectJobs(ctx context.Context, jobs []Job) error {
	if err := tx.storeJobs(ctx); err != nil {
		return err
	}
	if !tx.s.db.dialect().bulk {
		for piece := range bulk.Chunks(jobs) {
			kind, names := piece[0].Kind, make([]any, 0, 2*len(piece)+1)
			for _, j := range piece {
				names = append(names, j.ID, millis(j.Due))
			}
			taken := lateError{fmt.Errorf("one of %d jobs %s was taken back", len(piece), kind)}
			if err := tx.Expect(ctx, len(piece), taken, `DELETE FROM tutti_job WHERE id IN (`+bulk.Column(len(piece), 2, 1)+`) AND (id, due) IN (VALUES `+
				bulk.Values(len(piece), "?, ?")+`) AND kind = `+bulk.Params(2*len(piece)+1, 1), append(names, kind)...); err != nil {
				return fmt.Errorf("finish jobs: %w", err)
			}
		}
		return nil
	}
	for len(jobs) > 0 {
		piece := jobs[:min(len(jobs), mostQueued)]
		jobs = jobs[len(piece):]
		ids, dues := make([]string, len(piece)), make([]int64, len(piece))
		for i, j := range piece {
			ids[i], dues[i] = j.ID, millis(j.Due)
		}
		kind := piece[0].Kind
		taken := lateError{fmt.Errorf("one of %d jobs %s was taken back", len(piece), kind)}
		if err := tx.Expect(ctx, len(piece), taken, `DELETE FROM tutti_job j USING unnest($1::text[], $2::bigint[]) AS v (id, due)
			WHERE j.kind = $3 AND j.id = v.id AND j.due = v.due`, ids, dues, kind); err != nil {
			return fmt.Errorf("finish jobs: %w", err)
		}
	}
	return nil
}

// ClaimJob marks a waiting job, as it was read, as running, and reports whether it
// was waiting.
func (tx *Tx) ClaimJob(ctx context.Context, j Job) (bool, error) {
	n, err := tx.changeJob(ctx, `UPDATE tutti_job SET state = 'running' WHERE kind = $1 AND id = $2 AND due = $3 AND state = 'waiting'`,
		j.Kind, j.ID, millis(j.Due))
	if err != nil {
		return false, fmt.Errorf("claim job %s %s: %w", j.Kind, j.ID, err)
	}
	return n == 1, nil
}

// RetryJob stores an attempt that failed: the job is due again later, or never if
// due is zero; it is then dead, and waits for a person.
func (tx *Tx) RetryJob(ctx context.Context, j Job, due time.Time, cause error) error {
	if err := tx.storeJobs(ctx); err != nil {
		return err
	}
	state := jobWaiting
	if due.IsZero() {
		state, due = jobDead, tx.now
	}
	if err := tx.Exec(ctx, `UPDATE tutti_job SET state = $1, due = $2, attempts = $3, failed = $4, error = $5 WHERE kind = $6 AND id = $7 AND due = $8`,
		state, millis(due), j.Attempts, j.Failed, clip(cause.Error()), j.Kind, j.ID, millis(j.Due)); err != nil {
		return fmt.Errorf("retry job %s %s: %w", j.Kind, j.ID, err)
	}
	return nil
}

// DueJobs returns the jobs of this instance's lane that are due at now, oldest
// first, at most limit of them, and when the first of the others will be due
// (zero if there is none). It leaves out some kinds.
func (s *Store) DueJobs(ctx context.Context, now time.Time, limit int, without ...string) ([]Job, time.Time, error) {
	args := []any{s.lane.Number, limit + 1}
	var but strings.Builder
	for _, kind := range without {
		args = append(args, kind)
		fmt.Fprintf(&but, " AND kind <> $%d", len(args))
	}
	jobs, err := Collect(ctx, s.Reader(), scanJob, `SELECT kind, id, due, attempts, failed, args, cause, error FROM tutti_job
		WHERE lane = $1 AND state = 'waiting'`+but.String()+` ORDER BY due LIMIT $2`, args...)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read due jobs: %w", err)
	}
	for i, j := range jobs {
		if j.Due.After(now) || i == limit {
			return jobs[:i], j.Due, nil
		}
	}
	return jobs, time.Time{}, nil
}

// Jobs lists the jobs of all lanes, dead ones first, then by due time.
func (s *Store) Jobs(ctx context.Context, limit int) ([]Job, error) {
	jobs, err := Collect(ctx, s.Reader(), scanJob, `SELECT kind, id, due, attempts, failed, args, cause, error FROM tutti_job
		ORDER BY state, due LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	return jobs, nil
}

// ReviveJob makes a dead job due now, on this instance, with all its attempts before
// it. It reports whether there was one.
func (tx *Tx) ReviveJob(ctx context.Context, kind, id string) (bool, error) {
	if tx.s.lane == nil {
		return false, fmt.Errorf("revive job %s %s: no lane is held", kind, id)
	}
	n, err := tx.changeJob(ctx, `UPDATE tutti_job SET state = 'waiting', due = $1, attempts = 0, failed = 0, lane = $2 WHERE kind = $3 AND id = $4 AND state = 'dead'`,
		millis(tx.now), tx.s.lane.Number, kind, id)
	if err != nil {
		return false, fmt.Errorf("revive job %s %s: %w", kind, id, err)
	}
	return n == 1, nil
}

// NoHandler is the error of a job that died because nobody knew its kind.
func NoHandler(kind string) error { return errors.New(noHandler + kind) }

const noHandler = "no handler for jobs of kind "

// ReviveKinds makes jobs of these kinds due now, on this instance, that died because
// nobody knew their kind: an instance of an older version may have taken them over. It
// returns how many there were.
func (tx *Tx) ReviveKinds(ctx context.Context, kinds []string) (revived int64, err error) {
	for piece := range bulk.Chunks(kinds) {
		n, err := tx.changeJob(ctx, `UPDATE tutti_job SET state = 'waiting', due = $1, attempts = 0, failed = 0, lane = $2
			WHERE state = 'dead' AND error = $3 || kind AND kind IN (`+bulk.Params(4, len(piece))+`)`,
			bulk.Args([]any{millis(tx.now), tx.s.lane.Number, noHandler}, piece)...)
		if err != nil {
			return 0, fmt.Errorf("revive jobs that have a handler again: %w", err)
		}
		revived += n
	}
	return revived, nil
}

func scanJob(r Rows) (Job, error) {
	var j Job
	var due int64
	var cause string
	if err := r.Scan(&j.Kind, &j.ID, &due, &j.Attempts, &j.Failed, &j.Args, &cause, &j.Error); err != nil {
		return j, err
	}
	j.Due = fromMillis(due)
	if cause != "" {
		if err := fastjson.Unmarshal([]byte(cause), &j.Cause); err != nil {
			return j, fmt.Errorf("cause of job %s %s: %w", j.Kind, j.ID, err)
		}
	}
	return j, nil
}

func encodeCause(c event.Cause) string {
	b, _ := json.Marshal(c) // four strings: cannot fail
	return string(b)
}

const maxErrorText = 8 << 10 // bytes of an error that are stored

// clip makes a text short, and such that every database stores it.
func clip(s string) string {
	if len(s) > maxErrorText {
		s = s[:maxErrorText] + "…"
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
