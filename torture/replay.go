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
least once, and the replay says that everything is settled and every invariant holds.
Orders that are made up are enough for three minutes.`,
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

// madeUp is for how long there are orders that are made up.
const madeUp = 3 * time.Minute

// replay runs a replay, and harms its brokers until it ends.
func replay(ctx context.Context, set *settings, file string, out io.Writer) error {
	return within(ctx, set, out, func(ctx context.Context, r *run) error {
		if r.site.cluster == nil {
			return errors.New("a replay needs brokers to harm: want --cluster 1 or 3")
		}
		r.site.processes = nil // the replay is the only one
		said, err := os.Create(filepath.Join(r.site.logs(), "replay.log"))
		if err != nil {
			return err
		}
		defer said.Close()
		turns := newTurns(r)
		if file == "" {
			if file, err = r.makeUp(); err != nil {
				return err
			}
		}
		result, err := r.harmed(ctx, turns, file, said)
		if err != nil {
			return fmt.Errorf("shop replay: %w (see %s)", err, said.Name())
		}
		if err := r.settled(result, turns.rounds()); err != nil {
			return err
		}
		if turns.rounds() == 0 {
			return errors.New("all is well, but the replay ended before every harm was done: place orders more slowly (--rate)")
		}
		return nil
	})
}

// makeUp writes a file of orders that are made up, and returns its path.
func (r *run) makeUp() (string, error) {
	path, count := filepath.Join(r.site.dir, "orders.csv"), int(madeUp.Seconds()*r.set.rate)
	return path, writeFile(path, func(w io.Writer) error { return makeUp(w, r.set.seed, count) })
}

// harmed replays a file, does harm meanwhile, and returns what the replay ended with.
func (r *run) harmed(ctx context.Context, turns *turns, file string, said io.Writer) ([]byte, error) {
	var result bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(r.site.bin, "shop"), "replay", file, "--json", "--data", r.site.data(),
		"--brokers", strings.Join(r.site.brokers, ","), "--rate", fmt.Sprint(r.set.rate), "--style", r.set.style)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = &result, said, dieWithParent()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := r.begun(ctx, ended); err != nil {
		return nil, err
	}
	err := turns.until(ctx, ended)
	return result.Bytes(), err
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

// turns are the harms that are done one after the other, and again from the first.
type turns struct {
	*harm
	rng   *rand.Rand
	steps []func(context.Context) error
	done  int // steps
}

func newTurns(r *run) *turns {
	t := &turns{harm: newHarm(r), rng: rand.New(rand.NewPCG(r.set.seed, 1))}
	brokers := len(r.site.cluster.proxies)
	for n := range brokers {
		t.steps = append(t.steps, func(ctx context.Context) error { return t.fell(ctx, n+1, pick(t.rng, 0, 3*time.Second)) })
	}
	t.steps = append(t.steps, func(ctx context.Context) error { return t.stallBroker(ctx, t.rng) })
	for _, silent := range []bool{true, false} {
		t.steps = append(t.steps, func(ctx context.Context) error {
			t.sever(ctx, t.rng.IntN(brokers), silent, pick(t.rng, 2*time.Second, session+5*time.Second))
			return nil
		})
	}
	return t
}

// rounds is how many times every harm was done.
func (t *turns) rounds() int { return t.done / len(t.steps) }

// until does harm until the replay has ended.
func (t *turns) until(ctx context.Context, ended <-chan error) error {
	for {
		select {
		case err := <-ended:
			t.say("%s", t.hits.slow())
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pick(t.rng, 200*time.Millisecond, 2*time.Second)):
		}
		if err := t.steps[t.done%len(t.steps)](ctx); err != nil {
			return err
		}
		t.done++
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
