package main

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/internal/admin"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/problem"
)

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"plain, é, 世": "plain, é, 世", "a\x1b[31mb": `a\u001b[31mb`, "\u009b2J": `\u009b2J`, "\u202eabc": `\u202eabc`,
		"line\nnext\t": `line\nnext\t`, "\xff\xfe": `\xff\xfe`, "": "", "\x7f": `\u007f`,
	} {
		if got := escape(in); got != want {
			t.Errorf("escape(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestColoursOnlyOnATerminal(t *testing.T) {
	if c := newConsole(&bytes.Buffer{}, &bytes.Buffer{}, func(string) string { return "" }); c.colours || c.paint(bold, "x") != "x" || c.asks {
		t.Errorf("a pipe gets colours or questions: %+v", c)
	}
	if got := (&console{colours: true}).paint(bold, "x"); got != "\x1b[1mx\x1b[0m" {
		t.Errorf("paint() = %q", got)
	}
}

func TestParseFrom(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"10m": now.Add(-10 * time.Minute), "1h ago": now.Add(-time.Hour), "2026-11-24T09:00:00Z": now.Add(-3 * time.Hour),
	} {
		if f, err := parseFrom(text, now); err != nil || !f.at.Equal(want) {
			t.Errorf("parseFrom(%q) = %+v, %v, want %v", text, f, err, want)
		}
	}
	for text, want := range map[string]int64{"0": 0, "-10": -10, "42": 42} {
		if f, err := parseFrom(text, now); err != nil || f.offset == nil || *f.offset != want {
			t.Errorf("parseFrom(%q) = %+v, %v, want offset %d", text, f, err, want)
		}
	}
	for _, text := range []string{"", "yesterday", "-10m", "x"} {
		if f, err := parseFrom(text, now); err == nil {
			t.Errorf("parseFrom(%q) = %+v, want an error", text, f)
		}
	}
}

func TestSizesAndRetention(t *testing.T) {
	for n, want := range map[int64]string{-1: "?", 0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 3 << 20: "3.0 MiB", 5 << 30: "5.0 GiB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
	for want, info := range map[string]kafka.TopicInfo{
		"?": {}, "for ever": {Known: true, Retention: -1}, "7d": {Known: true, Retention: 7 * 24 * time.Hour}, "1h0m0s": {Known: true, Retention: time.Hour},
		"for ever, compacted": {Known: true, Retention: -1, Compacted: true},
	} {
		if got := retention(info); got != want {
			t.Errorf("retention(%+v) = %q, want %q", info, got, want)
		}
	}
}

// TestLongList: what is printed in pieces has one heading, and no gaps.
func TestLongList(t *testing.T) {
	var out bytes.Buffer
	c := &console{out: &out}
	for _, heading := range []bool{true, false} {
		if err := c.records([]admin.Record{{Service: "s", ID: "t/0@1", State: "dead"}}, heading); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "SERVICE") || !strings.HasPrefix(lines[1], "s ") || !strings.HasPrefix(lines[2], "s ") {
		t.Errorf("printed is %q, want a heading and two lines", lines)
	}
}

func TestWrongCalls(t *testing.T) {
	for _, tc := range []struct{ args, want string }{
		{"deadletters redrive", "nothing says which"}, {"deadletters redrive x", "no place in the log"},
		{"deadletters redrive t/0@1 --all", "want one of them"}, {"deadletters discard --all --key k", "want one of them"},
		{"deadletters list --state odd", `--state is "odd"`}, {"deadletters list --limit -1", "--limit is -1"}, {"deadletters nope", "nope"},
		{"deadletters show", "arg"}, {"deadletters edit t/0@1 --file f --body b", "want one of them"},
		{"jobs retry", "nothing says which"}, {"jobs retry one", "1 arguments"}, {"jobs retry --all --kind k", "exclude"}, {"jobs --state odd", `--state is "odd"`},
		{"tail --from never", `--from is "never"`}, {"tail --limit -1", "--limit is -1"}, {"tail extra", "extra"}, {"topics --brokers nowhere", "nowhere"},
		{"topics --brokers=", "--brokers: empty"}, {"lag --kafka --sasl plain", "--sasl-user is empty"}, {"lag --admin=", "--admin: empty"},
		{"lag --admin ftp://x", `--admin has "ftp://x", want http://host:port`}, {"jobs retry --all --admin http://,x:1,ftp://y", `"ftp://y"`},
	} {
		con := &console{out: &bytes.Buffer{}, err: &bytes.Buffer{}, getenv: func(string) string { return "" }}
		err := execute(t.Context(), strings.Fields(tc.args), con)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("tutti %s: %v, want %q in it", tc.args, err, tc.want)
		}
		if !strings.Contains(wrong(err), "tutti") {
			t.Errorf("tutti %s: %v is not a wrong call, which ends with 2", tc.args, err)
		}
	}
}

// wrong returns the command that was called wrongly.
func wrong(err error) string {
	var u interface {
		error
		Command() string
	}
	if errors.As(err, &u) {
		return u.Command()
	}
	return ""
}

func TestNobodyAnswers(t *testing.T) {
	con := &console{out: &bytes.Buffer{}, err: &bytes.Buffer{}, getenv: func(string) string { return "" }}
	for args, want := range map[string]string{
		"jobs --admin http://127.0.0.1:1":      "started with --admin",
		"deadletters list --admin 127.0.0.1:1": "started with --admin",
	} {
		if err := execute(t.Context(), strings.Fields(args), con); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("tutti %s: %v, want %q in it", args, err, want)
		}
	}
}

// TestPublicPort: who asks the port for the public is told where operators are answered.
func TestPublicPort(t *testing.T) {
	public := httptest.NewServer(problem.Mux(http.NewServeMux()))
	defer public.Close()
	con := &console{out: &bytes.Buffer{}, err: &bytes.Buffer{}, getenv: noEnv}
	err := execute(t.Context(), []string{"lag", "--admin", public.URL}, con)
	if want := "ask " + public.URL + "/services: nothing is served here (is this the address of the process's --admin, and not of its --http?)"; err == nil || err.Error() != want {
		t.Errorf("tutti lag of a public port: %v, want %s", err, want)
	}
}
