package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// postgres is a PostgreSQL server, with its defaults as to durability: fsync and
// synchronous_commit are on.
type postgres struct {
	dir   string // of the one that was started for the suite
	url   string
	fault error
	made  int
}

// server starts the server on first use. TUTTI_POSTGRES names one that runs.
func (p *postgres) server(ctx context.Context, dir string) (string, error) {
	if p.url != "" || p.fault != nil {
		return p.url, p.fault
	}
	if p.url = os.Getenv("TUTTI_POSTGRES"); p.url != "" {
		return p.url, nil
	}
	p.dir = filepath.Join(dir, "postgres")
	out, err := script(ctx, "postgres", "start", "--dir", p.dir)
	if err != nil {
		p.fault = unavailable("PostgreSQL", err)
		return "", p.fault
	}
	p.url = out
	return p.url, nil
}

func unavailable(what string, err error) error {
	var failed *failure
	if errors.As(err, &failed) && failed.code == absent {
		return skip{what + ": " + failed.said}
	}
	return fmt.Errorf("start %s: %w", what, err)
}

// database makes an empty database, and lets the server write what is behind it, so
// that no case pays for the one before.
func (p *postgres) database(ctx context.Context, dir string) (address string, drop func() error, err error) {
	server, err := p.server(ctx, dir)
	if err != nil {
		return "", nil, err
	}
	u, err := url.Parse(server)
	if err != nil {
		return "", nil, fmt.Errorf("the address of PostgreSQL: %w", err)
	}
	p.made++
	name := fmt.Sprintf("bench_%d_%d", os.Getpid(), p.made)
	if err := p.exec(ctx, "CREATE DATABASE "+name, "CHECKPOINT"); err != nil {
		return "", nil, err
	}
	u.Path = "/" + name
	return u.String(), func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		return p.exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
	}, nil
}

func (p *postgres) exec(ctx context.Context, statements ...string) error {
	db, err := pgx.Connect(ctx, p.url)
	if err != nil {
		return err
	}
	defer db.Close(context.WithoutCancel(ctx))
	for _, text := range statements {
		if _, err := db.Exec(ctx, text); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return nil
}

// version is the server's, if one was used.
func (p *postgres) version(ctx context.Context) string {
	if p.url == "" {
		return ""
	}
	db, err := pgx.Connect(ctx, p.url)
	if err != nil {
		return ""
	}
	defer db.Close(ctx)
	var v string
	if db.QueryRow(ctx, "SHOW server_version").Scan(&v) != nil {
		return ""
	}
	return v
}

// stop stops the server that was started for the suite.
func (p *postgres) stop() error {
	if p.dir == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := script(ctx, "postgres", "stop", "--dir", p.dir)
	return err
}

// kafka starts a Kafka of one broker for one case. TUTTI_KAFKA names one that runs.
func kafka(ctx context.Context, dir string, synced bool) (brokers string, stop func() error, err error) {
	if brokers := os.Getenv("TUTTI_KAFKA"); brokers != "" {
		return brokers, func() error { return nil }, nil
	}
	port, err := freePorts()
	if err != nil {
		return "", nil, err
	}
	dir = filepath.Join(dir, "kafka")
	args := []string{"start", "--dir", dir, "--port", strconv.Itoa(port)}
	if synced { // Kafka leaves that to the operating system: it relies on replication
		args = append(args, "--set", "log.flush.interval.messages=1")
	}
	out, err := script(ctx, "kafka", args...)
	stop = func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, err := script(ctx, "kafka", "stop", "--dir", dir)
		return err
	}
	if err == nil {
		err = coordinates(ctx, strings.Split(out, ","))
	}
	if err != nil {
		if exists(dir) {
			err = errors.Join(err, stop())
		}
		return "", nil, unavailable("Kafka", err)
	}
	return out, stop, nil
}

// freePorts finds a port such that it and the one ten above, which is the
// controller's, are free.
func freePorts() (int, error) {
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if m, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+10))); err == nil {
			m.Close()
			return port, nil
		}
	}
	return 0, errors.New("find free ports for Kafka: there are none")
}

// coordinates waits until a Kafka that has just started can coordinate groups: it
// makes the topic for that when it is first asked.
func coordinates(ctx context.Context, brokers []string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return err
	}
	defer client.Close()
	for pause := time.NewTicker(100 * time.Millisecond); ; {
		found := kadm.NewClient(client).FindGroupCoordinators(ctx, "bench")
		if err = found.Error(); err == nil {
			pause.Stop()
			return nil
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for Kafka to coordinate groups: %w", err)
		}
	}
}
