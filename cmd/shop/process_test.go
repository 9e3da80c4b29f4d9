package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tutti-go/tutti/internal/command"
	"github.com/tutti-go/tutti/internal/paralleltest"
)

// bin is where TestMain builds the commands.
var bin string

func TestMain(m *testing.M) {
	paralleltest.AtLeast(4)
	os.Exit(func() int {
		var err error
		if bin, err = os.MkdirTemp("", "shop-test-"); err == nil {
			defer os.RemoveAll(bin)
			err = command.Build(context.Background(), bin, "github.com/tutti-go/tutti/cmd/shop", "github.com/tutti-go/tutti/cmd/tutti")
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// process is a command that runs.
type process struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	first chan string // the first line of stdout
	ended chan struct{}

	mu     sync.Mutex
	stdout bytes.Buffer
	stderr bytes.Buffer
}

// start starts a command. What it said is shown if the test fails.
func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: name, cmd: exec.Command(filepath.Join(bin, name), args...), first: make(chan string, 1), ended: make(chan struct{})}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = writerFunc(func(text []byte) (int, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.stderr.Write(text)
	})
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		lines := bufio.NewReader(stdout)
		for n := 0; ; n++ {
			line, err := lines.ReadString('\n')
			p.mu.Lock()
			p.stdout.WriteString(line)
			p.mu.Unlock()
			if n == 0 {
				p.first <- line
			}
			if err != nil {
				break
			}
		}
		_ = p.cmd.Wait() // its state says how it ended
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("shop %q wrote:\n%s\n%s", args, p.stdout.String(), p.stderr.String())
		}
	})
	return p
}

type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(p []byte) (int, error) { return w(p) }

const patience = 3 * time.Minute

// wait waits until the process has ended, and returns its exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.t.Fatalf("%s has not ended in %v", p.name, patience)
		return 0
	}
}

// stop ends the process as Ctrl-C does.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
	if code := p.wait(); code != 0 {
		p.t.Errorf("%s ended with %d, want 0", p.name, code)
	}
}

// kill ends the process as kill -9 does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // or it has ended
	<-p.ended
}

// line is the first line of stdout.
func (p *process) line() string {
	p.t.Helper()
	select {
	case line := <-p.first:
		return line
	case <-time.After(patience):
		p.t.Fatalf("%s has said nothing in %v", p.name, patience)
		return ""
	}
}

// site is a shop that runs, as it announces itself.
type site struct {
	*process
	HTTP    string   `json:"http"`
	Brokers []string `json:"brokers"`
	style   string   // that orders ask for; empty: as the shop does it
}

func startShop(t *testing.T, args ...string) *site {
	t.Helper()
	s := &site{process: start(t, "shop", append(args, "--json", "--traffic", "0")...)}
	if err := json.Unmarshal([]byte(s.line()), s); err != nil {
		t.Fatalf("shop does not announce itself: %v", err)
	}
	return s
}

// reply is an answer without its body.
type reply struct {
	status   int
	location string
}

// request sends a request and decodes the answer into v, if it is not nil.
func (s *site) request(method, path, key string, body, v any) reply {
	s.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.HTTP+path, bytes.NewReader(raw))
	if err != nil {
		s.t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if v != nil {
		if err := json.Unmarshal(text, v); err != nil {
			s.t.Fatalf("%s %s: %s: %s: %v", method, path, answer.Status, text, err)
		}
	}
	return reply{answer.StatusCode, answer.Header.Get("Location")}
}

// must sends a request that has to succeed.
func (s *site) must(method, path, key string, body any) {
	s.t.Helper()
	var said json.RawMessage
	if got := s.request(method, path, key, body, &said); got.status >= 300 {
		s.t.Fatalf("%s %s: %d: %s", method, path, got.status, said)
	}
}

// order places an order for one product.
func (s *site) order(id, sku, token, city string) reply {
	s.t.Helper()
	body := map[string]any{
		"customerId": "c1", "paymentToken": token, "lines": []any{map[string]any{"sku": sku, "quantity": 1, "unitPrice": 250}},
		"address": map[string]any{"name": "Ada", "street": "1 High Street", "city": city, "country": "Ireland"},
	}
	if s.style != "" {
		body["style"] = s.style
	}
	return s.request("POST", "/orders", id, body, nil)
}

// eventually waits until something is so.
func (s *site) eventually(what string, so func() bool) {
	s.t.Helper()
	for begin := time.Now(); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Since(begin) > patience {
			s.t.Fatalf("after %v it is not so that %s", patience, what)
		}
	}
}

// settled waits until an order has ended, and returns how.
func (s *site) settled(id string) string {
	s.t.Helper()
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		var o struct{ Status string }
		s.request("GET", "/orders/"+id, "", nil, &o)
		if o.Status == "confirmed" || o.Status == "cancelled" {
			return o.Status
		}
		if time.Since(begin) > patience {
			s.t.Fatalf("order %s is %q after %v", id, o.Status, patience)
		}
	}
}

// verified runs shop verify, which has to find nothing wrong.
func verified(t *testing.T, args ...string) {
	t.Helper()
	p := start(t, "shop", append([]string{"verify"}, args...)...)
	if code := p.wait(); code != 0 {
		t.Fatalf("shop verify ended with %d: %s%s", code, p.stdout.String(), strings.TrimSpace(p.stderr.String()))
	}
}
