package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os/exec"
	"strings"
	"time"
)

// tables are those of a server: in the database that was given, and in another for
// what can be listed, which Temporal calls visibility.
type tables struct {
	tool              string
	host, port        string
	user, password    string
	store, visibility string
	madeForVisibility bool
}

func makeTables(ctx context.Context, tool, address string) (*tables, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return nil, fmt.Errorf("--database is %q, want the URL of a PostgreSQL database", address)
	}
	t := &tables{tool: tool, host: u.Hostname(), port: u.Port(), user: u.User.Username(), store: strings.TrimPrefix(u.Path, "/")}
	t.password, _ = u.User.Password()
	if t.port == "" {
		t.port = "5432"
	}
	t.visibility = t.store + "_visibility"
	if err := t.run(ctx, t.visibility, "create-database"); err != nil {
		return nil, err
	}
	t.madeForVisibility = true
	for database, schema := range map[string]string{t.store: "temporal", t.visibility: "visibility"} {
		err = errors.Join(err,
			t.run(ctx, database, "setup-schema", "--version", "0.0"),
			t.run(ctx, database, "update-schema", "--schema-name", "postgresql/v12/"+schema))
	}
	if err != nil {
		err = errors.Join(err, t.drop())
	}
	return t, err
}

func (t *tables) address() string { return net.JoinHostPort(t.host, t.port) }

func (t *tables) run(ctx context.Context, database string, args ...string) error {
	cmd := exec.CommandContext(ctx, t.tool, append([]string{"--plugin", "postgres12", "--endpoint", t.host, "--port", t.port,
		"--user", t.user, "--password", t.password, "--database", database}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("temporal-sql-tool %s: %w: %s", args[0], err, out)
	}
	return nil
}

// drop removes the database that was not given.
func (t *tables) drop() error {
	if !t.madeForVisibility {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return t.run(ctx, t.visibility, "drop-database", "--force")
}
