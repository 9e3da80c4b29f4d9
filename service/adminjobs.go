package service

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tutti-go/tutti/internal/admin"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/store"
)

const deadJob = "dead" // the state of a job that waits for a person

// adminJobs lists jobs by pages; the first one has the counts of all.
func (s *Service) adminJobs(w http.ResponseWriter, r *http.Request) error {
	v := r.URL.Query()
	sel := store.JobSelection{State: v.Get("state"), Kind: v.Get("kind"), ID: v.Get("id")}
	switch sel.State {
	case "", "waiting", "running", deadJob:
	default:
		return problem.BadRequest("state is %q, want waiting, running or dead", sel.State)
	}
	var err error
	if sel.Limit, err = pageLimit(r); err != nil {
		return err
	}
	after, err := parseJobCursor(v.Get("after"))
	if err != nil {
		return problem.BadRequest("%w", err)
	}
	db, err := s.database()
	if err != nil {
		return err
	}
	jobs, err := db.BrowseJobs(r.Context(), sel, after)
	if err != nil {
		return err
	}
	out := admin.Jobs{Jobs: []admin.Job{}}
	for _, j := range jobs {
		out.Jobs = append(out.Jobs, admin.Job{
			Service: s.name, Kind: j.Kind, ID: j.ID, Version: j.Version(), State: j.State, Due: j.Due, Attempts: j.Attempts,
			Error: j.Error, CorrelationID: j.Cause.CorrelationID, Content: admin.ContentOf(j.Args),
		})
	}
	if len(jobs) == sel.Limit {
		out.Next = jobCursor(jobs[len(jobs)-1])
	}
	if after == nil {
		counts, err := db.CountJobs(r.Context())
		if err != nil {
			return err
		}
		for _, c := range counts {
			out.Counts = append(out.Counts, admin.JobCount{Kind: c.Kind, State: c.State, Jobs: c.Jobs})
		}
	}
	return WriteJSON(w, http.StatusOK, out)
}

// jobCursor is where a page of jobs begins, as text.
func jobCursor(j store.StoredJob) string {
	return url.Values{"state": {j.State}, "due": {strconv.FormatInt(j.Due.UnixMilli(), 10)}, "kind": {j.Kind}, "id": {j.ID}}.Encode()
}

func parseJobCursor(text string) (*store.StoredJob, error) {
	if text == "" {
		return nil, nil
	}
	v, err := url.ParseQuery(text)
	if err != nil {
		return nil, fmt.Errorf("after is %q, want what a page before it gave as next", text)
	}
	due, err := strconv.ParseInt(v.Get("due"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("after is %q, want what a page before it gave as next", text)
	}
	return &store.StoredJob{Job: store.Job{Kind: v.Get("kind"), ID: v.Get("id"), Due: time.UnixMilli(due)}, State: v.Get("state")}, nil
}

// adminChangeJobs retries or discards dead jobs.
func (s *Service) adminChangeJobs(w http.ResponseWriter, r *http.Request) error {
	action := r.PathValue("action")
	if action != "retry" && action != "discard" {
		return problem.NotFound("%q is nothing to be done with jobs, want retry or discard", action)
	}
	refs, err := readChange(w, r)
	if err != nil {
		return err
	}
	out, err := s.outcomes(r.Context(), action, refs, func(ctx context.Context, tx *store.Tx, ref admin.Ref) (string, error) {
		j, err := tx.JobAt(ctx, ref.Kind, ref.ID)
		switch {
		case err != nil:
			return "", err
		case j.State != deadJob:
			return fmt.Sprintf("it is not dead: it is %s", j.State), nil
		case j.Version() != ref.Version:
			return "it has changed since it was selected: it was tried again and died again", nil
		case action == "retry":
			_, err = tx.ReviveJob(ctx, ref.Kind, ref.ID)
		default:
			_, err = tx.RemoveJob(ctx, ref.Kind, ref.ID)
		}
		return "", err
	})
	if err != nil {
		return err
	}
	s.log.Info("dead jobs changed by an operator", "action", action, "asked", len(refs), "done", done(out))
	return WriteJSON(w, http.StatusOK, out)
}
