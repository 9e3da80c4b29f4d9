// Command tutti is the tool beside the framework. Run 'tutti --help' for what it
// does.
package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tutti-go/tutti/internal/cli"
)

func main() { cli.Main("tutti", run) }

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	root := &cobra.Command{
		Use:   "tutti",
		Short: "The tool beside the framework for services that collaborate by events",
		Long: `The tool beside the framework for services that collaborate by events.

Each flag can also be given by the environment (TUTTI_PORT for --port) or in a file
of lines "port = 9092" (--config).`,
	}
	root.AddCommand(brokerCommand(stdout, stderr), versionCommand(stdout))
	root.SetOut(stdout)
	root.SetErr(stderr)
	return cli.Execute(ctx, root, args, getenv, "TUTTI")
}

func versionCommand(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(stdout, "tutti", cli.Version())
			return err
		},
	}
}
