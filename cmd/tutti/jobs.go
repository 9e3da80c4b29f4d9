package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tutti-go/tutti/internal/admin"
	"github.com/tutti-go/tutti/internal/cli"
)

// jobsOf is what the commands for jobs share.
type jobsOf struct {
	con              *console
	services         client
	kind, state, err string
	limit            int
	all, asJSON      bool
}

func jobsCommand(con *console) *cobra.Command {
	j := &jobsOf{con: con}
	cmd := &cobra.Command{
		Use:   "jobs",
		Short: "List jobs and timers of services, and retry or discard dead ones",
		Long: `List the jobs and timers of services: dead ones first, then those that run, then those
that wait, each by due time. A job is dead when the handler of its result, or of the
timer, has failed again and again.`,
		Example: `  tutti jobs
  tutti jobs --service payment --state dead
  tutti jobs retry shop.payment.charge 8c1f… --service payment
  tutti jobs retry --service payment --all`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return j.list(cmd) },
	}
	j.services.bind(cmd, cmd.PersistentFlags(), con)
	f := cmd.PersistentFlags()
	f.BoolVar(&j.asJSON, "json", false, "write one JSON object a line")
	f.StringVar(&j.kind, "kind", "", "only jobs of this `KIND`")
	_ = cmd.RegisterFlagCompletionFunc("kind", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return j.services.complete(cmd, con, func(s admin.Service) []string { return s.Jobs })
	})
	list := &cobra.Command{
		Use: "list", Short: "List jobs and timers, as jobs alone does", Long: cmd.Long, Example: "  tutti jobs list --state waiting --limit 0 --json",
		Args: cobra.NoArgs, RunE: cmd.RunE,
	}
	for _, c := range []*cobra.Command{cmd, list} {
		c.Flags().StringVar(&j.state, "state", "", "only jobs in this `STATE`: waiting, running or dead")
		c.Flags().IntVar(&j.limit, "limit", 100, "at most `N` of each service; 0 for all")
		_ = c.RegisterFlagCompletionFunc("state", cobra.FixedCompletions([]string{"waiting", "running", "dead"}, cobra.ShellCompDirectiveNoFileComp))
	}
	cmd.AddCommand(list, j.changeCommand("retry"), j.changeCommand("discard"))
	return cmd
}

func (j *jobsOf) list(cmd *cobra.Command) error {
	switch j.state {
	case "", "waiting", "running", "dead":
	default:
		return cli.Usage(cmd, fmt.Errorf("--state is %q, want waiting, running or dead", j.state))
	}
	if j.limit < 0 {
		return cli.Usage(cmd, fmt.Errorf("--limit is %d, want 0 or more", j.limit))
	}
	homes, err := j.services.find(cmd.Context())
	if err != nil {
		return err
	}
	var jobs []admin.Job
	counts, more := map[string]int{}, false
	for _, h := range homes {
		there, rest, err := j.pages(cmd.Context(), h, j.state, "", j.limit, func(one admin.Job) error {
			if j.asJSON {
				return j.con.line(one)
			}
			jobs = append(jobs, one)
			return nil
		})
		if err != nil {
			return err
		}
		more = more || rest
		for _, c := range there {
			if j.kind == "" || j.kind == c.Kind {
				counts[c.State] += c.Jobs
			}
		}
	}
	if j.asJSON {
		return nil
	}
	return j.con.jobs(jobs, counts, more)
}

func (c *console) jobs(jobs []admin.Job, counts map[string]int, more bool) error {
	var rows [][]string
	for _, one := range jobs {
		rows = append(rows, []string{
			one.Service, one.Kind, one.ID, one.State, stamp(one.Due), strconv.Itoa(one.Attempts), orDash(brief(one.Error, 100)),
		})
	}
	if len(rows) > 0 {
		if err := c.table([]string{"SERVICE", "KIND", "ID", "STATE", "DUE/DIED", "ATTEMPTS", "ERROR"}, rows); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("%d dead, %d running, %d waiting", counts["dead"], counts["running"], counts["waiting"])
	if more {
		text += fmt.Sprintf("; %d shown (--limit 0 shows all)", len(jobs))
	}
	fmt.Fprintln(c.out, text)
	return nil
}

// pages calls each with the jobs of a service, page by page, until it has seen limit
// of them (0: all).
func (j *jobsOf) pages(ctx context.Context, h home, state, id string, limit int, each func(admin.Job) error) (counts []admin.JobCount, more bool, err error) {
	query := url.Values{}
	for name, value := range map[string]string{"state": state, "kind": j.kind, "id": id} {
		if value != "" {
			query.Set(name, value)
		}
	}
	for n := 0; ; {
		query.Set("limit", "1000")
		if limit > 0 {
			query.Set("limit", strconv.Itoa(min(limit-n, 1000)))
		}
		var page admin.Jobs
		if err := j.services.do(ctx, http.MethodGet, h.path("/jobs", query), nil, &page); err != nil {
			return nil, false, err
		}
		if n == 0 {
			counts = page.Counts
		}
		for _, one := range page.Jobs {
			if err := each(one); err != nil {
				return nil, false, err
			}
		}
		if n += len(page.Jobs); page.Next == "" || limit > 0 && n >= limit {
			return counts, page.Next != "", nil
		}
		query.Set("after", page.Next)
	}
}

func (j *jobsOf) changeCommand(action string) *cobra.Command {
	ch := &change{con: j.con, services: &j.services, action: action, noun: "dead job", path: "/jobs"}
	cmd := &cobra.Command{
		Use: action + " [KIND ID]",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 0 && len(args) != 2 {
				return fmt.Errorf("%d arguments are given, want the kind and the id of a job, or flags that pick", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ch.asJSON = j.asJSON
			if err := j.checkChange(cmd, args); err != nil {
				return err
			}
			h, err := j.services.one(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			targets, err := j.freeze(cmd.Context(), h, args)
			if err != nil {
				return err
			}
			return ch.run(cmd.Context(), cmd, h, targets)
		},
	}
	const frozen = ` One that
has changed since it was selected is skipped, and the command ends with 1.`
	if action == "retry" {
		cmd.Short = "Try dead jobs again, with all attempts before them"
		cmd.Long = "Try dead jobs again, now, with all attempts before them: the one named, those that the\nflags pick, or --all of a service. The id, which is the idempotency key, is the same." + frozen
		cmd.Example = "  tutti jobs retry shop.payment.charge 8c1f… --service payment\n  tutti jobs retry --service payment --error timeout --dry-run"
	} else {
		cmd.Short = "Delete dead jobs for ever"
		cmd.Long = "Delete dead jobs for ever: the one named, those that the flags pick, or --all of a\nservice. Their results are never handled. Before more than one is deleted you are asked,\nunless --yes is given." + frozen
		cmd.Example = "  tutti jobs discard shop.payment.charge 8c1f… --service payment"
	}
	cmd.Flags().StringVar(&j.err, "error", "", "only those whose error has this `TEXT` in it, in upper or lower case")
	cmd.Flags().BoolVar(&j.all, "all", false, "all dead ones of the service")
	ch.bind(cmd)
	return cmd
}

// checkChange reports a selection that says nothing, or two things.
func (j *jobsOf) checkChange(cmd *cobra.Command, args []string) error {
	filters := j.kind+j.err != ""
	switch {
	case len(args) > 0 && (filters || j.all), j.all && filters:
		return cli.Usage(cmd, errors.New("a job, flags that pick and --all exclude each other, want one of them"))
	case len(args) == 0 && !filters && !j.all:
		return cli.Usage(cmd, errors.New("nothing says which jobs, want kind and id, --kind, --error or --all"))
	}
	return given(cmd, args)
}

// freeze makes a list of what is selected now.
func (j *jobsOf) freeze(ctx context.Context, h home, args []string) (targets []target, err error) {
	id := ""
	if len(args) == 2 {
		j.kind, id = args[0], args[1]
	}
	_, _, err = j.pages(ctx, h, "dead", id, 0, func(one admin.Job) error {
		if strings.Contains(strings.ToLower(one.Error), strings.ToLower(j.err)) {
			targets = append(targets, target{admin.Ref{Kind: one.Kind, ID: one.ID, Version: one.Version}, fmt.Sprintf("%s %s attempts=%d: %s",
				one.Kind, one.ID, one.Attempts, brief(one.Error, 80))})
		}
		return nil
	})
	if err == nil && id != "" && len(targets) == 0 {
		err = fmt.Errorf("%s %s is no dead job of service %s", j.kind, id, h.Service.Service)
	}
	return targets, err
}
