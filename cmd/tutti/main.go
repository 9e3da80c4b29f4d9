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

const variables = "TUTTI" // how the environment's settings begin

func main() { cli.Main("tutti", run) }

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	return execute(ctx, args, newConsole(stdout, stderr, getenv))
}

// execute runs the command that args name.
func execute(ctx context.Context, args []string, con *console) error {
	root := &cobra.Command{
		Use:   "tutti",
		Short: "The tool beside the framework for services that collaborate by events",
		Long: `The tool beside the framework for services that collaborate by events. It looks at
a system that runs, and mends it while it runs.

topics, tail and lag --kafka ask Kafka (--brokers). deadletters, jobs, sagas and lag ask
the services, each process at the address that it was started with (--admin).

Each flag can also be given by the environment (TUTTI_PORT for --port) or in a file
of lines "port = 9092" (--config). Exit codes: 0 all is done, 1 something failed or
was skipped, 2 the command was called wrongly.`,
	}
	root.AddCommand(
		brokerCommand(con.out, con.err), topicsCommand(con), tailCommand(con), lagCommand(con),
		deadLettersCommand(con), jobsCommand(con), sagasCommand(con), versionCommand(con.out),
	)
	root.SetOut(con.out)
	root.SetErr(con.err)
	return cli.Execute(ctx, root, args, con.getenv, variables)
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
