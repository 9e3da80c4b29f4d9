package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/admin"
	"github.com/tutti-go/tutti/internal/bus"
	"github.com/tutti-go/tutti/internal/cli"
	"github.com/tutti-go/tutti/kafka"
)

// tailing is what tail is told.
type tailing struct {
	set                   *bus.Settings
	topics                []string
	typ, key, correlation string
	from                  string
	limit                 int
	follow, asJSON        bool
	asks                  time.Duration // how often Kafka is asked whether it is there
}

func tailCommand(con *console) *cobra.Command {
	t := &tailing{set: newSettings(), asks: connectWithin}
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Print events as they pass, decoded",
		Long: `Print events as they pass: time, place in the log, type and version, key, correlation
id, body. Like tail -f it begins at the end and goes on until Ctrl-C; with --follow=false
it prints what is there, from the start, and ends.

--from is start, end, an offset (of each partition), -N for the last N of each partition,
a duration before now (10m), or a time (2026-11-24T09:00:00Z).

Events of one partition come in order. Between partitions there is no order; those that
are read together are merged by time. Events in structured mode are shown like others,
and marked. What is no event is shown with the reason, and its bytes in hex. Text from
the wire is escaped; --json has it as it is. Nothing is changed: tail is in no group.`,
		Example: `  tutti tail                                          all events from now on
  tutti tail --type 'shop.payment.*' --from 10m       payments, from ten minutes ago
  tutti tail --correlation 8c1f… --from start         all that one request led to
  tutti tail --topic shop.order --from -5 --limit 5   the last five of a partition
  tutti tail --follow=false --json | jq .type         all that is there, for programs`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return t.run(cmd, con) },
	}
	f := cmd.Flags()
	t.set.BindConnection(f, "")
	f.StringSliceVar(&t.topics, "topic", nil, "only these `TOPICS`; * stands for any text (default: all)")
	f.StringVar(&t.typ, "type", "", "only events of this `TYPE`; * stands for any text")
	f.StringVar(&t.key, "key", "", "only events of this `KEY`")
	f.StringVar(&t.correlation, "correlation", "", "only events with this correlation `ID`, and the event of this id")
	f.StringVar(&t.from, "from", "", "begin at this `PLACE`, see above (default end, or start with --follow=false)")
	f.IntVar(&t.limit, "limit", 0, "end after `N` events; 0 for no limit")
	f.BoolVar(&t.follow, "follow", true, "wait for more at the end of the log")
	f.BoolVar(&t.asJSON, "json", false, "write one JSON object a line")
	_ = cmd.RegisterFlagCompletionFunc("topic", completeTopics(t.set, con))
	_ = cmd.RegisterFlagCompletionFunc("from", cobra.FixedCompletions([]string{"start", "end", "10m", "1h"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (t *tailing) run(cmd *cobra.Command, con *console) error {
	begin := "start"
	if t.follow {
		begin = "end"
	}
	place, err := parseFrom(cmp.Or(t.from, begin), time.Now())
	if t.limit < 0 {
		err = errors.Join(err, fmt.Errorf("--limit is %d, want 0 or more", t.limit))
	}
	if err != nil {
		return cli.Usage(cmd, err)
	}
	ctx := cmd.Context()
	b, err := connect(ctx, cmd, t.set, con)
	if err != nil {
		return err
	}
	defer b.Close()
	topics, err := t.pick(ctx, b)
	if err != nil {
		return err
	}
	bounds, err := b.Bounds(ctx, "", topics)
	if err != nil {
		return err
	}
	begins, err := place.offsets(ctx, b, topics, bounds)
	if err != nil {
		return err
	}
	ends := map[event.Partition]int64{}
	for p, in := range bounds {
		ends[p] = in.End
	}
	return t.read(ctx, con, b, begins, ends)
}

// pick returns the topics to read.
func (t *tailing) pick(ctx context.Context, b *kafka.Bus) ([]string, error) {
	all, err := b.Topics(ctx)
	if err != nil {
		return nil, err
	}
	if len(t.topics) == 0 {
		if len(all) == 0 {
			return nil, errors.New("the cluster has no topics yet: start a service")
		}
		return all, nil
	}
	var out []string
	for _, pattern := range t.topics {
		n := len(out)
		for _, name := range all {
			if admin.Match(pattern, name) {
				out = append(out, name)
			}
		}
		if len(out) == n {
			return nil, fmt.Errorf("no topic is %s: there are %s", pattern, strings.Join(all, ", "))
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// read prints what it reads until it is enough, or ctx ends.
func (t *tailing) read(ctx context.Context, con *console, b *kafka.Bus, begins, ends map[event.Partition]int64) error {
	tail, err := b.Tail(begins)
	if err != nil {
		return err
	}
	defer tail.Close()
	reading, stop := context.WithCancelCause(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer stop(nil)
	beside.Go(func() { t.watch(reading, con, b, stop) })
	buffered := bufio.NewWriter(con.out)
	to := *con
	to.out = buffered
	for printed := 0; t.follow || !tail.Reached(ends); {
		records, err := tail.Poll(reading, 1000)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return cmp.Or(context.Cause(reading), err)
		}
		for _, r := range records {
			if !t.follow && r.Offset >= ends[r.Partition] {
				continue
			}
			seen := decode(r)
			if !t.wants(seen) {
				continue
			}
			if err := to.seen(seen, t.asJSON); err != nil {
				return err
			}
			if printed++; printed == t.limit {
				return buffered.Flush()
			}
		}
		if err := buffered.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// watch looks now and again whether Kafka is there, for which reading waits in silence.
// Who follows is told; what is to end ends with the error.
func (t *tailing) watch(ctx context.Context, con *console, b *kafka.Bus, stop context.CancelCauseFunc) {
	for away := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(t.asks):
		}
		asking, cancel := context.WithTimeout(ctx, t.asks)
		_, err := b.Topics(asking)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !t.follow:
			stop(err)
			return
		case err != nil && !away:
			fmt.Fprintf(con.err, "tutti: waiting for Kafka: %v\n", err)
		case err == nil && away:
			fmt.Fprintln(con.err, "tutti: Kafka answers again")
		}
		away = err != nil
	}
}

// wants reports whether a record is one of those asked for.
func (t *tailing) wants(s seenRecord) bool {
	switch {
	case t.typ != "" && !admin.Match(t.typ, s.Type):
		return false
	case t.key != "" && s.Key != t.key:
		return false
	case t.correlation != "" && s.CorrelationID != t.correlation && s.EventID != t.correlation:
		return false
	}
	return true
}
