package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/tutti-go/tutti/internal/cli"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/shop/replay"
	"github.com/tutti-go/tutti/shop/verify"
)

// replaying is what the command replay is told beside the shop's settings.
type replaying struct {
	config
	file     string
	stdin    io.Reader
	rate     float64
	stock    int64
	decline  float64
	rejected string
	mixed    bool
}

// mixture is the style of a replay whose orders take both.
const mixture = "mixed"

func replayCommand(out output) *cobra.Command {
	var r replaying
	cmd := &cobra.Command{
		Use:   "replay FILE",
		Short: "Process the real orders of a file, and check the invariants",
		Long: `Process the orders and returns of FILE through all services, wait until all
is settled, and check the invariants. FILE is CSV in the layout of the Online Retail
data set, plain or gzip; - is standard input. Lines of an invoice are taken together
where at most 15 others have begun since its first line; later ones are rejected.

A replay that was stopped or killed goes on where it was when it is started again
with the same command and --data DIR. With another file, or other orders of it
(--stock, --decline, --style), DIR is refused. It ends with 0 only if every invariant
holds and nothing is left in flight.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.file, r.stdin = args[0], cmd.InOrStdin()
			if err := r.validate(); err != nil {
				return cli.Usage(cmd, err)
			}
			return r.run(cmd.Context(), out)
		},
	}
	flags := cmd.Flags()
	r.common(flags)
	flags.StringVar(&r.data, "data", "", "keep databases and log in this `DIR`; by default in a temporary one, which is removed after success. "+
		"Wanted with --brokers and --database, which keep their part")
	flags.Float64Var(&r.rate, "rate", 0, "place at most `N` orders a second; 0 places them as fast as they are processed")
	flags.Int64Var(&r.stock, "stock", 10_000, "begin with `N` pieces of each product")
	flags.StringVar(&r.style, "style", string(orderv1.Choreography), "process the orders by this `STYLE`: choreography, orchestration or mixed")
	flags.Float64Var(&r.decline, "decline", 0, "pay this `PERCENT` of the orders with a card that is declined")
	flags.StringVar(&r.rejected, "rejected", "", "write the lines that are rejected, with their reasons, to this CSV `FILE`")
	return cmd
}

const maxStock = 1_000_000_000 // pieces of a product

// validate reports all faults at once.
func (r *replaying) validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(r.file != "", "FILE is empty, want a path or -")
	check(r.rate >= 0 && !math.IsInf(r.rate, 0), "--rate is %v, want 0 or more", r.rate)
	check(r.stock >= 1 && r.stock <= maxStock, "--stock is %d, want 1 to %d", r.stock, maxStock)
	check(r.decline >= 0 && r.decline <= 100, "--decline is %v, want 0 to 100", r.decline)
	check(r.data != "" || len(r.bus.Brokers) == 0 && r.database == "",
		"--data is empty, want a DIR: --brokers and --database keep their part of the replay, which fits no other directory")
	check(!r.overwrites(), "--rejected is %s, the file of the orders, want another one", r.rejected)
	r.mixed = r.style == mixture
	check(r.mixed || isStyle(r.style), "--style is %q, want choreography, orchestration or mixed", r.style)
	if r.mixed {
		r.style = string(orderv1.Choreography)
	}
	c := r.config                          // of which this command has some flags only
	c.style = string(orderv1.Choreography) // what it may be differs here
	c.http = "127.0.0.1:0"
	if c.data == "" {
		c.data = os.TempDir()
	}
	errs = append(errs, c.validate())
	r.services = names()
	return errors.Join(errs...)
}

// overwrites reports whether the list of rejected lines would replace the orders.
func (r *replaying) overwrites() bool {
	from, err := os.Stat(r.file)
	if f, ok := r.stdin.(*os.File); ok && r.file == "-" {
		from, err = f.Stat()
	}
	to, none := os.Stat(r.rejected)
	return err == nil && none == nil && to.Mode().IsRegular() && os.SameFile(from, to)
}

// run replays the file on the data directory, and prints how that ended, however it
// did.
func (r *replaying) run(ctx context.Context, out output) error {
	sum, report, err := r.attempt(ctx, out)
	if err != nil {
		sum.Error = err.Error()
	}
	return errors.Join(err, printReplay(out.stdout, r.json, sum, report))
}

func (r *replaying) attempt(ctx context.Context, out output) (sum replay.Summary, report verify.Report, err error) {
	log := r.logger(out)
	file, err := replay.Open(ctx, r.file, r.stdin) // before anything is made
	if err != nil {
		return sum, report, fmt.Errorf("nothing is placed: %w", err)
	}
	defer func() {
		if err := file.Close(); err != nil {
			log.Warn("remove temporary copy", "error", err)
		}
	}()
	temporary := r.data == ""
	if temporary {
		if r.data, err = os.MkdirTemp("", "shop-replay-"); err != nil {
			return sum, report, fmt.Errorf("make data directory: %w", err)
		}
	} else if err := r.terms(file).fit(r.data); err != nil {
		return sum, report, err
	}
	log.Info("replaying", "file", r.file, "data", r.data)
	sum, report, err = r.replay(ctx, out, log, file)
	if err == nil || !report.OK() {
		err = errors.Join(err, verdict(sum, report))
	}
	stopped := err != nil && ctx.Err() != nil
	if stopped {
		err = errors.New("stopped before the end")
	}
	switch {
	case err != nil && (stopped || sum.Orders > 0):
		log.Info("what was done is stored; the same command with --data goes on", "data", r.data)
	case temporary:
		err = errors.Join(err, os.RemoveAll(r.data))
	}
	return sum, report, err
}

// replay runs the shop for as long as the replay takes, and then checks what is
// stored: also where the file broke on the way, and what was placed has ended.
func (r *replaying) replay(ctx context.Context, out output, log *slog.Logger, file *replay.File) (sum replay.Summary, report verify.Report, err error) {
	s, err := open(ctx, r.config, log)
	if err != nil {
		return sum, report, err
	}
	if err := r.terms(file).claim(r.data); err != nil {
		return sum, report, errors.Join(err, s.close())
	}
	rejections, err := r.rejections(log) // now that the directory is ours: another replay on it may have the same list
	if err != nil {
		return sum, report, errors.Join(err, s.close())
	}
	var unread error
	begun := time.Now()
	err = s.run(ctx, func(ctx context.Context) (err error) {
		if err := s.ready(ctx); err != nil {
			return err
		}
		sum, err = replay.Run(ctx, file, replay.Config{
			Handler: s.routes, Outcomes: replay.FromLog(s.bus.Bus), Quiet: s.quiet,
			Begun: begun, Rate: r.rate, Stock: r.stock, Decline: r.decline, Mixed: r.mixed,
			Progress: progressTo(out.screen, log), Rejected: rejections.add, Logger: log,
		})
		if sum.Settled {
			unread, err = err, nil
		}
		return err
	})
	out.screen.live("")
	if err = errors.Join(unread, err, s.close(), rejections.close()); err != nil && !sum.Settled {
		return sum, report, err
	}
	log.Info("all is settled; checking the invariants")
	report, failed := verify.Run(ctx, verify.Config{
		Dir: r.data, Database: r.database, Kafka: r.bus.Config(), Settled: true, Acknowledged: sum.Accepted, Logger: log,
	})
	sum.Events, sum.Invariants = report.Events, report.Invariants
	return sum, report, errors.Join(err, failed)
}

// progressTo shows progress: on a terminal by a live line, elsewhere by a line
// every few seconds.
func progressTo(to *screen, log *slog.Logger) func(replay.Progress) {
	const every = 5 * time.Second
	begin := time.Now()
	last := begin
	return func(p replay.Progress) {
		to.live(fmt.Sprintf("%d of %d invoices  orders %d  confirmed %d  cancelled %d  returns %d  rejected lines %d  in flight %d",
			p.Read, p.Invoices, p.Orders, p.Confirmed, p.Cancelled, p.Returns, p.Rejected, p.UnderWay))
		if to.terminal || time.Since(last) < every {
			return
		}
		last = time.Now()
		log.Info("progress", "invoices", p.Read, "of", p.Invoices, "orders", p.Orders, "confirmed", p.Confirmed, "cancelled", p.Cancelled,
			"returns", p.Returns, "rejectedLines", p.Rejected, "inFlight", p.UnderWay)
	}
}

// rejections is where rejected lines are written to.
type rejections struct {
	add   func(replay.Rejection)
	close func() error
}

// rejections opens the file of --rejected. Without one, the first are logged.
func (r *replaying) rejections(log *slog.Logger) (rejections, error) {
	if r.rejected == "" {
		const most = 5
		n := 0
		return rejections{func(line replay.Rejection) {
			if n++; n <= most {
				log.Info("line is rejected", "line", line.Line, "reason", line.Reason, "detail", line.Detail)
			}
			if n == most {
				log.Info("more rejected lines are only counted; --rejected FILE lists all")
			}
		}, func() error { return nil }}, nil
	}
	f, err := os.Create(r.rejected)
	if err != nil {
		return rejections{}, fmt.Errorf("list rejected lines: %w", err)
	}
	buffer := bufio.NewWriter(f)
	list := csv.NewWriter(buffer)
	_ = list.Write([]string{"line", "reason", "detail"}) // close reports errors
	return rejections{func(line replay.Rejection) {
		_ = list.Write([]string{strconv.Itoa(line.Line), string(line.Reason), line.Detail})
	}, func() error {
		list.Flush()
		if err := errors.Join(list.Error(), buffer.Flush(), f.Close()); err != nil {
			return fmt.Errorf("list rejected lines: %w", err)
		}
		return nil
	}}, nil
}

// verdict says whether all is as it should be.
func verdict(sum replay.Summary, report verify.Report) error {
	switch {
	case !report.OK():
		return errors.New("invariants are violated")
	case !sum.Complete() || report.Unsettled.Any():
		return fmt.Errorf("not all is settled: %v", report.Unsettled)
	}
	return nil
}

// printReplay prints the summary: as JSON always, for people if anything was done.
func printReplay(w io.Writer, asJSON bool, sum replay.Summary, report verify.Report) error {
	if asJSON {
		if sum.Rejected == nil {
			sum.Rejected = map[replay.Reason]int{}
		}
		if sum.Invariants == nil { // nothing was checked
			sum.Invariants = map[string]verify.Invariant{}
		}
		return json.NewEncoder(w).Encode(sum)
	}
	if sum.Lines == 0 {
		return nil
	}
	fmt.Fprintf(w, "%d lines: %d of orders, %d of returns, %d rejected\n", sum.Lines, sum.Placed, sum.Returned, sum.Rejections())
	for _, reason := range sorted(sum.Rejected) {
		fmt.Fprintf(w, "  %7d  %s\n", sum.Rejected[reason], reason)
	}
	fmt.Fprintf(w, "%d orders: %d confirmed, %d cancelled; %d returns; %d events\n", sum.Orders, sum.Confirmed, sum.Cancelled, sum.Returns, sum.Events)
	fmt.Fprintf(w, "%.1f s, %.0f orders/s; half of the orders took up to %.0f ms, 99 %% up to %.0f ms\n",
		sum.Seconds, sum.OrdersPerSecond, sum.Latency.P50, sum.Latency.P99)
	if sum.Resumed > 0 {
		fmt.Fprintf(w, "%d of the orders had ended in an earlier run; the speed is of the others\n", sum.Resumed)
	}
	if sum.Invariants != nil {
		printReport(w, report)
	}
	return nil
}
