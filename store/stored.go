package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tutti-go/tutti/internal/fastjson"
)

// JobSelection picks jobs. Empty fields pick all.
type JobSelection struct {
	State string // waiting, running or dead
	Kind  string
	ID    string
	Limit int // 0 means 1000
}

// StoredJob is a job as it is in the table.
type StoredJob struct {
	Job
	State string // waiting, running or dead
	lane  int64
}

// Here reports whether the instance of a transaction is the one that runs the job.
func (tx *Tx) Here(j StoredJob) bool { return tx.s.lane != nil && tx.s.lane.Number == j.lane }

// Version changes with each attempt at a job and with each change by a person.
func (j StoredJob) Version() string {
	return fmt.Sprintf("%s.%d.%d", j.State, j.Attempts, millis(j.Due))
}

// jobOrder is the order of lists: "dead" comes before "running" and "waiting".
const jobOrder = `state, due, kind, id`

// Arguments are cut: a list is to take little memory.
const storedJobColumns = `kind, id, state, due, attempts, substr(args, 1, 16384), cause, error, lane`

// BrowseJobs returns the jobs of a selection: dead ones first, then running ones,
// each by due time; from the one after another on (nil: from the first), at most
// sel.Limit of them. Of arguments it returns the first 16 KiB.
func (s *Store) BrowseJobs(ctx context.Context, sel JobSelection, after *StoredJob) ([]StoredJob, error) {
	where, args := []string{"1 = 1"}, []any{}
	for _, f := range []struct{ column, value string }{{"state", sel.State}, {"kind", sel.Kind}, {"id", sel.ID}} {
		if f.value != "" {
			args = append(args, f.value)
			where = append(where, fmt.Sprintf("%s = $%d", f.column, len(args)))
		}
	}
	if after != nil {
		n := len(args)
		where = append(where, fmt.Sprintf("("+jobOrder+") > ($%d, $%d, $%d, $%d)", n+1, n+2, n+3, n+4))
		args = append(args, after.State, millis(after.Due), after.Kind, after.ID)
	}
	limit := sel.Limit
	if limit == 0 {
		limit = 1000
	}
	args = append(args, limit)
	out, err := Collect(ctx, s.Reader(), scanStoredJob, fmt.Sprintf(`SELECT `+storedJobColumns+` FROM tutti_job
		WHERE %s ORDER BY `+jobOrder+` LIMIT $%d`, strings.Join(where, " AND "), len(args)), args...)
	if err != nil {
		return nil, fmt.Errorf("browse jobs: %w", err)
	}
	return out, nil
}

// JobAt returns a job as this transaction sees it, and [ErrNoRows] if there is none.
func (tx *Tx) JobAt(ctx context.Context, kind, id string) (StoredJob, error) {
	if err := tx.storeJobs(ctx); err != nil {
		return StoredJob{}, err
	}
	rows, err := tx.Query(ctx, `SELECT `+storedJobColumns+` FROM tutti_job WHERE kind = $1 AND id = $2`, kind, id)
	if err != nil {
		return StoredJob{}, err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return StoredJob{}, err
		}
		return StoredJob{}, ErrNoRows
	}
	return scanStoredJob(rows)
}

func scanStoredJob(r Rows) (StoredJob, error) {
	var j StoredJob
	var due int64
	var cause string
	if err := r.Scan(&j.Kind, &j.ID, &j.State, &due, &j.Attempts, &j.Args, &cause, &j.Error, &j.lane); err != nil {
		return j, err
	}
	j.Due, j.Running = fromMillis(due), j.State == jobRunning
	if cause != "" {
		if err := fastjson.Unmarshal([]byte(cause), &j.Cause); err != nil {
			return j, fmt.Errorf("cause of job %s %s: %w", j.Kind, j.ID, err)
		}
	}
	return j, nil
}

// JobCount is how many jobs of a kind are in a state.
type JobCount struct {
	Kind, State string
	Jobs        int
	Next        time.Time // when the first of them is due; of dead ones when it died
}

// CountJobs counts the jobs by kind and state.
func (s *Store) CountJobs(ctx context.Context) ([]JobCount, error) {
	out, err := Collect(ctx, s.Reader(), func(r Rows) (JobCount, error) {
		var c JobCount
		var due int64
		err := r.Scan(&c.Kind, &c.State, &c.Jobs, &due)
		c.Next = fromMillis(due)
		return c, err
	}, `SELECT kind, state, COUNT(*), MIN(due) FROM tutti_job GROUP BY kind, state ORDER BY kind, state`)
	if err != nil {
		return nil, fmt.Errorf("count jobs: %w", err)
	}
	return out, nil
}
