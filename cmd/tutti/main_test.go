package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/kafka"
)

func noEnv(string) string { return "" }

func TestVersionAndHelp(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"--version"}, {"help"}, {"broker", "--help"}, {}} {
		var out bytes.Buffer
		if err := run(t.Context(), args, noEnv, &out, io.Discard); err != nil {
			t.Errorf("tutti %q: %v", args, err)
		}
		if !strings.Contains(out.String(), "tutti") {
			t.Errorf("tutti %q prints %q", args, out.String())
		}
	}
}

func TestBadArguments(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"nope"}, `unknown command "nope"`},
		{[]string{"broker", "extra"}, "extra"},
		{[]string{"broker", "--port", "70000"}, "--port is 70000, want 0 to 65535"},
		{[]string{"broker", "--port", "x"}, "--port"},
		{[]string{"broker", "--data", "", "--port=-1"}, "--data is empty, want a directory\n--port is -1"},
	} {
		err := run(t.Context(), tc.args, noEnv, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("tutti %q: error %v, want %q in it", tc.args, err, tc.want)
		}
	}
}

func TestBroker(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	dir := t.TempDir()
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"broker", "--port", "0"}, func(name string) string {
			return map[string]string{"TUTTI_DATA": dir}[name]
		}, writer, io.Discard)
	}()
	line := make([]byte, 500)
	n, err := reader.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	address, _, _ := strings.Cut(strings.TrimPrefix(string(line[:n]), "broker "), ",")
	bus, err := kafka.Connect(ctx, kafka.Config{Brokers: []string{address}, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatalf("the address in %q does not answer: %v", line[:n], err)
	}
	bus.Close()
	if err := run(ctx, []string{"broker", "--port", "0", "--data", dir}, noEnv, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("second broker on the directory: %v, want that another process has it", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("stop: %v", err)
	}
}
