package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tutti-go/tutti/internal/cli"
	"github.com/tutti-go/tutti/kafka"
)

func brokerCommand(stdout, stderr io.Writer) *cobra.Command {
	var data string
	var port int
	cmd := &cobra.Command{
		Use:   "broker",
		Short: "Run the embedded broker by itself",
		Long: `Run the embedded, Kafka-compatible broker by itself, for services in processes of
their own on this machine. It listens at 127.0.0.1 only, syncs every write to disk,
and has its data again after a restart. It is one broker for development and tests;
in production, run Apache Kafka.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var errs []error
			if data == "" {
				errs = append(errs, errors.New("--data is empty, want a directory"))
			}
			if port < 0 || port > 65535 {
				errs = append(errs, fmt.Errorf("--port is %d, want 0 to 65535", port))
			}
			if len(errs) > 0 {
				return cli.Usage(cmd, errors.Join(errs...))
			}
			return serveBroker(cmd.Context(), data, port, stdout, stderr)
		},
	}
	cmd.Flags().StringVar(&data, "data", "data", "keep the log in `DIR`/broker, as the shop does")
	cmd.Flags().IntVar(&port, "port", 9092, "listen on this `PORT`; 0 takes a free one")
	return cmd
}

// serveBroker runs a broker until ctx ends.
func serveBroker(ctx context.Context, data string, port int, stdout, stderr io.Writer) error {
	broker, err := kafka.Embed(kafka.BrokerConfig{
		Dir: filepath.Join(data, "broker"), Port: port, Logger: slog.New(slog.NewTextHandler(stderr, nil)),
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "broker %s, data in %s; Ctrl-C stops it\n", strings.Join(broker.Addrs(), ","), filepath.Join(data, "broker"))
	<-ctx.Done()
	return broker.Close()
}
