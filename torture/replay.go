package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tutti-go/tutti/internal/cli"
	"github.com/tutti-go/tutti/shop/verify"
)

func replayCommand(out io.Writer) *cobra.Command {
	set := settings{layout: "one", kills: 1, every: time.Second, cluster: 3}
	cmd := &cobra.Command{
		Use:   "replay [FILE]",
		Short: "Harm the brokers of a real Kafka, one after the other, during a replay",
		Long: `Start a Kafka of three brokers by scripts/kafka, and replay a file of orders on it
(see shop replay --help; without FILE, one is made up). Meanwhile kill each broker
with kill -9 and start it again, in turn, then freeze one for longer than sessions
last, and cut the network to one, once silently and once with broken connections;
and so on until the replay ends. It ends with 0 only if all of that was done at
least once, and the replay says that everything is settled and every invariant holds.`,
		Example: `  torture replay                    orders that are made up
  torture replay 2010-12.csv.gz     a month of a real shop`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := set.validate(); err != nil {
				return cli.Usage(cmd, err)
			}
			file := ""
			if len(args) > 0 {
				file = args[0]
			}
			return replay(cmd.Context(), &set, file, out)
		},
	}
	set.common(cmd.Flags(), 30)
	return cmd
}

// replay runs a replay, and harms its brokers until it ends.
func replay(ctx context.Context, set *settings, file string, out io.Writer) error {
	return within(ctx, set, out, func(ctx context.Context, r *run) (err error) {
		if r.site.cluster == nil {
			return errors.New("a replay needs brokers to harm: want --cluster 1 or 3")
		}
		if file == "" {
			file = filepath.Join(r.site.dir, "orders.csv")
			if err := writeFile(file, func(w io.Writer) error { return makeUp(w, set.seed, 3000) }); err != nil {
				return err
			}
		}
		said, err := os.Create(filepath.Join(r.site.logs(), "replay.log"))
		if err != nil {
			return err
		}
		defer said.Close()
		var result bytes.Buffer
		cmd := exec.CommandContext(ctx, filepath.Join(r.site.bin, "shop"), "replay", file, "--json", "--data", r.site.data(),
			"--brokers", strings.Join(r.site.brokers, ","), "--rate", fmt.Sprint(set.rate), "--style", set.style)
		cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = &result, said, dieWithParent()
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("start the replay: %w", err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		r.site.processes = nil // the replay is the only one
		if err := r.begun(ctx, ended); err != nil {
			return fmt.Errorf("shop replay: %w (see %s)", err, said.Name())
		}
		rounds, err := newHarm(r).inTurn(ctx, ended)
		if err != nil {
			return fmt.Errorf("shop replay: %w (see %s)", err, said.Name())
		}
		if err := r.settled(result.Bytes(), rounds); err != nil {
			return err
		}
		if rounds == 0 {
			return errors.New("all is well, but the replay ended before every harm was done: place orders more slowly (--rate)")
		}
		return nil
	})
}

// begun waits until the replay has placed an order.
func (r *run) begun(ctx context.Context, ended <-chan error) error {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(r.site.data(), "order.db")+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	defer db.Close()
	for {
		var n int
		if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM orders").Scan(&n); err == nil && n > 0 {
			return nil // before, there is no table, or no file
		}
		select {
		case err := <-ended:
			return fmt.Errorf("it has ended before it placed an order: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// settled reads what the replay ended with.
func (r *run) settled(result []byte, rounds int) error {
	var said struct {
		Lines, Orders, Confirmed, Cancelled, Returns int
		Invariants                                   map[string]verify.Invariant
	}
	if err := json.Unmarshal(result, &said); err != nil {
		return fmt.Errorf("shop replay wrote %q: %w", result, err)
	}
	for _, name := range sorted(said.Invariants) {
		if !said.Invariants[name].OK {
			return fmt.Errorf("invariant %s is violated: %v", name, said.Invariants[name].Examples)
		}
	}
	r.say("%d rounds of harm; the replay ended well: %d lines, %d orders, %d confirmed, %d cancelled, %d returns; all %d invariants hold",
		rounds, said.Lines, said.Orders, said.Confirmed, said.Cancelled, said.Returns, len(said.Invariants))
	return nil
}

// inTurn harms one broker after the other until the replay has ended, and returns
// how many rounds were done.
func (h *harm) inTurn(ctx context.Context, ended <-chan error) (rounds int, err error) {
	rng, brokers := rand.New(rand.NewPCG(h.set.seed, 1)), len(h.site.cluster.proxies)
	var steps []func() error
	for n := range brokers {
		steps = append(steps, func() error { return h.fell(ctx, n+1, pick(rng, 0, 3*time.Second)) })
	}
	steps = append(steps,
		func() error { return h.stallBroker(ctx, rng) },
		func() error {
			h.sever(ctx, rng.IntN(brokers), true, pick(rng, 2*time.Second, session+5*time.Second))
			return nil
		},
		func() error {
			h.sever(ctx, rng.IntN(brokers), false, pick(rng, 2*time.Second, session+5*time.Second))
			return nil
		})
	for step := 0; ; step++ {
		select {
		case err := <-ended:
			h.say("%s", h.hits.slow())
			return step / len(steps), err
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(pick(rng, 200*time.Millisecond, 2*time.Second)):
		}
		if err := steps[step%len(steps)](); err != nil {
			return 0, err
		}
	}
}

// makeUp writes invoices in the layout of the Online Retail data set, with returns.
func makeUp(w io.Writer, seed uint64, invoices int) error {
	rng, out := rand.New(rand.NewPCG(seed, 2)), bufio.NewWriter(w)
	fmt.Fprintln(out, "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country")
	bought := map[int]int{} // product, by customer
	for i := range invoices {
		customer, invoice := 12000+i%50, 536000+i
		for range 1 + rng.IntN(4) {
			product := 20000 + rng.IntN(40)
			fmt.Fprintf(out, "%d,%d,THING %d,%d,12/1/2010 8:26,%d.25,%d,United Kingdom\n", invoice, product, product, 2+rng.IntN(5), 1+product%9, customer)
			bought[customer] = product
		}
		if i%10 == 9 {
			fmt.Fprintf(out, "C%d,%d,THING,-1,12/2/2010 9:00,1.25,%d,United Kingdom\n", 900000+i, bought[customer], customer)
		}
	}
	return out.Flush()
}
