// Package cli is what our commands share: settings by flag, environment and file,
// signals, and exit codes.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// Func is a whole program: all that it takes from its surroundings is an argument.
type Func func(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error

// Main runs the program in the process's surroundings and exits: with 0, with 1 if
// it failed, or with 2 if it was called wrongly. SIGINT and SIGTERM end its
// context; a second one, half a second later or more, ends the process at once.
func Main(name string, run Func) {
	relaxGC(os.Getenv)
	ctx, stop := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go heed(signals, stop, func() { os.Exit(1) })
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, errSaid) {
		fmt.Fprintf(os.Stderr, "%s: %s\n", name, clip(err.Error()))
	}
	var wrong *usageError
	if errors.As(err, &wrong) {
		fmt.Fprintf(os.Stderr, "Run '%s --help' for usage.\n", wrong.command)
	}
	os.Exit(code(err))
}

// sameWish is how close signals are that are one: timeout of GNU sends its signal to the
// process and then to the process's group, a terminal and a supervisor may both send.
const sameWish = 500 * time.Millisecond

// heed stops at the first signal, and ends the process at the next.
func heed(signals <-chan os.Signal, stop, end func()) {
	if _, ok := <-signals; !ok {
		return
	}
	first := time.Now()
	stop()
	for range signals {
		if time.Since(first) >= sameWish {
			end()
			return
		}
	}
}

// relaxGC lets the heap grow to five times of what lives in it before garbage is
// collected, unless GOGC or GOMEMLIMIT says otherwise. A service keeps little beside
// what passes through it: with Go's default of two, a busy one with some 20 MB alive
// collects many times a second, for a fifth of its time.
func relaxGC(getenv func(string) string) {
	if getenv("GOGC") == "" && getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(400)
	}
}

// clip bounds what is printed: arguments and files may quote anything.
func clip(s string) string {
	const limit = 4000
	if len(s) > limit {
		return s[:limit] + "…"
	}
	return s
}

// code is the exit code for the error of a program.
func code(err error) int {
	var wrong *usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &wrong):
		return 2
	}
	return 1
}

var errSaid = errors.New("said already")

// Failed is an error for a program that has said by its output what is wrong.
func Failed() error { return errSaid }

type usageError struct {
	command string
	error
}

func (u *usageError) Unwrap() error { return u.error }

// Command is the command that was called wrongly.
func (u *usageError) Command() string { return u.command }

// Usage says that cmd was called wrongly. It returns nil for nil.
func Usage(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	return &usageError{cmd.CommandPath(), err}
}

// Execute runs the command that args name. Flags that are not given are taken from
// the environment, as PREFIX_FLAG_NAME, and then from the file of --config.
func Execute(ctx context.Context, root *cobra.Command, args []string, getenv func(string) string, prefix string) error {
	root.SilenceErrors, root.SilenceUsage = true, true
	root.Version = Version()
	root.SetUsageTemplate(usageTemplate(root))
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.PersistentFlags().String("config", "", "read settings from `FILE`, lines of flag = value")
	begun := false
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := Configure(cmd, getenv, prefix); err != nil {
			return err
		}
		begun = true
		return nil
	}
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd(args...)
	refuseUnknown(root)
	root.SetArgs(append([]string{}, args...)) // nil would be those of the process
	cmd, err := root.ExecuteContextC(ctx)
	if !begun { // all that can fail before is in what the caller gave
		return Usage(cmd, err)
	}
	return err
}

// refuseUnknown makes an error of a name that the help or completion command does not
// know. Cobra prints its help then, as if nothing were wrong.
func refuseUnknown(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "completion":
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() } // what runs has its arguments checked
		case "help":
			cmd.Args = func(_ *cobra.Command, args []string) error {
				found, rest, err := root.Find(args)
				if err == nil && len(rest) > 0 {
					err = fmt.Errorf("unknown command %q for %q", rest[0], found.CommandPath())
				}
				return err
			}
		}
	}
}

// Version is the version of the module that the program was built from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
