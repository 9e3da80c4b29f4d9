package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tutti-go/tutti/internal/cli"
)

func soakCommand(out io.Writer) *cobra.Command {
	set := settings{layout: "one", every: time.Second}
	var sampling time.Duration
	var plot, figures string
	cmd := &cobra.Command{
		Use:   "soak",
		Short: "Leave the shop running, and check that it does not grow",
		Long: `Run the shop in one process at a steady rate, and note every few seconds how much
memory, how many open files and goroutines it has, how many rows the framework's
tables, and how large the write-ahead logs are. At the end, say which of them grew,
and check the orders as torture does. It ends with 0 only if all is flat and well.

The first quarter is for caches to fill, and so is --fill, since it takes a shop
some 80,000 orders until the page caches of all its databases are full. What
remains is flat if its slope (of Theil and Sen, which a few outliers do not move)
adds up to less than a tenth of the median, or to less than what can be told from
noise.`,
		Example: `  torture soak                              an hour at 20 orders a second
  torture soak --for 10m --plot soak.svg    ten minutes, with a plot
  torture soak --fill 80000                 an hour of a shop that has run for a while`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := set.validate()
			if sampling < 100*time.Millisecond || set.lasting < 20*sampling {
				err = errors.Join(err, fmt.Errorf("--for is %v and --sample %v, want 20 samples or more, 100ms or more apart", set.lasting, sampling))
			}
			if err != nil {
				return cli.Usage(cmd, err)
			}
			return soak(cmd.Context(), &set, sampling, plot, figures, out)
		},
	}
	f := cmd.Flags()
	f.DurationVar(&set.lasting, "for", time.Hour, "let it run for this `TIME`")
	f.DurationVar(&sampling, "sample", 5*time.Second, "look every so often")
	f.IntVar(&set.fill, "fill", 0, "before it counts, place so many `ORDERS` twenty times as fast, for caches to fill")
	f.StringVar(&plot, "plot", "", "draw a plot as SVG into this `FILE`")
	f.StringVar(&figures, "csv", "", "write all figures into this `FILE`; by default beside the data")
	set.common(f, 20)
	return cmd
}

// soak lets a shop run, and judges what was seen.
func soak(ctx context.Context, set *settings, sampling time.Duration, plot, figures string, out io.Writer) error {
	return within(ctx, set, out, func(ctx context.Context, r *run) error {
		w, err := newWatch(r)
		if err != nil {
			return err
		}
		if w.plot, w.figures = plot, figures; figures == "" {
			w.figures = filepath.Join(r.site.dir, "soak.csv")
		}
		err = r.under(ctx, func(ctx context.Context) error { return w.watch(ctx, sampling) })
		err = errors.Join(err, w.write(), w.close())
		if err != nil {
			return err
		}
		return errors.Join(r.judge(w.series), r.conclude(ctx))
	})
}

// write writes what was seen so far.
func (w *watch) write() error {
	err := writeFile(w.figures, w.csv)
	if w.plot == "" || len(w.times) == 0 {
		return err
	}
	title := fmt.Sprintf("The shop in one process at %v orders/s, for %v", w.run.set.rate, w.times[len(w.times)-1].Round(time.Second))
	return errors.Join(err, writeFile(w.plot, func(f io.Writer) error { return drawPlot(f, title, w.times, w.series) }))
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err = errors.Join(write(f), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// judge says of each series whether it is flat.
func (r *run) judge(all []*series) error {
	var grown []string
	for _, s := range all {
		from, by, flat := s.trend()
		verdict := "flat"
		if !flat {
			verdict = "GREW"
			grown = append(grown, s.name)
		}
		r.say("%s  %-16s %10.1f %+8.1f %s", verdict, s.name, from, by, s.unit)
	}
	if len(grown) > 0 {
		return fmt.Errorf("not flat: %s", strings.Join(grown, ", "))
	}
	return nil
}

// watch takes samples until the time is over. Every minute it writes what it has
// seen, for those who look at it meanwhile.
func (w *watch) watch(ctx context.Context, sampling time.Duration) error {
	written := time.Now()
	begin, tick := time.Now(), time.NewTicker(sampling)
	defer tick.Stop()
	for time.Since(begin) < w.run.set.lasting {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-w.run.load.failed:
			return err
		case <-tick.C:
		}
		if err := w.sample(ctx); err != nil {
			return fmt.Errorf("take a sample after %v: %w", time.Since(begin).Round(time.Second), err)
		}
		w.times = append(w.times, time.Since(begin))
		if time.Since(written) >= time.Minute {
			if err := w.write(); err != nil {
				return err
			}
			written = time.Now()
		}
	}
	return nil
}

// csv writes a line for each sample.
func (w *watch) csv(to io.Writer) error {
	out := csv.NewWriter(to)
	line := []string{"seconds"}
	for _, s := range w.series {
		line = append(line, strings.TrimSpace(s.name+" "+s.unit))
	}
	for i := -1; i < len(w.times); i++ {
		if i >= 0 {
			line = []string{strconv.FormatFloat(w.times[i].Seconds(), 'f', 1, 64)}
			for _, s := range w.series {
				line = append(line, strconv.FormatFloat(s.values[i], 'f', -1, 64))
			}
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
