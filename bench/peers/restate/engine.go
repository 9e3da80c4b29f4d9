package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// engine is a Restate server of one node.
type engine struct {
	cmd            *exec.Cmd
	ingress, admin string
	output         bytes.Buffer
	ended          chan error
}

// startEngine starts a server with its defaults, which sync what they store, but for
// the addresses.
func startEngine(program, dir string) (*engine, error) {
	var ports [3]string
	for i := range ports {
		address, err := free()
		if err != nil {
			return nil, err
		}
		ports[i] = address
	}
	e := &engine{ingress: "http://" + ports[0], admin: "http://" + ports[1], ended: make(chan error, 1)}
	e.cmd = exec.Command(program, "--no-logo")
	e.cmd.Env = append(os.Environ(),
		"RESTATE_DISABLE_TELEMETRY=true", "RESTATE_LOG_FILTER=warn", "RESTATE_NODE_NAME=bench", "RESTATE_LISTEN_MODE=tcp",
		"RESTATE_BASE_DIR="+filepath.Join(dir, "restate"),
		"RESTATE_BIND_IP=127.0.0.1", "RESTATE_ADVERTISED_HOST=127.0.0.1",
		"RESTATE_INGRESS__BIND_ADDRESS="+ports[0], "RESTATE_ADMIN__BIND_ADDRESS="+ports[1], "RESTATE_BIND_ADDRESS="+ports[2])
	e.cmd.Stdout, e.cmd.Stderr = &e.output, &e.output
	if err := e.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start Restate: %w", err)
	}
	go func() { e.ended <- e.cmd.Wait() }()
	return e, nil
}

func (e *engine) process() string { return strconv.Itoa(e.cmd.Process.Pid) }

// said is the end of what the server has printed. It may be called once it has
// ended.
func (e *engine) said() string {
	lines := strings.Split(strings.TrimSpace(e.output.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

func (e *engine) stop() error {
	_ = e.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-e.ended:
	case <-time.After(10 * time.Second):
		_ = e.cmd.Process.Kill()
		<-e.ended
	}
	return nil
}
