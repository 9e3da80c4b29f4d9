// Command bench measures the framework and the shop beside other systems, in one run
// on one machine, and says which goals of the project are met. README.md tells what
// is measured and how to read it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options is what the command is told.
type options struct {
	only     *regexp.Regexp
	list     bool
	quick    bool
	warm     time.Duration
	measured time.Duration
	turns    int
	growth   []int
	invoices string
	out      string
	profile  string
	// kafkaSynced makes Kafka sync each write, which one broker alone needs to be
	// durable through a loss of power.
	kafkaSynced bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if err == nil {
		err = run(ctx, o)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errMisused):
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

var errMisused = errors.New("called wrongly")

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), `Measure the framework and the shop beside other systems.

  go run .                      everything, about half an hour; the results go to results/
  go run . --quick              everything in short, to see that it works
  go run . --cases steps,raw    some of it
  go run . --list               what there is

Flags:
`)
		flags.PrintDefaults()
	}
	var only, growth string
	flags.StringVar(&only, "cases", "", "measure only cases whose names begin with one of these `NAMES` (name,…)")
	flags.BoolVar(&o.list, "list", false, "list the cases, and end")
	flags.BoolVar(&o.quick, "quick", false, "measure shortly and little; nothing is written unless --out is given")
	flags.DurationVar(&o.warm, "warm", 3*time.Second, "run for this `TIME` before")
	flags.DurationVar(&o.measured, "for", 10*time.Second, "measure each for this `TIME`")
	flags.IntVar(&o.turns, "turns", 1, "measure all of them `N` times over, and take the median of each")
	flags.StringVar(&growth, "growth", "10000,1000000", "measure with so many `ORDERS` and sagas stored (n,…)")
	flags.StringVar(&o.invoices, "invoices", "", "replay this `FILE` of the Online Retail data set; by default invoices that are made up")
	flags.StringVar(&o.out, "out", "results", "write results.json, results.md and results.svg to this `DIR`")
	flags.StringVar(&o.profile, "profile", "", "write a CPU profile of each of our programs to this `DIR`")
	flags.BoolVar(&o.kafkaSynced, "kafka-synced", true, "let Kafka sync each write to disk before it answers")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, fmt.Errorf("%w: %w", errMisused, err)
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if o.quick {
		quick(&o, &growth, given)
	}
	if o.only, err = begins(only); err != nil {
		return o, err
	}
	if o.turns < 1 {
		return o, fmt.Errorf("%w: --turns is %d, want at least 1", errMisused, o.turns)
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%w: arguments %q, want none (see --cases)", errMisused, flags.Args())
	}
	for text := range strings.SplitSeq(growth, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return o, fmt.Errorf("%w: --growth has %q, want numbers of orders", errMisused, text)
		}
		o.growth = append(o.growth, n)
	}
	if o.profile != "" {
		o.profile, err = filepath.Abs(o.profile)
	}
	return o, err
}

// quick shortens what was not given.
func quick(o *options, growth *string, given map[string]bool) {
	if !given["warm"] {
		o.warm = time.Second
	}
	if !given["for"] {
		o.measured = 2 * time.Second
	}
	if !given["growth"] {
		*growth = "1000,20000"
	}
	if !given["out"] {
		o.out = ""
	}
}

// begins matches names that begin with one of those given, or all.
func begins(names string) (*regexp.Regexp, error) {
	if names == "" {
		return regexp.MustCompile(""), nil
	}
	var quoted []string
	for name := range strings.SplitSeq(names, ",") {
		quoted = append(quoted, regexp.QuoteMeta(name))
	}
	return regexp.Compile("^(" + strings.Join(quoted, "|") + ")")
}

// run measures, and reports.
func run(ctx context.Context, o options) error {
	if o.list {
		for _, c := range cases(o) {
			if o.only.MatchString(c.Name) {
				fmt.Printf("%-30s %-10s %s\n", c.Name, c.System, c.Setting)
			}
		}
		return nil
	}
	if !exists("../go.mod") || !exists("load/go.mod") {
		return fmt.Errorf("%w: it has to be run in the folder bench of the project", errMisused)
	}
	if o.profile != "" {
		if err := os.MkdirAll(o.profile, 0o755); err != nil {
			return err
		}
	}
	s, err := newSuite(o)
	if err != nil {
		return err
	}
	report, err := s.measure(ctx)
	if err = errors.Join(err, s.close()); err != nil && len(report.Outcomes) == 0 {
		return err
	}
	fmt.Println()
	report.print(os.Stdout)
	if err == nil && o.out != "" {
		err = report.write(o.out)
	}
	if err == nil && report.failed() {
		err = errors.New("some cases have failed")
	}
	return err
}
