package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/tutti-go/tutti/internal/bus"
	"github.com/tutti-go/tutti/internal/cli"
	"github.com/tutti-go/tutti/kafka"
)

const brokerDefault = "127.0.0.1:9092" // where tutti broker listens

// newSettings are the settings of a command that asks Kafka.
func newSettings() *bus.Settings { return &bus.Settings{Brokers: []string{brokerDefault}} }

const connectWithin = 10 * time.Second // a person is waiting

// connect connects to the Kafka of the settings.
func connect(ctx context.Context, cmd *cobra.Command, set *bus.Settings, con *console) (*kafka.Bus, error) {
	if err := set.Check(); err != nil {
		return nil, cli.Usage(cmd, err)
	}
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	return set.Connect(ctx, slog.New(slog.NewTextHandler(con.err, &slog.HandlerOptions{Level: slog.LevelError})))
}

// completeTopics offers the topics of the cluster, if it answers at once.
func completeTopics(set *bus.Settings, con *console) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		if err := cli.Configure(cmd, con.getenv, variables); err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		b, err := set.Connect(ctx, slog.New(slog.DiscardHandler))
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer b.Close()
		names, _ := b.Topics(ctx) // none if it does not answer
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
