package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tutti-go/tutti/internal/admin"
	"github.com/tutti-go/tutti/internal/cli"
)

// target is what is to be changed, as it was when it was selected.
type target struct {
	admin.Ref
	text string // for people
}

// change is a change of exactly some targets.
type change struct {
	con      *console
	services *client
	action   string // redrive, discard, retry, skip or cancel
	noun     string // of one target
	path     string
	asks     string // before more than one is changed: what happens to how many of whom
	body     func(refs []admin.Ref) any
	dryRun   bool
	yes      bool
	verbose  bool
	asJSON   bool
}

func (ch *change) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&ch.dryRun, "dry-run", false, "show what is selected, and change nothing")
	f.BoolVar(&ch.verbose, "verbose", false, "show each of what is selected and what became of it")
	if ch.action == "discard" {
		ch.asks = "Discard %s of %s for ever?"
	}
	if ch.asks != "" {
		f.BoolVar(&ch.yes, "yes", false, "do not ask before more than one is "+past(ch.action))
	}
}

const shownTargets = 10

// run shows the targets, and changes them. What has changed since it was selected is
// skipped, and is a failure.
func (ch *change) run(ctx context.Context, cmd *cobra.Command, h home, targets []target) error {
	if !ch.asJSON {
		ch.show(h, targets)
	}
	if ch.dryRun {
		for _, t := range targets {
			if ch.asJSON {
				if err := ch.con.line(admin.Outcome{Service: h.Service.Service, Action: ch.action, Kind: t.Kind, ID: t.ID, DryRun: true}); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if ch.asks != "" && len(targets) > 1 && !ch.yes {
		if !ch.con.asks {
			return cli.Usage(cmd, fmt.Errorf("%s of %s: nobody is there to ask, want --yes", ch.action, plural(len(targets), ch.noun)))
		}
		if !ch.con.confirm(fmt.Sprintf(ch.asks, plural(len(targets), ch.noun), h.Service.Service)) {
			return fmt.Errorf("nothing is %s", past(ch.action))
		}
	}
	done, skipped, err := ch.apply(ctx, h, targets)
	if !ch.asJSON && len(targets) > 0 {
		fmt.Fprintf(ch.con.out, "%s: %s of %s", past(ch.action), plural(done, ch.noun), h.Service.Service)
		if skipped > 0 {
			fmt.Fprintf(ch.con.out, "; %s: %d", ch.left(), skipped)
		}
		fmt.Fprintln(ch.con.out)
	}
	if err != nil {
		return fmt.Errorf("%s: %d of %d are done; of the next %d at most it is unknown (running it again changes none twice): %w", ch.action, done, len(targets), admin.MaxRefs, err)
	}
	if skipped > 0 {
		return cli.Failed()
	}
	return nil
}

// given fails if an argument is empty, as an unset variable of a script is: what is
// asked for by no id is anything.
func given(cmd *cobra.Command, args []string) error {
	if i := slices.Index(args, ""); i >= 0 {
		return cli.Usage(cmd, fmt.Errorf("argument %d is empty, want a name or an id: is a variable not set?", i+1))
	}
	return nil
}

func past(action string) string {
	switch action {
	case "redrive":
		return "redriven"
	case "retry":
		return "retried"
	case "skip":
		return "skipped"
	case "cancel":
		return "cancelled"
	case "decide":
		return "decided"
	}
	return action + "ed"
}

// left is what is said of a target that was not changed.
func (ch *change) left() string {
	if ch.action == "skip" {
		return "left alone"
	}
	return "skipped"
}

// show prints what is selected.
func (ch *change) show(h home, targets []target) {
	verb := "selected"
	if ch.dryRun {
		verb = "selected (nothing is changed)"
	}
	fmt.Fprintf(ch.con.out, "%s: %s of %s\n", verb, plural(len(targets), ch.noun), h.Service.Service)
	for i, t := range targets {
		if i == shownTargets && !ch.verbose {
			fmt.Fprintf(ch.con.out, "  and %d more (--verbose shows all)\n", len(targets)-i)
			break
		}
		fmt.Fprintln(ch.con.out, "  "+escape(t.text))
	}
}

// apply changes the targets, as many at once as a request takes.
func (ch *change) apply(ctx context.Context, h home, targets []target) (done, skipped int, err error) {
	for len(targets) > 0 {
		n := min(len(targets), admin.MaxRefs)
		var refs []admin.Ref
		for _, t := range targets[:n] {
			refs = append(refs, t.Ref)
		}
		var body any = admin.Change{Refs: refs}
		if ch.body != nil {
			body = ch.body(refs)
		}
		targets = targets[n:]
		var out admin.Outcomes
		if err := ch.services.do(ctx, http.MethodPost, h.path(ch.path+"/"+ch.action, nil), body, &out); err != nil {
			return done, skipped, err
		}
		for _, o := range out.Outcomes {
			if o.Done {
				done++
			} else {
				skipped++
			}
			if err := ch.outcome(o); err != nil {
				return done, skipped, err
			}
		}
	}
	return done, skipped, nil
}

// outcome prints what became of a target.
func (ch *change) outcome(o admin.Outcome) error {
	name := strings.TrimSpace(o.Kind + " " + o.ID)
	switch {
	case ch.asJSON:
		return ch.con.line(o)
	case !o.Done:
		fmt.Fprintf(ch.con.out, "%s %s: %s\n", ch.left(), escape(name), escape(o.Reason))
	case ch.verbose:
		fmt.Fprintf(ch.con.out, "%s %s\n", past(o.Action), escape(name))
	}
	return nil
}

func (l *letters) changeCommand(action string) *cobra.Command {
	sel := &selection{state: "dead"}
	ch := &change{con: l.con, services: &l.services, action: action, noun: "dead letter", path: "/deadletters"}
	cmd := &cobra.Command{
		Use: action + " [ID...]",
		RunE: func(cmd *cobra.Command, ids []string) error {
			sel.ids, ch.asJSON = ids, l.asJSON
			if err := sel.check(cmd); err != nil {
				return err
			}
			h, err := l.services.one(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			targets, err := l.freeze(cmd.Context(), h, sel)
			if err != nil {
				return err
			}
			return ch.run(cmd.Context(), cmd, h, targets)
		},
	}
	const frozen = `

Which ones is decided first: the selection becomes a list, which is shown, and exactly
these are changed. What dies meanwhile is left alone. One that was handled, or tried
again, since it was selected is skipped, and the command ends with 1.`
	if action == "redrive" {
		cmd.Short = "Handle dead letters again, with all attempts before them"
		cmd.Long = `Handle dead letters again, after the cause is mended: those named, those that the flags
pick, or --all of a service. Each has all its attempts before it. The records of its key
behind it follow, in order.` + frozen
		cmd.Example = `  tutti deadletters redrive shop.payment/0@42 --service order
  tutti deadletters redrive --service order --error 'no connection' --dry-run
  tutti deadletters redrive --service order --all`
	} else {
		cmd.Short = "Delete dead letters for ever"
		cmd.Long = `Delete dead letters for ever: those named, those that the flags pick, or --all of a
service. The records of their keys behind them are handled. Before more than one is
deleted you are asked, unless --yes is given.` + frozen
		cmd.Example = `  tutti deadletters discard shop.payment/0@42 --service order
  tutti deadletters discard --service order --type shop.payment.failed --yes --json`
	}
	sel.bind(cmd, l)
	cmd.Flags().BoolVar(&sel.all, "all", false, "all of the service")
	ch.bind(cmd)
	return cmd
}

// check reports a selection that says nothing, or two things.
func (sel *selection) check(cmd *cobra.Command) error {
	switch {
	case len(sel.ids) > 0 && (sel.all || sel.filters()):
		return cli.Usage(cmd, errors.New("ids and flags that pick are both given, want one of them"))
	case sel.all && sel.filters():
		return cli.Usage(cmd, errors.New("--all and flags that pick are both given, want one of them"))
	case len(sel.ids) == 0 && !sel.all && !sel.filters():
		return cli.Usage(cmd, errors.New("nothing says which dead letters, want ids, --topic, --key, --type, --error or --all"))
	}
	return checkIDs(cmd, sel.ids)
}

// freeze makes a list of what is selected now. It holds ids and versions, some hundred
// bytes each, and no bodies.
func (l *letters) freeze(ctx context.Context, h home, sel *selection) (targets []target, err error) {
	add := func(r admin.Record) error {
		targets = append(targets, target{admin.Ref{ID: r.ID, Version: r.Version}, fmt.Sprintf("%s %s key=%s attempts=%s: %s",
			r.ID, orDash(r.Type), orDash(r.Key), strconv.Itoa(r.Attempts), brief(r.Error, 80))})
		return nil
	}
	if len(sel.ids) == 0 {
		query := sel.query()
		query.Set("limit", "1000")
		_, err := l.pages(ctx, h, query, 0, add)
		return targets, err
	}
	var errs []error
	named := map[string]bool{}
	for _, id := range sel.ids {
		if named[id] {
			continue
		}
		named[id] = true
		n, query := len(targets), sel.query()
		query.Set("id", id)
		if _, err := l.pages(ctx, h, query, 1, add); err != nil {
			return nil, err
		}
		if len(targets) == n {
			errs = append(errs, fmt.Errorf("%s is no dead letter of service %s", id, h.Service.Service))
		}
	}
	return targets, errors.Join(errs...)
}
