package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tutti-go/tutti/internal/admin"
	"github.com/tutti-go/tutti/internal/cli"
	"github.com/tutti-go/tutti/store"
)

// letters is what the commands for dead letters share.
type letters struct {
	con      *console
	services client
	asJSON   bool
}

func deadLettersCommand(con *console) *cobra.Command {
	l := &letters{con: con}
	cmd := &cobra.Command{
		Use:   "deadletters",
		Short: "List, show, redrive, edit and discard dead letters of services",
		Long: `Dead letters are records that a service could not handle, or could not read. Each waits
for a person, with the later records of its key behind it, and is named by its place in
the log: topic/partition@offset.

The commands ask services that run, at the address of their --admin, and change them
while they run.`,
		Example: `  tutti deadletters list --service order
  tutti deadletters show shop.payment/0@42 --service order
  tutti deadletters redrive --service order --error 'no connection'
  tutti deadletters discard shop.payment/0@42 --service order`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	l.services.bind(cmd, cmd.PersistentFlags(), con)
	cmd.PersistentFlags().BoolVar(&l.asJSON, "json", false, "write one JSON object a line")
	cmd.AddCommand(l.listCommand(), l.showCommand(), l.changeCommand("redrive"), l.editCommand(), l.changeCommand("discard"))
	return cmd
}

// selection says which dead letters.
type selection struct {
	ids                  []string
	topic, key, err, typ string
	all                  bool
	state                string
}

func (sel *selection) bind(cmd *cobra.Command, l *letters) {
	f := cmd.Flags()
	f.StringVar(&sel.topic, "topic", "", "only those of this `TOPIC`")
	f.StringVar(&sel.key, "key", "", "only those of this `KEY`")
	f.StringVar(&sel.typ, "type", "", "only those of this `TYPE`; * stands for any text")
	f.StringVar(&sel.err, "error", "", "only those whose error has this `TEXT` in it, in upper or lower case")
	complete := func(name string, what func(admin.Service) []string) {
		_ = cmd.RegisterFlagCompletionFunc(name, func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			return l.services.complete(cmd, l.con, what)
		})
	}
	complete("topic", func(s admin.Service) []string { return s.Topics })
	complete("type", func(s admin.Service) []string { return s.Types })
}

func (sel *selection) filters() bool { return sel.topic+sel.key+sel.err+sel.typ != "" }

func (sel *selection) query() url.Values {
	v := url.Values{}
	for name, value := range map[string]string{"state": sel.state, "topic": sel.topic, "key": sel.key, "error": sel.err, "type": sel.typ} {
		if value != "" {
			v.Set(name, value)
		}
	}
	return v
}

// checkIDs checks the ids of records.
func checkIDs(cmd *cobra.Command, ids []string) error {
	var errs []error
	for _, id := range ids {
		if _, err := store.ParsePlace(id); err != nil {
			errs = append(errs, err)
		}
	}
	return cli.Usage(cmd, errors.Join(errs...))
}

// pages calls each with the parked records of a service that a query picks, page by
// page, until it has seen limit of them (0: all). It reports whether there are more.
func (l *letters) pages(ctx context.Context, h home, query url.Values, limit int, each func(admin.Record) error) (more bool, err error) {
	for n := 0; ; {
		if limit > 0 {
			query.Set("limit", strconv.Itoa(min(limit-n, 500)))
		}
		var page admin.Records
		if err := l.services.do(ctx, http.MethodGet, h.path("/parked", query), nil, &page); err != nil {
			return false, err
		}
		for _, r := range page.Records {
			if err := each(r); err != nil {
				return false, err
			}
		}
		if n += len(page.Records); page.Next == "" || limit > 0 && n >= limit {
			return page.Next != "", nil
		}
		query.Set("after", page.Next)
	}
}

func (l *letters) listCommand() *cobra.Command {
	sel, limit := &selection{}, 0
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, or other parked records",
		Long: `List dead letters in the order of the log: place, type, key, attempts, when it died, how
many records of its key wait behind it, and the error. --state retry lists records that
are still tried again by themselves, waiting those that wait behind others, all both.`,
		Example: `  tutti deadletters list
  tutti deadletters list --service order --type 'shop.payment.*' --limit 0
  tutti deadletters list --state all --key 8c1f… --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 {
				return cli.Usage(cmd, fmt.Errorf("--limit is %d, want 0 or more", limit))
			}
			switch sel.state {
			case "all":
				sel.state = ""
			case "dead", "retry", "waiting":
			default:
				return cli.Usage(cmd, fmt.Errorf("--state is %q, want dead, retry, waiting or all", sel.state))
			}
			return l.list(cmd.Context(), sel, limit)
		},
	}
	sel.bind(cmd, l)
	cmd.Flags().StringVar(&sel.state, "state", "dead", "records in this `STATE`: dead, retry, waiting or all")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most `N` of each service; 0 for all")
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions([]string{"dead", "retry", "waiting", "all"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (l *letters) list(ctx context.Context, sel *selection, limit int) error {
	homes, err := l.services.find(ctx)
	if err != nil {
		return err
	}
	var records []admin.Record
	total, more := 0, false
	flush := func() error { // of what is not JSON, so that columns fit
		err := l.con.records(records, total == len(records))
		records = records[:0]
		return err
	}
	for _, h := range homes {
		rest, err := l.pages(ctx, h, sel.query(), limit, func(r admin.Record) error {
			if total++; l.asJSON {
				return l.con.line(r)
			}
			if records = append(records, r); len(records) == 1000 {
				return flush()
			}
			return nil
		})
		if err != nil {
			return err
		}
		more = more || rest
	}
	if l.asJSON {
		return nil
	}
	if err := flush(); err != nil {
		return err
	}
	what := "parked record"
	if sel.state == "dead" {
		what = "dead letter"
	}
	if more {
		fmt.Fprintf(l.con.out, "%s shown; there are more (--limit 0 shows all)\n", plural(total, what))
		return nil
	}
	fmt.Fprintln(l.con.out, plural(total, what))
	return nil
}

// records prints parked records as a table.
func (c *console) records(rs []admin.Record, heading bool) error {
	if len(rs) == 0 {
		return nil
	}
	var rows [][]string
	for _, r := range rs {
		when := r.Died
		if r.State != "dead" {
			when = r.Due
		}
		rows = append(rows, []string{
			r.Service, r.ID, r.State, orDash(r.Type), orDash(r.Key), strconv.Itoa(r.Attempts), stamp(when), strconv.Itoa(r.Behind), orDash(brief(r.Error, 100)),
		})
	}
	var head []string
	if heading {
		head = []string{"SERVICE", "ID", "STATE", "TYPE", "KEY", "ATTEMPTS", "DIED/DUE", "BEHIND", "ERROR"}
	}
	return c.table(head, rows)
}

func (l *letters) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show all of a dead letter, or of another parked record",
		Long: `Show a parked record: its CloudEvents attributes and headers, the body as JSON (or in
hex, where it is none), the error, attempts and times, and what waits behind it. The body
is what edit takes: of an event in structured mode, the whole event.`,
		Example: `  tutti deadletters show shop.payment/0@42 --service order`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkIDs(cmd, args); err != nil {
				return err
			}
			h, err := l.services.one(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			var d admin.Detail
			if err := l.services.do(cmd.Context(), http.MethodGet, h.path("/parked/"+args[0], nil), nil, &d); err != nil {
				return err
			}
			if l.asJSON {
				return l.con.line(d)
			}
			return l.con.detail(d)
		},
	}
}

// detail prints all of a parked record.
func (c *console) detail(d admin.Detail) error {
	rows := [][2]string{
		{"service", d.Service}, {"id", d.ID}, {"state", d.State}, {"key", orDash(d.Key)}, {"attempts", strconv.Itoa(d.Attempts)},
		{"parked", stamp(d.Since)},
	}
	if !d.Died.IsZero() {
		rows = append(rows, [2]string{"died", stamp(d.Died)})
	}
	if !d.Due.IsZero() {
		rows = append(rows, [2]string{"due", stamp(d.Due)})
	}
	if d.Undecodable != "" {
		rows = append(rows, [2]string{"unreadable", d.Undecodable})
	}
	behind := "nothing"
	if d.Behind > 0 {
		behind = plural(d.Behind, "record") + ": " + strings.Join(d.Waiting, ", ")
		if d.Behind > len(d.Waiting) {
			behind += ", …"
		}
	}
	rows = append(rows, [2]string{"behind it", behind})
	for _, row := range rows {
		fmt.Fprintf(c.out, "%-11s %s\n", row[0], escape(row[1]))
	}
	c.section("error", d.Error)
	if e := d.Event; e != nil {
		fmt.Fprintln(c.out, "event")
		for _, row := range [][2]string{
			{"type", versioned(e.Type, e.Version)}, {"kind", e.Kind}, {"id", e.ID}, {"source", e.Source}, {"time", stamp(e.Time)},
			{"correlation", e.CorrelationID}, {"causation", e.CausationID}, {"trace", e.TraceParent},
		} {
			if row[1] != "" {
				fmt.Fprintf(c.out, "  %-11s %s\n", row[0], escape(row[1]))
			}
		}
	}
	fmt.Fprintln(c.out, "headers")
	for _, h := range d.Headers {
		value := h.Value
		if len(h.Bytes) > 0 {
			value = "hex " + hex.EncodeToString(h.Bytes)
		}
		fmt.Fprintf(c.out, "  %s: %s\n", escape(h.Name), escape(value))
	}
	return c.showBody(d)
}

// section prints a text of several lines under a heading, if there is one.
func (c *console) section(heading, text string) {
	if text == "" {
		return
	}
	fmt.Fprintln(c.out, heading)
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		fmt.Fprintln(c.out, "  "+escape(line))
	}
}

func (c *console) showBody(d admin.Detail) error {
	heading := fmt.Sprintf("body, %d bytes", d.Size)
	if d.Body != nil {
		return c.showJSON(heading, d.Body)
	}
	const most = 4096
	data, cut := d.Bytes, ""
	if len(data) > most {
		data, cut = data[:most], "…\n"
	}
	c.section(heading+", no JSON", hex.Dump(data)+cut)
	return nil
}

// showJSON prints JSON under a heading.
func (c *console) showJSON(heading string, v json.RawMessage) error {
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("show %s: %w", heading, err)
	}
	c.section(heading, text.String())
	return nil
}
