package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tutti-go/tutti/kafka"
)

func topicsCommand(con *console) *cobra.Command {
	set, asJSON := newSettings(), false
	cmd := &cobra.Command{
		Use:   "topics [TOPIC...]",
		Short: "List topics: partitions, records, size, retention, and who reads and writes them",
		Long: `List the topics of the cluster, or those named: partitions and replication, how many
records are between the ends of the log (control records and compacted ones count),
bytes of one replica, retention, who publishes there, and which groups consume it with
their lag in records. Services note how far they are once a second.`,
		Example: `  tutti topics                                  of the broker that "tutti broker" runs
  tutti topics shop.order --brokers host:9092   one topic, elsewhere
  tutti topics --json | jq .name`,
		ValidArgsFunction: completeTopics(set, con),
		RunE: func(cmd *cobra.Command, names []string) error {
			b, err := connect(cmd.Context(), cmd, set, con)
			if err != nil {
				return err
			}
			defer b.Close()
			if err := known(cmd.Context(), b, names); err != nil {
				return err
			}
			topics, err := b.Describe(cmd.Context(), names...)
			if err != nil {
				return err
			}
			return con.topics(topics, asJSON)
		},
	}
	set.BindConnection(cmd.Flags(), "")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object a line")
	return cmd
}

// known fails if a topic is not there.
func known(ctx context.Context, b *kafka.Bus, names []string) error {
	if len(names) == 0 {
		return nil
	}
	all, err := b.Topics(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !slices.Contains(all, name) {
			return fmt.Errorf("there is no topic %s, only %s", name, strings.Join(all, ", "))
		}
	}
	return nil
}

// topicLine is a topic as JSON.
type topicLine struct {
	Name        string      `json:"name"`
	Partitions  int         `json:"partitions"`
	Replication int         `json:"replication"`
	Records     int64       `json:"records"`
	Bytes       *int64      `json:"bytes,omitempty"`       // absent where the cluster does not say
	RetentionMS *int64      `json:"retentionMs,omitempty"` // -1: for ever; absent where the cluster does not say
	Compacted   bool        `json:"compacted,omitempty"`
	Publishers  []string    `json:"publishers"`
	Consumers   []groupLine `json:"consumers"`
}

type groupLine struct {
	Group string `json:"group"`
	Lag   int64  `json:"lag"`
}

func (c *console) topics(topics []kafka.TopicInfo, asJSON bool) error {
	var rows [][]string
	for _, t := range topics {
		if asJSON {
			if err := c.line(lineOf(t)); err != nil {
				return err
			}
			continue
		}
		var consumers []string
		for _, g := range t.Consumers {
			consumers = append(consumers, fmt.Sprintf("%s (lag %d)", g.Group, g.Lag))
		}
		rows = append(rows, []string{
			t.Name, strconv.Itoa(t.Partitions), strconv.Itoa(t.Replication), strconv.FormatInt(t.Records, 10), size(t.Size), retention(t),
			orDash(strings.Join(t.Publishers, ", ")), orDash(strings.Join(consumers, ", ")),
		})
	}
	if asJSON {
		return nil
	}
	return c.table([]string{"TOPIC", "PARTITIONS", "REPLICATION", "RECORDS", "SIZE", "RETENTION", "PUBLISHERS", "CONSUMERS"}, rows)
}

func lineOf(t kafka.TopicInfo) topicLine {
	line := topicLine{
		Name: t.Name, Partitions: t.Partitions, Replication: t.Replication, Records: t.Records, Compacted: t.Compacted,
		Publishers: append([]string{}, t.Publishers...), Consumers: []groupLine{},
	}
	if t.Size >= 0 {
		line.Bytes = &t.Size
	}
	if t.Known {
		ms := int64(-1)
		if t.Retention >= 0 {
			ms = t.Retention.Milliseconds()
		}
		line.RetentionMS = &ms
	}
	for _, g := range t.Consumers {
		line.Consumers = append(line.Consumers, groupLine(g))
	}
	return line
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// size is a number of bytes for people, in powers of 1024.
func size(n int64) string {
	switch {
	case n < 0:
		return "?"
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

func retention(t kafka.TopicInfo) string {
	var s string
	switch {
	case !t.Known:
		s = "?"
	case t.Retention < 0:
		s = "for ever"
	case t.Retention >= 24*time.Hour && t.Retention%(24*time.Hour) == 0:
		s = fmt.Sprintf("%dd", t.Retention/(24*time.Hour))
	default:
		s = t.Retention.String()
	}
	if t.Compacted {
		s += ", compacted"
	}
	return s
}
