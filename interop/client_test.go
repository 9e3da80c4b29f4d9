package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/internal/kafkatest"
)

// record is a record as all clients print it and take it.
type record struct {
	Key       string      `json:"key"`
	Value     string      `json:"value"`
	Partition int32       `json:"partition"`
	Headers   [][2]string `json:"headers"`
}

func (r record) header(key string) string {
	for _, h := range r.Headers {
		if h[0] == key {
			return h[1]
		}
	}
	return ""
}

// client is a program that is not built on this framework.
type client interface {
	read(t *testing.T, brokers, topic, group string, count int) []record
	write(t *testing.T, brokers, topic string, records []record)
}

// output runs a program, and returns what it prints.
func output(t *testing.T, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s\n%s", name, strings.Join(args, " "), err, out, stderr.String())
	}
	return out
}

// program is a client that speaks lines of JSON.
type program []string

func (p program) run(t *testing.T, stdin []byte, args ...string) []byte {
	t.Helper()
	return output(t, stdin, p[0], append(p[1:len(p):len(p)], args...)...)
}

func (p program) read(t *testing.T, brokers, topic, group string, count int) (out []record) {
	t.Helper()
	for line := range bytes.Lines(p.run(t, nil, "read", brokers, topic, group, strconv.Itoa(count))) {
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		out = append(out, r)
	}
	return out
}

func (p program) write(t *testing.T, brokers, topic string, records []record) {
	t.Helper()
	var lines bytes.Buffer
	for _, r := range records {
		if err := json.NewEncoder(&lines).Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	p.run(t, lines.Bytes(), "write", brokers, topic)
}

// kcat has an output and flags of its own.
type kcat string

func (k kcat) read(t *testing.T, brokers, topic, _ string, count int) (out []record) {
	t.Helper()
	text := output(t, nil, string(k), "-C", "-q", "-J", "-b", brokers, "-t", topic, "-o", "beginning", "-c", strconv.Itoa(count))
	for line := range bytes.Lines(text) {
		var r struct {
			Key       string   `json:"key"`
			Payload   string   `json:"payload"`
			Partition int32    `json:"partition"`
			Headers   []string `json:"headers"`
		}
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got := record{Key: r.Key, Value: r.Payload, Partition: r.Partition}
		for i := 0; i+1 < len(r.Headers); i += 2 {
			got.Headers = append(got.Headers, [2]string{r.Headers[i], r.Headers[i+1]})
		}
		out = append(out, got)
	}
	return out
}

func (k kcat) write(t *testing.T, brokers, topic string, records []record) {
	t.Helper()
	for _, r := range records {
		args := []string{"-P", "-b", brokers, "-t", topic, "-k", r.Key, "-X", "topic.partitioner=murmur2_random"}
		for _, h := range r.Headers {
			args = append(args, "-H", h[0]+"="+h[1])
		}
		output(t, []byte(r.Value), string(k), args...)
	}
}

// clients are those that take part, each with how it is found.
var clients = []struct {
	name string
	find func(t *testing.T) client
}{
	{"kcat", func(t *testing.T) client { return kcat(find(t, "kcat")) }},
	{"java", func(t *testing.T) client {
		jars := filepath.Join(cache(t), "kafka-4.3.1")
		if _, err := os.Stat(jars); err != nil {
			kafkatest.Absent(t, "Java's client is not here: scripts/kafka fetch gets it: %v", err)
		}
		path := t.TempDir() + string(os.PathListSeparator) + filepath.Join(jars, "*")
		output(t, nil, find(t, "javac"), "-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC", "-proc:none", "-cp", path, "-d", filepath.SplitList(path)[0], "Client.java")
		return program{find(t, "java"), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", path, "Client"}
	}},
	{"python", func(t *testing.T) client {
		python := filepath.Join(cache(t), "confluent-kafka-2.16.1", "bin", "python")
		if _, err := os.Stat(python); err != nil {
			kafkatest.Absent(t, "Python's client is not here: .ci/kafka installs it: %v", err)
		}
		return program{python, "client.py"}
	}},
}

func find(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		kafkatest.Absent(t, "%s is not here: .ci/kafka installs it: %v", name, err)
	}
	return path
}

// cache is where the project's scripts keep what they fetch.
func cache(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "tutti")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(fmt.Errorf("find cache: %w", err))
	}
	return filepath.Join(home, ".cache", "tutti")
}
