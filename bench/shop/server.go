package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tutti-go/tutti/bench/load"
)

// server is a shop in a process of its own.
type server struct {
	announcement
	cmd    *exec.Cmd
	stderr *bytes.Buffer
}

// serve starts a shop, and returns once it is ready.
func serve(ctx context.Context, s load.Settings, program, style string) (*server, error) {
	args := []string{"--json", "--traffic", "0", "--http", "127.0.0.1:0", "--log-level", "warn", "--data", filepath.Join(s.Dir, "shop")}
	if len(s.Brokers) > 0 {
		args = append(args, "--brokers", strings.Join(s.Brokers, ","))
	}
	if s.Database != "" {
		args = append(args, "--database", s.Database)
	}
	if style != "" {
		args = append(args, "--style", style)
	}
	srv := &server{cmd: exec.Command(program, args...), stderr: new(bytes.Buffer)}
	srv.cmd.Stderr = srv.stderr
	out, err := srv.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := srv.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the shop: %w", err)
	}
	release := context.AfterFunc(ctx, func() { _ = srv.cmd.Process.Kill() }) // it may have ended by itself
	defer release()
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		srv.announcement, err = parse(line)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("wait for the shop: %w", err), srv.stop())
	}
	return srv, nil
}

func (s *server) process() string { return strconv.Itoa(s.cmd.Process.Pid) }

// stop asks the shop to stop, and ends it if it does not.
func (s *server) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	patience := time.AfterFunc(load.Patience, func() { _ = s.cmd.Process.Kill() })
	defer patience.Stop()
	err := s.cmd.Wait()
	if s.stderr.Len() > 0 {
		fmt.Fprintf(os.Stderr, "the shop said:\n%s", tail(s.stderr.String()))
	}
	if err != nil {
		return fmt.Errorf("stop the shop: %w", err)
	}
	return nil
}

// tail is the end of a text, as far as a person wants to read it.
func tail(text string) string {
	const most = 2000
	if len(text) > most {
		return "…" + text[len(text)-most:]
	}
	return text
}
