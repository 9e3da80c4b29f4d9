// Package command builds commands, for programs and tests that run them as processes.
package command

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"

	"golang.org/x/sync/errgroup"
)

// Build builds commands into a directory that is there, each by the name of its package.
//
// It has go run them with a program that copies: Go keeps what go run has linked in its
// build cache, but not what go build has, and linking costs more than all the rest.
func Build(ctx context.Context, dir string, packages ...string) error {
	copier, err := exec.LookPath("cp")
	group, ctx := errgroup.WithContext(ctx)
	for _, pkg := range packages {
		to := filepath.Join(dir, path.Base(pkg))
		args := []string{"run", "-exec", copier, pkg, to}
		if err != nil {
			args = []string{"build", "-o", dir + string(os.PathSeparator), pkg}
		}
		group.Go(func() error {
			if said, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
				return fmt.Errorf("build %s: %w\n%s", pkg, err, said)
			}
			return nil
		})
	}
	return group.Wait()
}
