package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/template"
	"time"
)

// server is a Temporal server: its four services in one process, as its settings for
// development on PostgreSQL have them.
type server struct {
	cmd      *exec.Cmd
	frontend string // its address
	output   bytes.Buffer
	ended    chan error
}

var settings = template.Must(template.New("settings").Parse(`
log: {stdout: true, level: error}
persistence:
  defaultStore: store
  visibilityStore: visibility
  numHistoryShards: 4
  datastores:
    store:
      sql: {pluginName: postgres12, databaseName: "{{.Tables.Store}}", connectAddr: "{{.Tables.Address}}", connectProtocol: tcp,
        user: "{{.Tables.User}}", password: "{{.Tables.Password}}", maxConns: 20, maxIdleConns: 20, maxConnLifetime: 1h}
    visibility:
      sql: {pluginName: postgres12, databaseName: "{{.Tables.Visibility}}", connectAddr: "{{.Tables.Address}}", connectProtocol: tcp,
        user: "{{.Tables.User}}", password: "{{.Tables.Password}}", maxConns: 2, maxIdleConns: 2, maxConnLifetime: 1h}
global:
  membership: {maxJoinDuration: 30s, broadcastAddress: 127.0.0.1}
services:
{{- range $name, $ports := .Ports}}
  {{$name}}:
    rpc: {grpcPort: {{index $ports 0}}, membershipPort: {{index $ports 1}}, bindOnLocalHost: true}
{{- end}}
clusterMetadata:
  enableGlobalNamespace: false
  failoverVersionIncrement: 10
  masterClusterName: active
  currentClusterName: active
  clusterInformation:
    active: {enabled: true, initialFailoverVersion: 1, rpcName: frontend, rpcAddress: "{{.Frontend}}"}
dcRedirectionPolicy: {policy: noop}
dynamicConfigClient: {filepath: "{{.Dynamic}}", pollInterval: 10s}
`))

// dynamic is what the settings for development on SQL add.
const dynamic = `
limit.maxIDLength: [{value: 255, constraints: {}}]
system.forceSearchAttributesCacheRefreshOnRead: [{value: true, constraints: {}}]
`

// startServer starts a server with what its settings for development have, but for
// addresses and logs.
func startServer(program, dir string, t *tables) (*server, error) {
	ports, err := free(8)
	if err != nil {
		return nil, err
	}
	of := map[string][2]int{}
	for i, name := range []string{"frontend", "matching", "history", "worker"} {
		of[name] = [2]int{ports[2*i], ports[2*i+1]}
	}
	s := &server{frontend: net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0])), ended: make(chan error, 1)}
	file, more := filepath.Join(dir, "temporal.yaml"), filepath.Join(dir, "temporal-dynamic.yaml")
	var text bytes.Buffer
	if err := settings.Execute(&text, map[string]any{"Ports": of, "Frontend": s.frontend, "Dynamic": more, "Tables": map[string]string{
		"Store": t.store, "Visibility": t.visibility, "Address": t.address(), "User": t.user, "Password": t.password,
	}}); err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(more, []byte(dynamic), 0o600); err != nil {
		return nil, err
	}
	s.cmd = exec.Command(program, "--allow-no-auth", "--config-file", file, "start")
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start Temporal: %w", err)
	}
	go func() { s.ended <- s.cmd.Wait() }()
	return s, nil
}

// free finds ports that nobody listens on, below 32768: the server stores them in 16
// bits with a sign.
func free(n int) (ports []int, err error) {
	for range 1000 {
		port := 10_000 + rand.IntN(22_000) //nolint:gosec // no secret
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		defer l.Close() // when all are found, so that they differ
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("find %d free ports: there are %d", n, len(ports))
}

func (s *server) process() string { return strconv.Itoa(s.cmd.Process.Pid) }

// said is the end of what the server has printed. It may be called once it has
// ended.
func (s *server) said() string {
	const most = 500 // bytes of a line: they have stacks
	lines := strings.Split(strings.TrimSpace(s.output.String()), "\n")
	lines = lines[max(0, len(lines)-5):]
	for i, l := range lines {
		lines[i] = l[:min(len(l), most)]
	}
	return strings.Join(lines, "\n")
}

func (s *server) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-s.ended:
	case <-time.After(10 * time.Second):
		_ = s.cmd.Process.Kill() // it waits for its clients
		<-s.ended
	}
	return nil
}
