package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/tutti-go/tutti/internal/bus"
	"github.com/tutti-go/tutti/internal/cli"
	"github.com/tutti-go/tutti/shop/verify"
)

func verifyCommand(out output) *cobra.Command {
	var cfg verify.Config
	var connection bus.Settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check the invariants over all that a shop has stored",
		Long: `Check the invariants over the databases of all services, the ledgers of the
gateways and the log of a shop that is stopped, or was killed. It changes nothing.
It ends with 0 if every invariant holds.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var errs []error
			if cfg.Dir == "" {
				errs = append(errs, errors.New("--data is empty, want a directory"))
			}
			if err := checkDatabase(cfg.Database); err != nil {
				errs = append(errs, err)
			}
			if err := errors.Join(append(errs, connection.Check())...); err != nil {
				return cli.Usage(cmd, err)
			}
			cfg.Kafka = connection.Config()
			report, err := verify.Run(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			if asJSON {
				if err := json.NewEncoder(out.stdout).Encode(report); err != nil {
					return err
				}
			} else {
				printMissing(out.stdout, report.Missing)
				fmt.Fprintf(out.stdout, "%d orders: %d confirmed, %d cancelled; %d returns; %d events\n",
					report.Orders, report.Confirmed, report.Cancelled, report.Returns, report.Events)
				printReport(out.stdout, report)
			}
			if !report.OK() {
				return errors.New("invariants are violated")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&cfg.Dir, "data", "data", "look at the shop in this `DIR`")
	cmd.Flags().StringVar(&cfg.Database, "database", "", "read the databases from the PostgreSQL at this `URL`, and not from DIR")
	cli.WantValue(cmd.Flags(), "database")
	connection.BindConnection(cmd.Flags(), " for the log, and not that in DIR")
	cmd.Flags().BoolVar(&cfg.Settled, "settled", false, "also take for a violation whatever is still under way")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON instead of text for people")
	return cmd
}

// printMissing says which databases are missing, and what to do.
func printMissing(w io.Writer, missing []string) {
	if len(missing) > 0 {
		fmt.Fprintf(w, "missing: the databases of %s\n", strings.Join(missing, ", "))
		fmt.Fprintln(w, "Invariants that need them are left out. If they are in other directories, copy all into one.")
	}
}

// printReport prints the invariants and what is under way, for people.
func printReport(w io.Writer, report verify.Report) {
	fmt.Fprintln(w, "invariants:")
	for _, name := range sorted(report.Invariants) {
		inv := report.Invariants[name]
		if inv.OK {
			fmt.Fprintf(w, "  ok        %s\n", name)
			continue
		}
		fmt.Fprintf(w, "  VIOLATED  %s, %d times\n", name, inv.Violations)
		for _, v := range inv.Examples {
			fmt.Fprintf(w, "            %s: %s\n", plain(v.ID, 128), plain(v.What, 1000))
		}
		if more := inv.Violations - len(inv.Examples); more > 0 {
			fmt.Fprintf(w, "            and %d more\n", more)
		}
	}
	if report.Unsettled.Any() {
		fmt.Fprintf(w, "under way: %v\n", report.Unsettled)
	}
}

// plain bounds what others wrote to n characters, and quotes what a terminal might obey.
func plain(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			s = s[:i] + "…"
			break
		}
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
