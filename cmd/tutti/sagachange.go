package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/user"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/tutti-go/tutti/internal/admin"
	"github.com/tutti-go/tutti/internal/cli"
)

// sagaOrder is what a person wants of instances.
type sagaOrder struct {
	by, note, part, option string
	all                    bool
}

func (o *sagaOrder) bind(cmd *cobra.Command, con *console) {
	f := cmd.Flags()
	f.StringVar(&o.by, "by", "", "who wants it, a `NAME` for the history (default: your user name)")
	f.StringVar(&o.note, "note", "", "why, a `TEXT` for the history")
	pre := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if o.by == "" {
			o.by = con.getenv("USER")
		}
		if u, err := user.Current(); o.by == "" && err == nil {
			o.by = u.Username
		}
		if pre != nil {
			return pre(cmd, args)
		}
		return nil
	}
}

func (o *sagaOrder) body(refs []admin.Ref) any {
	return admin.SagaChange{Refs: refs, By: o.by, Note: o.note, Part: o.part, Option: o.option}
}

func (g *sagasOf) changeCommand(action string) *cobra.Command {
	p, o := &sagaPicks{}, &sagaOrder{}
	ch := &change{con: g.con, services: &g.services, action: action, noun: "instance", path: "/sagas", body: o.body}
	cmd := &cobra.Command{
		Use: action + " [ID...]",
		RunE: func(cmd *cobra.Command, ids []string) error {
			ch.asJSON = g.asJSON
			if err := errors.Join(p.check(cmd), g.checkChange(cmd, ids, p, o, action)); err != nil {
				return err
			}
			h, targets, err := g.selected(cmd, ids, p)
			if err != nil {
				return err
			}
			return ch.run(cmd.Context(), cmd, h, targets)
		},
	}
	const frozen = `

Which ones is decided first: the selection becomes a list, which is shown, and exactly
these are changed. One that has changed since it was selected is left alone, and the
command ends with 1.`
	switch action {
	case "retry":
		p.bind(cmd, "stuck")
		cmd.Flags().StringVar(&o.part, "part", "", "try this `PART` again; default all that is stuck")
		cmd.Short = "Have instances that are stuck try again"
		cmd.Long = `Have instances that are stuck try again what they are stuck in, with all attempts before
them: those named, those that the flags pick, or --all of a service.` + frozen
		cmd.Example = "  tutti sagas retry 4711 --saga order\n  tutti sagas retry --saga order --idle 1h --dry-run"
	case "skip":
		p.bind(cmd, "stuck")
		ch.asks = "Skip a part of %s of %s, as if it were done or undone?"
		cmd.Flags().StringVar(&o.part, "part", "", "the `PART` to skip")
		cmd.Short = "Have instances go on as if a part were done, or undone"
		cmd.Long = `Have instances go on as if the part that they wait for, or are stuck in, were done, or
undone: because a person has seen to it. What waits for a decision is not skipped: see
"tutti sagas decide".` + frozen
		cmd.Example = "  tutti sagas skip 4711 --saga order --part ship --note 'sent by hand'"
	case "cancel":
		p.bind(cmd, "running")
		ch.asks = "Cancel %s of %s, and undo what was done?"
		cmd.Short = "Have instances compensated"
		cmd.Long = `Have instances compensated: what was done is undone, in reverse order. One that is past
its pivot, or is being compensated already, is left alone.` + frozen
		cmd.Example = "  tutti sagas cancel 4711 --saga order --note 'customer has died'\n  tutti sagas cancel --saga order --older 72h"
	}
	cmd.Flags().BoolVar(&o.all, "all", false, "all of the service with that status")
	ch.bind(cmd)
	o.bind(cmd, g.con)
	return cmd
}

// checkChange reports a selection that says nothing, or two things.
func (g *sagasOf) checkChange(cmd *cobra.Command, ids []string, p *sagaPicks, o *sagaOrder, action string) error {
	switch {
	case len(ids) > 0 && (p.picks(cmd) || o.all):
		return cli.Usage(cmd, errors.New("ids and flags that pick are both given, want one of them"))
	case o.all && p.picks(cmd):
		return cli.Usage(cmd, errors.New("--all and flags that pick are both given, want one of them"))
	case len(ids) == 0 && !o.all && !p.picks(cmd):
		return cli.Usage(cmd, errors.New("nothing says which instances, want ids, --status, --key, --older, --younger, --idle or --all"))
	case cmd.Flags().Changed("key") && p.key == "":
		return cli.Usage(cmd, errors.New("--key is empty, which is the beginning of every id"))
	case action == "skip" && o.part == "":
		return cli.Usage(cmd, errors.New("--part is missing: which is to be skipped?"))
	}
	return given(cmd, ids)
}

// selected makes a list of what is selected now, of one service.
func (g *sagasOf) selected(cmd *cobra.Command, ids []string, p *sagaPicks) (home, []target, error) {
	ctx := cmd.Context()
	if len(ids) > 0 {
		d, err := g.one(ctx, cmd)
		if err != nil {
			return home{}, nil, err
		}
		targets, err := g.named(ctx, d, ids)
		return d.home, targets, err
	}
	all, err := g.all(ctx, false)
	if err != nil {
		return home{}, nil, err
	}
	var targets []target
	now := time.Now()
	for _, d := range all {
		if d.Service.Service != all[0].Service.Service {
			return home{}, nil, cli.Usage(cmd, fmt.Errorf("--service is not given, want one of %s, %s, …", all[0].Service.Service, d.Service.Service))
		}
		if _, err := g.pages(ctx, d, p.query(now), 0, func(in admin.SagaInstance) error {
			targets = append(targets, targetOf(in))
			return nil
		}); err != nil {
			return home{}, nil, err
		}
	}
	return all[0].home, targets, nil
}

// named looks instances up by their ids.
func (g *sagasOf) named(ctx context.Context, d directed, ids []string) (targets []target, err error) {
	var errs []error
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			continue
		}
		n := len(targets)
		if _, err := g.pages(ctx, d, url.Values{"id": {id}}, 1, func(in admin.SagaInstance) error {
			targets = append(targets, targetOf(in))
			return nil
		}); err != nil {
			return nil, err
		}
		if len(targets) == n {
			errs = append(errs, fmt.Errorf("saga %s of service %s has no instance %q", d.saga, d.Service.Service, id))
		}
	}
	return targets, errors.Join(errs...)
}

func targetOf(in admin.SagaInstance) target {
	text := fmt.Sprintf("%s %s %s since %s", in.Saga, in.ID, in.Status, stamp(in.Changed))
	if why := wanting(in); why != "" {
		text += ": " + brief(why, 80)
	}
	return target{admin.Ref{Kind: in.Saga, ID: in.ID, Version: in.Version}, text}
}

func (g *sagasOf) decideCommand() *cobra.Command {
	o := &sagaOrder{}
	ch := &change{con: g.con, services: &g.services, action: "decide", noun: "instance", path: "/sagas", body: o.body}
	cmd := &cobra.Command{
		Use:   "decide ID OPTION",
		Short: "Decide what an instance waits for",
		Long: `Take one of the options that an instance waits for a person to choose from: 'tutti sagas
list --status deciding' has those that do, and 'tutti sagas show' their options. The
decision goes into the history, with who decided and why.`,
		Example: `  tutti sagas decide 4711 approve --saga loan
  tutti sagas decide 4711 reject --saga loan --part 'final approval' --by ada --note 'no income'`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := given(cmd, args); err != nil {
				return err
			}
			ch.asJSON, o.option = g.asJSON, args[1]
			d, err := g.one(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			targets, err := g.named(cmd.Context(), d, args[:1])
			if err != nil {
				return err
			}
			return ch.run(cmd.Context(), cmd, d.home, targets)
		},
		ValidArgsFunction: g.completeDecision,
	}
	cmd.Flags().StringVar(&o.part, "part", "", "the `PART` that asks, if there are several")
	ch.bind(cmd)
	o.bind(cmd, g.con)
	return cmd
}

// completeDecision offers ids of instances that wait for a decision, and then options.
func (g *sagasOf) completeDecision(cmd *cobra.Command, args []string, _ string) (out []string, off cobra.ShellCompDirective) {
	_, off = g.services.complete(cmd, g.con, func(admin.Service) []string { return nil })
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	all, err := g.all(ctx, false)
	if err != nil {
		return nil, off
	}
	for _, d := range all {
		query := url.Values{"status": {"deciding"}}
		if len(args) > 0 {
			query.Set("id", args[0])
		}
		_, _ = g.pages(ctx, d, query, 50, func(in admin.SagaInstance) error { // what came can be offered
			if len(args) == 0 {
				out = append(out, in.ID)
			}
			for _, n := range in.Needs {
				if len(args) == 1 {
					out = append(out, n.Options...)
				}
			}
			return nil
		})
	}
	return out, cmp.Or(off, cobra.ShellCompDirectiveNoFileComp)
}
