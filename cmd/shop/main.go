// Command shop runs the reference shop: services that process orders by
// events, in one process or in several. Run 'shop --help' for its settings.
package main

import (
	"context"
	"io"

	"github.com/tutti-go/tutti/internal/cli"
)

func main() { cli.Main("shop", run) }

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	out := output{stdout, newScreen(stderr)}
	root := serveCommand(out)
	root.AddCommand(replayCommand(out), verifyCommand(out))
	root.SetOut(stdout)
	root.SetErr(stderr)
	return cli.Execute(ctx, root, args, getenv, "SHOP")
}
