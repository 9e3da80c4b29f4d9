package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// programs says in which folder the source of each is, seen from this one. Peers
// have modules of their own, so that their dependencies do not mix.
var programs = map[string]string{
	"steps": "steps", "saga": "saga", "raw": "raw", "shop": "shop",
	"watermill": "peers/watermill", "dbos": "peers/dbos", "river": "peers/river", "restate": "peers/restate", "temporal": "peers/temporal",
	"the-shop": "../cmd/shop",
}

// builder builds programs, each once.
type builder struct {
	dir  string
	done map[string]error
}

// build returns the path of a program.
func (b *builder) build(ctx context.Context, name string) (string, error) {
	path := filepath.Join(b.dir, name)
	if err, done := b.done[name]; done {
		return path, err
	}
	_, err := child(ctx, programs[name], "go", "build", "-o", path, ".")
	if err != nil {
		err = fmt.Errorf("build %s: %w", programs[name], err)
		if strings.HasPrefix(programs[name], "peers/") && ctx.Err() == nil {
			err = skip{"it cannot be built, perhaps for want of a network: " + err.Error()}
		}
	}
	b.done[name] = err
	return path, err
}

// more is what the arguments of a program name beside the settings of the load.
func (b *builder) more(ctx context.Context, name string) ([]string, error) {
	switch name {
	case "shop":
		shop, err := b.build(ctx, "the-shop")
		return []string{"--program", shop}, err
	case "restate":
		server, err := restateServer(ctx)
		return []string{"--server", server}, err
	case "temporal":
		dir, err := b.temporal(ctx)
		return []string{"--server", filepath.Join(dir, "server"), "--sql-tool", filepath.Join(dir, "sql")}, err
	}
	return nil, nil
}

const restateVersion = "1.7.12"

// restateServer returns the path of Restate's server, which npm puts into a cache of
// the user on first use. Scripts of packages are not run.
func restateServer(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", skip{"there is no place for Restate's server: " + err.Error()}
	}
	arch := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	dir := filepath.Join(cache, "tutti", "restate-"+restateVersion)
	server := filepath.Join(dir, "node_modules", "@restatedev", "restate-server-"+runtime.GOOS+"-"+arch, "bin", "restate-server")
	if exists(server) {
		return server, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	_, err = child(ctx, dir, "npm", "install", "--prefix", dir, "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "@restatedev/restate-server@"+restateVersion)
	if err == nil && !exists(server) {
		err = errors.New("the package has no server for this machine")
	}
	if err != nil && ctx.Err() == nil {
		return "", skip{"Restate's server cannot be had from npm: " + tail(err.Error(), 300)}
	}
	return server, err
}

const temporalVersion = "1.32.1"

// temporal returns where Temporal's server and the tool for its tables are, which are
// built from the Go module proxy on first use, into a cache of the user. That takes
// some minutes.
func (b *builder) temporal(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", skip{"there is no place for Temporal's server: " + err.Error()}
	}
	dir := filepath.Join(cache, "tutti", "temporal-"+temporalVersion)
	if exists(filepath.Join(dir, "server")) && exists(filepath.Join(dir, "sql")) {
		return dir, nil
	}
	if err, done := b.done["Temporal"]; done {
		return dir, err
	}
	fmt.Fprintln(os.Stderr, "building Temporal's server, once for this machine: it takes some minutes")
	at := "@v" + temporalVersion
	_, err = child(ctx, b.dir, "env", "GOBIN="+dir, "go", "install", "go.temporal.io/server/cmd/tools/sql"+at, "go.temporal.io/server/cmd/server"+at)
	if err != nil && ctx.Err() == nil {
		err = skip{"Temporal's server cannot be built: " + tail(err.Error(), 300)}
	}
	b.done["Temporal"] = err
	return dir, err
}
