package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tutti-go/tutti/kafka"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"replay", "--help"}, {"verify", "--help"}, {"help", "replay"}} {
		var stdout, stderr bytes.Buffer
		if err := run(t.Context(), args, env(), &stdout, &stderr); err != nil {
			t.Errorf("shop %q: %v", args, err)
		}
		if !strings.Contains(stdout.String(), "--data DIR") || stderr.Len() > 0 {
			t.Errorf("shop %q prints %q and %q, want help on stdout", args, stdout.String(), stderr.String())
		}
		if args[0] == "--help" && !strings.Contains(stdout.String(), "(tutti deadletters, jobs, sagas, lag)") {
			t.Errorf("shop %q prints %q, want what --admin is for", args, stdout.String())
		}
	}
}

func TestBadArguments(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "shop.conf")
	if err := os.WriteFile(config, []byte("traffic = lots\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		args []string
		env  []string
		want []string
	}{
		{"unknown flag", []string{"--nope"}, nil, []string{"--nope"}},
		{"unknown command", []string{"replya"}, nil, []string{`"replya"`, "replay"}},
		{"no file", []string{"replay"}, nil, []string{"1 arg"}},
		{"two files", []string{"replay", "a", "b"}, nil, []string{"1 arg"}},
		{"extra argument", []string{"verify", "a"}, nil, []string{`"a"`}},
		{"all at once", []string{"--http", "8080", "--traffic=-1", "--deadline", "1ms", "--log-level", "loud", "--data", "", "--broker-port", "70000", "--style", "tango", "--flow", "ebb"}, nil,
			[]string{"--style", "--flow", "--http", "--traffic", "--deadline", "--log-level", "--data is empty", "--broker-port"}},
		{"services", []string{"--services", "order,oder,order"}, nil, []string{`"oder"`, "order twice"}},
		{"database that is nearly one", []string{"--database", "postgres:/x"}, nil, []string{"--database is no URL of PostgreSQL", "postgres://"}},
		{"brokers", []string{"--brokers", "localhost", "--broker-port", "9092"}, nil, []string{`"localhost", want host:port`, "embed none"}},
		{"brokers without port", []string{"--brokers", "localhost:"}, nil, []string{"want host:port"}},
		{"empty brokers", []string{"--brokers", ""}, nil, []string{"--brokers: empty, want a value"}},
		{"empty services and database", []string{"--services=", "--database="}, nil, []string{"--services: empty", "--database: empty"}},
		{"empty brokers of a subcommand", []string{"verify", "--brokers", ""}, nil, []string{"--brokers: empty"}},
		{"peer unknown", []string{"--peer", "odrer=http://h:1"}, nil, []string{`"odrer"`}},
		{"peer that runs here", []string{"--peer", "order=http://h:1"}, nil, []string{"order, which runs here"}},
		{"peer without URL", []string{"--services", "payment", "--peer", "order=h:1"}, nil, []string{"want http://host:port"}},
		{"peer without name", []string{"--services", "payment", "--peer", "http"}, nil, []string{"--peer"}},
		{"not a number", []string{"--traffic", "NaN"}, nil, []string{"--traffic is NaN"}},
		{"a long value", []string{"--http", strings.Repeat("x", 100_000)}, nil, []string{"--http"}},
		{"environment", nil, []string{"SHOP_TRAFFIC", "many"}, []string{"SHOP_TRAFFIC", "many"}},
		{"environment of a subcommand", []string{"replay", "f"}, []string{"SHOP_RATE", "fast"}, []string{"SHOP_RATE", "fast"}},
		{"file", []string{"--config", config}, nil, []string{"shop.conf:1", "lots"}},
		{"replay", []string{"replay", "f", "--rate=-1", "--stock", "0", "--decline", "101"}, nil, []string{"--rate", "--stock", "--decline"}},
		{"replay elsewhere", []string{"replay", "f", "--brokers", "127.0.0.1:9092"}, nil, []string{"--data is empty"}},
		{"replay style", []string{"replay", "f", "--style", "tango"}, nil, []string{`--style is "tango", want choreography, orchestration or mixed`}},
		{"style", []string{"--style", "mixed"}, nil, []string{`--style is "mixed", want choreography or orchestration`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Chdir(dir)
			err := run(t.Context(), tc.args, env(tc.env...), io.Discard, io.Discard)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %.300q, want %q in it", err, want)
				}
			}
			if _, err := os.Stat("data"); err == nil {
				t.Error("a data directory was made")
			}
		})
	}
}

func TestAddressInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	err = run(t.Context(), []string{"--data", t.TempDir(), "--http", taken.Addr().String()}, env(), io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("error %v, want that the address is in use", err)
	}
}

func TestUnusableDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "data"), "nul\x00"} {
		err := run(t.Context(), []string{"--data", dir, "--http", "127.0.0.1:0"}, env(), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "data directory") {
			t.Errorf("shop on %q: error %v, want one about the data directory", dir, err)
		}
	}
}

// heard is what a program says, as it says it.
type heard struct {
	mu   sync.Mutex
	text strings.Builder
}

func (h *heard) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(b)
}

func (h *heard) await(ctx context.Context, t *testing.T, want string) {
	t.Helper()
	for {
		h.mu.Lock()
		text := h.text.String()
		h.mu.Unlock()
		if strings.Contains(text, want) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%q was not said, but:\n%s", want, text)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// A shop that starts before its broker waits for it, and says so.
func TestBrokerStartsLater(t *testing.T) {
	port := freePort(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var log, said heard
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(t)))
	ended := make(chan error, 1)
	go func() {
		defer cancel() // nothing more will be said
		ended <- run(ctx, []string{"--data", t.TempDir(), "--http", address, "--admin", "", "--traffic", "0", "--brokers", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}, env(), &said, &log)
	}()
	log.await(ctx, t, "no Kafka broker answers")
	isStarting(t, address)
	broker, err := kafka.Embed(kafka.BrokerConfig{Port: port})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	log.await(ctx, t, "connected to Kafka")
	said.await(ctx, t, "Ctrl-C stops it")
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("stop: %v", err)
	}
}

// isStarting expects that the shop answers, and says that it is not ready.
func isStarting(t *testing.T, address string) {
	t.Helper()
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusServiceUnavailable, "/products": http.StatusServiceUnavailable} {
		got, err := http.Get("http://" + address + path)
		if err != nil {
			t.Error(err)
			continue
		}
		got.Body.Close()
		if got.StatusCode != want {
			t.Errorf("GET %s of a shop that waits: %d, want %d", path, got.StatusCode, want)
		}
	}
}

// A shop that starts before its database waits for it as well, and can be stopped.
func TestDatabaseAway(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var log heard
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(t)))
	dsn := "postgres://nobody@" + net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(t))) + "/none"
	for _, services := range []string{"payment", "order"} { // with a gateway, and without
		ctx, cancel := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() {
			ended <- run(ctx, []string{"--data", t.TempDir(), "--http", address, "--services", services, "--database", dsn}, env(), io.Discard, &log)
		}()
		log.await(ctx, t, map[string]string{"payment": "waiting for the database", "order": "the database is away"}[services])
		isStarting(t, address)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("stop of a shop that waits: %v", err)
		}
	}
}

func TestWiden(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	undo := widen(env())
	if n := runtime.GOMAXPROCS(0); n != 2*before {
		t.Errorf("%d goroutines run at once, want twice %d", n, before)
	}
	undo()
	defer widen(env("GOMAXPROCS", "3"))()
	if n := runtime.GOMAXPROCS(0); n != before {
		t.Errorf("%d goroutines run at once, want %d again, and where GOMAXPROCS is set", n, before)
	}
}
