package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// cluster is a Kafka of our own, by scripts/kafka, with a proxy before each broker.
type cluster struct {
	script  string
	dir     string
	port    int // of the first broker
	proxies []*proxy
}

// newCluster starts brokers and proxies.
func newCluster(ctx context.Context, brokers int, dir string) (*cluster, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return nil, fmt.Errorf("find scripts/kafka: go list: %w", err)
	}
	base, err := freeRange(50 + brokers)
	if err != nil {
		return nil, err
	}
	c := &cluster{script: filepath.Join(string(bytes.TrimSpace(root)), "scripts", "kafka"), dir: dir, port: base}
	const proxied = 39 // from the first port to that of the listener behind the first proxy, less one
	for n := range brokers {
		p, err := listenProxy(fmt.Sprintf("127.0.0.1:%d", base+50+n), fmt.Sprintf("127.0.0.1:%d", base+proxied+1+n))
		if err != nil {
			return nil, errors.Join(err, c.close())
		}
		c.proxies = append(c.proxies, p)
	}
	// Leaders go back to where they were soon after a restart, so that every broker
	// has some to lose again.
	err = c.run(ctx, "start", "--brokers", fmt.Sprint(brokers), "--port", fmt.Sprint(base), "--via", fmt.Sprint(base+50),
		"--set", "leader.imbalance.check.interval.seconds=5", "--set", "leader.imbalance.per.broker.percentage=0")
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// addresses are those of the proxies.
func (c *cluster) addresses() []string {
	var out []string
	for _, p := range c.proxies {
		out = append(out, p.listener.Addr().String())
	}
	return out
}

// broker tells scripts/kafka to do something to broker n, from 1.
func (c *cluster) broker(ctx context.Context, do string, n int) error {
	return c.run(ctx, do, fmt.Sprint(n))
}

func (c *cluster) run(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, c.script, append(args, "--dir", c.dir)...)
	var said bytes.Buffer
	cmd.Stderr = &said // not stdout: brokers that it starts would keep a pipe open
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return fmt.Errorf("scripts/kafka %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}

// close ends brokers and proxies at once.
func (c *cluster) close() error {
	var errs []error
	for n, p := range c.proxies {
		errs = append(errs, p.close())
		_ = c.broker(context.Background(), "kill", n+1) // or it does not run
	}
	return errors.Join(errs...)
}
