package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// child runs a program to its end, and returns what it printed. If ctx ends before,
// the program and all that it has started are asked to stop, and then ended: they
// are a process group of their own, which Ctrl-C at the terminal does not reach.
func child(ctx context.Context, dir string, args ...string) (stdout []byte, err error) {
	out, group, err := start(ctx, dir, args...)
	if group > 0 {
		_ = syscall.Kill(-group, syscall.SIGKILL) // what it may have left behind
	}
	return out, err
}

// script runs a script of the project that starts or stops a server: what it has
// started stays.
func script(ctx context.Context, name string, args ...string) (string, error) {
	out, _, err := start(ctx, ".", append([]string{"bash", "../scripts/" + name}, args...)...)
	return strings.TrimSpace(string(out)), err
}

func start(ctx context.Context, dir string, args ...string) (stdout []byte, group int, err error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var out, said bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, 0, err
	}
	group = cmd.Process.Pid
	err = cmd.Wait()
	if err == nil {
		return out.Bytes(), group, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	failed := &failure{err: err, said: tail(said.String(), 1500)}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		failed.code = exit.ExitCode()
	}
	return out.Bytes(), group, failed
}

// failure is a program that failed.
type failure struct {
	err  error
	code int
	said string
}

func (f *failure) Error() string {
	if f.said == "" {
		return f.err.Error()
	}
	return fmt.Sprintf("%v: %s", f.err, f.said)
}

func (f *failure) Unwrap() error { return f.err }

// absent is the exit code of a script whose program is not to be had here, as
// automake's tests say it.
const absent = 77

// skip is why a case cannot be measured here.
type skip struct{ reason string }

func (s skip) Error() string { return s.reason }

func tail(text string, most int) string {
	text = strings.TrimSpace(text)
	if len(text) > most {
		return "…" + text[len(text)-most:]
	}
	return text
}

// exists reports whether a file is there.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
