package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tutti-go/tutti/internal/admin"
	"github.com/tutti-go/tutti/internal/cli"
)

// sagasOf is what the commands for sagas share.
type sagasOf struct {
	con      *console
	services client
	saga     string
	asJSON   bool
}

func sagasCommand(con *console) *cobra.Command {
	g := &sagasOf{con: con}
	cmd := &cobra.Command{
		Use:   "sagas",
		Short: "List and show the processes that services direct, and step in",
		Long: `Sagas are processes that a service directs by commands. Each definition has instances,
named by an id. An instance runs, or is being compensated, until it is completed or
compensated; meanwhile it may wait for a person, to decide or because it is stuck.`,
		Example: `  tutti sagas list
  tutti sagas show 4711 --saga order
  tutti sagas show --saga order
  tutti sagas retry --saga order --older 1h
  tutti sagas decide 4711 approve --saga loan --note 'income is proven'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	g.services.bind(cmd, cmd.PersistentFlags(), con)
	f := cmd.PersistentFlags()
	f.BoolVar(&g.asJSON, "json", false, "write one JSON object a line")
	f.StringVar(&g.saga, "saga", "", "instances of the definition of this `NAME`; may be left out if there is only one")
	_ = cmd.RegisterFlagCompletionFunc("saga", g.completeNames)
	cmd.AddCommand(g.listCommand(), g.showCommand(), g.changeCommand("retry"), g.changeCommand("skip"), g.changeCommand("cancel"), g.decideCommand())
	return cmd
}

// completeNames offers the names of sagas.
func (g *sagasOf) completeNames(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	var out []string
	_, off := g.services.complete(cmd, g.con, func(admin.Service) []string { return nil })
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	homes, err := g.services.find(ctx)
	if err != nil {
		return nil, off
	}
	for _, h := range homes {
		defs, err := g.definitions(ctx, h, false)
		if err != nil {
			return nil, off
		}
		for _, d := range defs {
			out = append(out, d.Saga)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), off
}

// definitions asks a service what it directs. One without sagas has none.
func (g *sagasOf) definitions(ctx context.Context, h home, counted bool) ([]admin.SagaDefinition, error) {
	var out admin.SagaDefinitions
	err := g.services.do(ctx, http.MethodGet, h.path("/sagas", url.Values{"counts": {strconv.FormatBool(counted)}}), nil, &out)
	var no refused
	if errors.As(err, &no) && no.status == http.StatusNotFound {
		return nil, nil
	}
	return out.Definitions, err
}

// directed is a saga of a service.
type directed struct {
	home
	saga   string
	counts []admin.SagaCount
}

// all are the sagas that are asked for, of all services.
func (g *sagasOf) all(ctx context.Context, counted bool) (out []directed, err error) {
	homes, err := g.services.find(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, h := range homes {
		defs, err := g.definitions(ctx, h, counted)
		if err != nil {
			return nil, err
		}
		for _, d := range defs {
			names = append(names, d.Saga)
			if g.saga == "" || g.saga == d.Saga {
				out = append(out, directed{h, d.Saga, d.Counts})
			}
		}
	}
	switch {
	case len(names) == 0:
		return nil, errors.New("no service there directs sagas")
	case len(out) == 0:
		return nil, fmt.Errorf("there is no saga %q, only %s", g.saga, strings.Join(names, ", "))
	}
	return out, nil
}

// one is the one saga of one service that is meant.
func (g *sagasOf) one(ctx context.Context, cmd *cobra.Command) (directed, error) {
	all, err := g.all(ctx, false)
	if err != nil {
		return directed{}, err
	}
	if len(all) > 1 {
		var names []string
		for _, d := range all {
			names = append(names, d.saga+" of "+d.Service.Service)
		}
		return directed{}, cli.Usage(cmd, fmt.Errorf("--saga and --service do not say which of %s", strings.Join(names, ", ")))
	}
	return all[0], nil
}

// sagaPicks are the flags that pick instances.
type sagaPicks struct {
	status, key    string
	older, younger time.Duration
	idle           time.Duration
}

var sagaStatuses = []string{"running", "deciding", "compensating", "stuck", "completed", "compensated", "live", "over", "all"}

func (p *sagaPicks) bind(cmd *cobra.Command, status string) {
	f := cmd.Flags()
	p.status = status
	f.StringVar(&p.status, "status", status, "only those with this `STATUS`: "+strings.Join(sagaStatuses[:6], ", ")+", live (not over), over or all")
	f.StringVar(&p.key, "key", "", "only those whose id begins with this `PREFIX`")
	f.DurationVar(&p.older, "older", 0, "only those that started longer than this `TIME` ago, as in 90m or 48h")
	f.DurationVar(&p.younger, "younger", 0, "only those that started within this `TIME`")
	f.DurationVar(&p.idle, "idle", 0, "only those that have not changed for this `TIME`")
	_ = cmd.RegisterFlagCompletionFunc("status", cobra.FixedCompletions(sagaStatuses, cobra.ShellCompDirectiveNoFileComp))
}

func (p *sagaPicks) check(cmd *cobra.Command) error {
	if !slices.Contains(sagaStatuses, p.status) {
		return cli.Usage(cmd, fmt.Errorf("--status is %q, want one of %s", p.status, strings.Join(sagaStatuses, ", ")))
	}
	return nil
}

// picks reports whether a flag picks something.
func (p *sagaPicks) picks(cmd *cobra.Command) bool {
	return slices.ContainsFunc([]string{"status", "key", "older", "younger", "idle"}, cmd.Flags().Changed)
}

func (p *sagaPicks) query(now time.Time) url.Values {
	v := url.Values{}
	if p.status != "all" {
		v.Set("status", p.status)
	}
	if p.key != "" {
		v.Set("key", p.key)
	}
	for name, d := range map[string]time.Duration{"startedBefore": p.older, "startedAfter": p.younger, "changedBefore": p.idle} {
		if d != 0 {
			v.Set(name, now.Add(-d).UTC().Format(time.RFC3339Nano))
		}
	}
	return v
}

// pages calls each with the instances of a saga that a query picks, page by page, until
// it has seen limit of them (0: all). It reports whether there may be more.
func (g *sagasOf) pages(ctx context.Context, d directed, query url.Values, limit int, each func(admin.SagaInstance) error) (more bool, err error) {
	for n := 0; ; {
		query.Set("limit", "1000")
		if limit > 0 {
			query.Set("limit", strconv.Itoa(min(limit-n, 1000)))
		}
		var page admin.SagaInstances
		if err := g.services.do(ctx, http.MethodGet, d.path("/sagas/"+url.PathEscape(d.saga), query), nil, &page); err != nil {
			return false, err
		}
		for _, in := range page.Instances {
			if err := each(in); err != nil {
				return false, err
			}
		}
		if n += len(page.Instances); page.Next == "" || limit > 0 && n >= limit {
			return page.Next != "", nil
		}
		query.Set("after", page.Next)
	}
}

func (g *sagasOf) listCommand() *cobra.Command {
	p, limit := &sagaPicks{}, 0
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List instances of sagas",
		Long: `List instances of sagas: status, when each started and last changed, when something of
it is looked at next, and what it needs of a person or why it failed. Those that are not
over come in the order in which they started; with --status stuck or deciding, the one
that has waited longest first; those that are over, the last one first; with --key, by id.`,
		Example: `  tutti sagas list --status stuck
  tutti sagas list --saga order --older 1h --limit 0
  tutti sagas list --saga order --status over --key 4711 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 {
				return cli.Usage(cmd, fmt.Errorf("--limit is %d, want 0 or more", limit))
			}
			if err := p.check(cmd); err != nil {
				return err
			}
			return g.list(cmd.Context(), p, limit)
		},
	}
	p.bind(cmd, "live")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most `N` of each saga; 0 for all")
	return cmd
}

func (g *sagasOf) list(ctx context.Context, p *sagaPicks, limit int) error {
	all, err := g.all(ctx, !g.asJSON)
	if err != nil {
		return err
	}
	var rows [][]string
	more, now := false, time.Now()
	for _, d := range all {
		rest, err := g.pages(ctx, d, p.query(now), limit, func(in admin.SagaInstance) error {
			if g.asJSON {
				return g.con.line(in)
			}
			rows = append(rows, []string{in.Service, in.Saga, in.ID, in.Status, stamp(in.Started), stamp(in.Changed), stamp(in.Due), orDash(brief(wanting(in), 100))})
			return nil
		})
		if err != nil {
			return err
		}
		more = more || rest
	}
	if g.asJSON {
		return nil
	}
	if len(rows) > 0 {
		if err := g.con.table([]string{"SERVICE", "SAGA", "ID", "STATUS", "STARTED", "CHANGED", "DUE", "NEEDS/REASON"}, rows); err != nil {
			return err
		}
	}
	text := counted(all)
	if more {
		text += fmt.Sprintf("; %d shown (--limit 0 shows all)", len(rows))
	}
	fmt.Fprintln(g.con.out, text)
	return nil
}

// wanting is what an instance needs, or why it fails, in a line.
func wanting(in admin.SagaInstance) string {
	var out []string
	for _, n := range in.Needs {
		if len(n.Options) > 0 {
			out = append(out, n.Part+": "+strings.Join(n.Options, " or "))
		} else {
			out = append(out, n.Part+" is stuck: "+n.Reason)
		}
	}
	if len(out) == 0 {
		return in.Reason
	}
	return strings.Join(out, "; ")
}

// counted says how many instances are in which status.
func counted(all []directed) string {
	var names []string
	counts, more := map[string]int{}, map[string]bool{}
	for _, d := range all {
		for _, c := range d.counts {
			if !slices.Contains(names, c.Status) {
				names = append(names, c.Status)
			}
			counts[c.Status] += c.Instances
			more[c.Status] = more[c.Status] || c.More
		}
	}
	var out []string
	for _, status := range sagaStatuses { // the order is that of a life
		if slices.Contains(names, status) {
			out = append(out, fmt.Sprintf("%d%s %s", counts[status], map[bool]string{true: "+"}[more[status]], status))
		}
	}
	if len(out) == 0 {
		return "no instances"
	}
	return strings.Join(out, ", ")
}
