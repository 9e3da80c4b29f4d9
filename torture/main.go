package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tutti-go/tutti/internal/cli"
	"github.com/tutti-go/tutti/shop/orderv1"
)

func main() { cli.Main("torture", program) }

func program(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	root := killCommand(stdout)
	root.AddCommand(soakCommand(stdout), replayCommand(stdout))
	root.SetOut(stdout)
	root.SetErr(stderr)
	return cli.Execute(ctx, root, args, getenv, "TORTURE")
}

// settings are what the commands are told.
type settings struct {
	layout   string
	bin      string // has the commands; empty builds them
	kafka    []string
	cluster  int
	database string
	freeze   bool
	dir      string
	keep     bool
	kills    int
	lasting  time.Duration
	seed     uint64
	rate     float64
	fill     int
	every    time.Duration
	slow     int
	style    string
	look     bool
	patience time.Duration
}

func killCommand(out io.Writer) *cobra.Command {
	var set settings
	cmd := &cobra.Command{
		Use:   "torture",
		Short: "Kill the shop under load, again and again, and check that nothing is lost, doubled or stuck",
		Long: `Run the shop as real processes under load, kill them with kill -9 at random
moments, and start them again. At the end, every order that was acknowledged has to
be there once, and to have ended, and every invariant of the shop has to hold.

It prints what each kill hit, and the seed: the same seed draws the same orders,
victims and pauses. It ends with 0 only if nothing was lost, doubled or stuck;
otherwise it says why, and keeps databases, log and what the processes said.`,
		Example: `  torture                        20 kills of the whole shop in one process
  torture --layout each          20 kills of single services and of the broker
  torture --layout pair --database postgres://me@127.0.0.1/new
                                 20 kills of one of two instances, which are frozen too
  torture --for 1h --rate 200    as many kills as fit into an hour, under more load`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if set.lasting > 0 && !cmd.Flags().Changed("kills") {
				set.kills = 0
			}
			if err := set.validate(); err != nil {
				return cli.Usage(cmd, err)
			}
			return torture(cmd.Context(), &set, out)
		},
	}
	f := cmd.Flags()
	f.StringVar(&set.layout, "layout", "one", "run the shop in this `LAYOUT`: "+layoutNames())
	f.IntVar(&set.kills, "kills", 20, "kill `N` times; 0 for any number, with --for")
	f.DurationVar(&set.lasting, "for", 0, "kill for this `TIME`; 0 for any time, with --kills")
	f.DurationVar(&set.every, "every", 1500*time.Millisecond, "let this `TIME` pass between two kills on average")
	f.BoolVar(&set.freeze, "freeze", true, "freeze processes too, for longer than their sessions, where there are several")
	f.BoolVar(&set.look, "look", true, "check the invariants after each kill too, where one process holds everything")
	set.common(f, 100)
	return cmd
}

// common adds the flags of all commands, some with a default of their own.
func (set *settings) common(f *cli.Flags, rate float64) {
	f.StringSliceVar(&set.kafka, "kafka", nil, "use the Kafka at these `ADDRESSES` (host:port,…), which has no topics of a shop")
	f.IntVar(&set.cluster, "cluster", set.cluster, "start a Kafka of `N` brokers (1 or 3) by scripts/kafka, and do harm to it too")
	f.StringVar(&set.database, "database", "", "let services keep their data in the PostgreSQL at this `URL` (postgres://user@host/name), which has no data of a shop")
	f.StringVar(&set.dir, "data", "", "keep everything in this new `DIR`; by default in a temporary one, which is removed after success")
	f.BoolVar(&set.keep, "keep", false, "keep the temporary directory after success too")
	f.Uint64Var(&set.seed, "seed", 0, "draw everything from this `NUMBER`; 0 takes a new one")
	f.Float64Var(&set.rate, "rate", rate, "place `N` orders a second")
	f.IntVar(&set.slow, "slow", 2, "let gateways take their time with this `PERCENT` of the orders")
	f.StringVar(&set.style, "style", mixed, "have orders processed by this `STYLE`: "+strings.Join(styles, ", "))
	f.DurationVar(&set.patience, "patience", 2*time.Minute, "take for stuck what has not ended within this `TIME`")
}

// mixed is the style of a load whose orders take both, in turn.
const mixed = "mixed"

var styles = []string{string(orderv1.Choreography), string(orderv1.Orchestration), mixed}

// validate reports all faults at once.
func (set *settings) validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(layouts[set.layout] != nil, "--layout is %q, want one of %s", set.layout, layoutNames())
	for _, a := range set.kafka {
		_, _, err := net.SplitHostPort(a)
		check(err == nil, "--kafka has %q, want host:port", a)
	}
	check(set.cluster == 0 || set.cluster == 1 || set.cluster == 3, "--cluster is %d, want 1 or 3", set.cluster)
	check(set.cluster == 0 || len(set.kafka) == 0, "--cluster and --kafka: want one of them")
	check(set.layout != "pair" || set.database != "", "--layout pair needs --database: two instances share no files")
	check(set.kills >= 0, "--kills is %d, want 0 or more", set.kills)
	check(set.lasting >= 0, "--for is %v, want 0 or more", set.lasting)
	check(set.kills > 0 || set.lasting > 0, "--kills and --for are both 0, want one of them")
	check(set.rate > 0 && set.rate <= 10_000, "--rate is %v, want more than 0, at most 10000", set.rate)
	check(set.fill >= 0, "--fill is %d, want 0 or more", set.fill)
	check(set.every >= 100*time.Millisecond, "--every is %v, want 100ms or more", set.every)
	check(set.slow >= 0 && set.slow <= 50, "--slow is %d, want 0 to 50", set.slow)
	check(slices.Contains(styles, set.style), "--style is %q, want one of %s", set.style, strings.Join(styles, ", "))
	check(set.patience >= time.Second, "--patience is %v, want 1s or more", set.patience)
	return errors.Join(errs...)
}

func layoutNames() string {
	return strings.Join(slices.Sorted(maps.Keys(layouts)), ", ")
}
