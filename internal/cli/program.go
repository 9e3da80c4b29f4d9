package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Flags is where the settings of a program are bound.
type Flags = pflag.FlagSet

// Program is a program of one command, without arguments. Its settings come from
// flags, the environment and a file, as those of [Execute] do. check is called
// before run, and says what is wrong with them.
func Program(name, short, prefix string, bind func(*Flags), check func() error, run func(ctx context.Context, stdout, stderr io.Writer) error) Func {
	return func(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
		cmd := &cobra.Command{Use: name, Short: short, Args: cobra.NoArgs}
		cmd.RunE = func(cmd *cobra.Command, _ []string) error {
			if err := check(); err != nil {
				return Usage(cmd, err)
			}
			return run(cmd.Context(), stdout, stderr)
		}
		cmd.SetOut(stdout)
		cmd.SetErr(stderr)
		bind(cmd.Flags())
		return Execute(ctx, cmd, args, getenv, prefix)
	}
}
