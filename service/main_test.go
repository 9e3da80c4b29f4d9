package service

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tutti-go/tutti/internal/cli"
)

// stderr collects what a program writes beside its results.
type stderr struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *stderr) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *stderr) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// url waits until the program says where it serves HTTP.
func (w *stderr) url(t *testing.T) string {
	t.Helper()
	for range 6000 { // a minute: machines may be slow
		for field := range strings.FieldsSeq(w.String()) {
			if url, ok := strings.CutPrefix(field, "http=http"); ok {
				return "http" + url
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the program does not get ready:\n%s", w)
	return ""
}

// program is what Main runs.
func program(name string, register func(*Service)) cli.Func {
	return Program{Name: name, Services: []Member{{name, register}}}.Run
}

func TestMainHelp(t *testing.T) {
	var out bytes.Buffer
	err := program("greeter", func(*Service) {})(t.Context(), []string{"--help"}, func(string) string { return "" }, &out, io.Discard)
	if err != nil || !strings.Contains(out.String(), "(tutti deadletters, jobs, sagas, lag)") {
		t.Errorf("--help = %v, and prints %q, want what --admin is for", err, out.String())
	}
}

func TestMainServesUntilItIsStopped(t *testing.T) {
	data := t.TempDir()
	env := map[string]string{"TUTTI_DATA": data, "TUTTI_HTTP": "127.0.0.1:0"}
	run := program("greeter", func(s *Service) {
		s.Handle("GET /hello", func(w http.ResponseWriter, _ *http.Request) error {
			_, err := io.WriteString(w, "hello")
			return err
		})
	})
	for range 2 { // what it leaves behind, it can start from
		ctx, stop := context.WithCancel(t.Context())
		var log stderr
		ended := make(chan error, 1)
		go func() { ended <- run(ctx, nil, func(name string) string { return env[name] }, io.Discard, &log) }()
		url := log.url(t)
		for path, want := range map[string]string{"/hello": "hello", "/readyz": `"ready":true`, "/healthz": `"service":"greeter"`} {
			resp, err := http.Get(url + path)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
				t.Errorf("GET %s = %s %q (%v), want %q in it", path, resp.Status, body, err, want)
			}
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the program ended with %v, want nil", err)
		}
	}
	for _, path := range []string{"greeter.db", "broker"} {
		if _, err := os.Stat(filepath.Join(data, path)); err != nil {
			t.Errorf("the data directory has no %s: %v", path, err)
		}
	}
}

func TestMainRefusesWhatCannotWork(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"--http", taken.Addr().String()}, "in use"},
		{[]string{"--http", "nowhere"}, "nowhere"},
		{[]string{"--data", ""}, "--data is empty"},
		{[]string{"--data", file}, "start embedded broker"},
		{[]string{"--log-level", "loud"}, `--log-level is "loud"`},
		{[]string{"--recover", "somehow"}, `--recover is "somehow"`},
		{[]string{"--broker-port", "65536"}, "--broker-port is 65536"},
		{[]string{"--broker-port", "9092", "--brokers", "127.0.0.1:9092"}, "--broker-port is for the embedded broker"},
		{[]string{"--brokers", "nowhere"}, `--brokers has "nowhere", want host:port`},
		{[]string{"--nope"}, "--nope"},
		{[]string{"more"}, "more"},
	} {
		t.Run(fmt.Sprint(tc.args), func(t *testing.T) {
			args := append([]string{"--data", t.TempDir(), "--http", "127.0.0.1:0"}, tc.args...)
			err := program("greeter", func(*Service) {})(t.Context(), args, func(string) string { return "" }, io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("the program ended with %v, want an error with %q", err, tc.want)
			}
		})
	}
}

func TestMainEndsWithItsService(t *testing.T) {
	run := program("greeter", func(s *Service) {
		s.Go(func(context.Context) error { return io.ErrUnexpectedEOF })
	})
	err := run(t.Context(), []string{"--data", t.TempDir(), "--http", "127.0.0.1:0"}, func(string) string { return "" }, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), io.ErrUnexpectedEOF.Error()) {
		t.Errorf("the program ended with %v, want the service's error", err)
	}
}
