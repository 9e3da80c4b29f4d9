package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/admin"
	"github.com/tutti-go/tutti/kafka"
)

func lagCommand(con *console) *cobra.Command {
	set, services := newSettings(), &client{}
	var raw, asJSON bool
	cmd := &cobra.Command{
		Use:   "lag",
		Short: "Show how far services are behind the ends of their topics",
		Long: `Show, of each partition that services read: the position of the next record to be
handled, the end of the log, how many records are between them, and for how many seconds
the oldest of these has been in the log.

The services are asked (--admin): their databases hold the exact positions. With --kafka
the offsets are shown that groups have committed in Kafka, of groups that are not built
on this framework as well; services commit once a second.`,
		Example: `  tutti lag                             all services of a process at 127.0.0.1:9090
  tutti lag --service order --json      one service, one JSON object a line
  tutti lag --kafka --brokers host:9092 all consumer groups of a cluster`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var lags []admin.Lag
			var err error
			if raw {
				b, e := connect(cmd.Context(), cmd, set, con)
				if e != nil {
					return e
				}
				defer b.Close()
				lags, err = committed(cmd.Context(), b, services.service)
			} else {
				lags, err = services.lags(cmd.Context())
			}
			return errors.Join(con.lags(lags, asJSON), err)
		},
	}
	services.bind(cmd, cmd.Flags(), con)
	set.BindConnection(cmd.Flags(), "")
	cmd.Flags().BoolVar(&raw, "kafka", false, "ask Kafka at --brokers, and not the services; --service then names a group")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object a line")
	return cmd
}

// lags asks each service. What was answered is returned with the error of the others.
func (c *client) lags(ctx context.Context) (out []admin.Lag, err error) {
	homes, err := c.find(ctx)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, h := range homes {
		var page admin.Lags
		if err := c.do(ctx, http.MethodGet, h.path("/lag", nil), nil, &page); err != nil {
			errs = append(errs, err)
		}
		out = append(out, page.Lags...)
	}
	return out, errors.Join(errs...)
}

// committed reads the offsets that groups have committed.
func committed(ctx context.Context, b *kafka.Bus, group string) (out []admin.Lag, err error) {
	groups, err := b.Progress(ctx)
	if err != nil {
		return nil, err
	}
	waiting := map[string]map[event.Partition]int64{}
	for _, p := range groups {
		if group != "" && p.Group != group || group == "" && p.Sent() {
			continue
		}
		lag := admin.Lag{Service: p.Group, Topic: p.Topic, Partition: p.Number, Position: max(p.Committed, p.Start), End: p.End}
		if lag.Lag = max(0, lag.End-lag.Position); lag.Lag > 0 {
			if waiting[p.Group] == nil {
				waiting[p.Group] = map[event.Partition]int64{}
			}
			waiting[p.Group][p.Partition] = lag.Position
		}
		out = append(out, lag)
	}
	if group != "" && len(out) == 0 {
		return nil, fmt.Errorf("group %s has committed nothing: there is no such group, or it has read nothing yet", group)
	}
	for group, at := range waiting {
		times, err := b.TimesAt(ctx, at, 3*time.Second)
		if err != nil {
			return out, err
		}
		for i, l := range out {
			if t, known := times[event.Partition{Topic: l.Topic, Number: l.Partition}]; known && l.Service == group && l.Lag > 0 {
				out[i].Seconds = max(0, time.Since(t).Seconds())
			}
		}
	}
	return out, nil
}

func (c *console) lags(lags []admin.Lag, asJSON bool) error {
	var rows [][]string
	for _, l := range lags {
		if asJSON {
			if err := c.line(l); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, []string{
			l.Service, l.Topic, strconv.Itoa(int(l.Partition)), strconv.FormatInt(l.Position, 10), strconv.FormatInt(l.End, 10),
			strconv.FormatInt(l.Lag, 10), strconv.FormatFloat(l.Seconds, 'f', 1, 64),
		})
	}
	if asJSON || len(lags) == 0 {
		return nil
	}
	return c.table([]string{"SERVICE", "TOPIC", "PARTITION", "POSITION", "END", "LAG", "SECONDS"}, rows)
}
