package bus

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/internal/cli"
	"github.com/tutti-go/tutti/kafka"
)

// parsed runs a program with all flags of the bus.
func parsed(args []string, env map[string]string) (Settings, error) {
	var s Settings
	program := cli.Program("prog", "", "P", func(f *cli.Flags) {
		s.BindConnection(f, "")
		s.BindEmbedded(f)
		s.BindTopics(f)
	}, s.Check, func(context.Context, io.Writer, io.Writer) error { return nil })
	err := program(context.Background(), args, func(name string) string { return env[name] }, io.Discard, io.Discard)
	return s, err
}

func TestFaultsAreNamedByFlag(t *testing.T) {
	const brokers = "--brokers=a:1"
	for _, tc := range []struct {
		args string
		want []string
	}{
		{"--broker-port 70000", []string{"--broker-port is 70000"}},
		{"--brokers a:1,b --broker-port 1", []string{`--brokers has "b"`, "--broker-port is for the embedded broker"}},
		{"--tls --sasl plain --replication 3", []string{"--tls is for", "--sasl is for", "--replication is for"}},
		{brokers + " --partitions -1 --replication 2 --min-insync 3", []string{"--partitions is -1", "--min-insync is 3, want at most --replication, which is 2"}},
		{brokers + " --min-insync 2", []string{"--min-insync is 2, but --replication"}},
		{brokers + " --sasl kerberos", []string{`--sasl is "KERBEROS", want one of [PLAIN`}},
		{brokers + " --sasl-user u", []string{"--sasl is empty, but there are credentials"}},
		{brokers + " --sasl plain", []string{"--sasl-user is empty", "--sasl-password and --sasl-password-file: want one of them"}},
		{brokers + " --sasl plain --sasl-user u --sasl-password p --sasl-password-file f", []string{"--sasl-password and --sasl-password-file: want one"}},
		{brokers + " --sasl plain --sasl-user u --sasl-password-file /none", []string{"--sasl-password-file: open /none"}},
		{brokers + " --sasl oauthbearer --sasl-user u", []string{"--sasl-token-file or --oauth-token-url is missing", "--sasl-user and --sasl-password are not for"}},
		{brokers + " --sasl oauthbearer --sasl-token-file f --oauth-token-url x", []string{"want one of them", `--oauth-token-url is "x"`, "--oauth-client-id is empty", "--oauth-client-secret and"}},
		{brokers + " --oauth-scope s", []string{"--oauth-token-url is empty"}},
		{brokers + " --tls-ca /none --tls-cert c", []string{"--tls-ca: open /none", "--tls-cert and --tls-key: one is given"}},
	} {
		_, err := parsed(strings.Fields(tc.args), nil)
		for _, want := range tc.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want %q in it", tc.args, err, want)
			}
		}
	}
}

func TestSettingsOfAllSources(t *testing.T) {
	s, err := parsed([]string{"--brokers", "a:1,b:2", "--tls", "--sasl", "scram-sha-512", "--sasl-user", "ada", "--partitions", "4", "--replication", "3"},
		map[string]string{"P_SASL_PASSWORD": "secret"})
	if err != nil {
		t.Fatal(err)
	}
	got := s.Config()
	if got.SASL.Mechanism != kafka.ScramSHA512 || got.SASL.User != "ada" || got.SASL.Password != "secret" || !got.TLS.Enabled ||
		got.Partitions != 4 || got.Replication != 3 || len(got.Brokers) != 2 {
		t.Errorf("Config() = %+v", got)
	}
}

// Tokens come from a file that is read each time, or from a server that is asked
// once for as long as a token lasts.
func TestTokens(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		if id != "app" || secret != "s3cret" || r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "kafka" {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		asked++
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "token-1", "token_type": "bearer", "expires_in": 3600})
	}))
	defer server.Close()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "starting", http.StatusServiceUnavailable) }))
	defer broken.Close()
	file := filepath.Join(t.TempDir(), "secret")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	get := func(args ...string) (string, error) {
		t.Helper()
		s, err := parsed(append([]string{"--brokers=a:1", "--sasl=oauthbearer"}, args...), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Config().SASL.Token(t.Context()); err != nil {
			return "", err
		}
		return s.Config().SASL.Token(t.Context())
	}

	write("from-a-file\n")
	if got, err := get("--sasl-token-file", file); got != "from-a-file" || err != nil {
		t.Errorf("token %q (%v), want that of the file", got, err)
	}
	write("s3cret\n")
	if got, err := get("--oauth-token-url", server.URL, "--oauth-client-id=app", "--oauth-client-secret-file", file, "--oauth-scope=kafka"); got != "token-1" || err != nil {
		t.Errorf("token %q (%v), want the server's", got, err)
	}
	if _, err := get("--oauth-token-url", server.URL, "--oauth-client-id=app", "--oauth-client-secret=wrong", "--oauth-scope=kafka"); err == nil ||
		!strings.Contains(err.Error(), "as app") || !strings.Contains(err.Error(), "401") {
		t.Errorf("wrong secret: error %v, want who was refused", err)
	} else if errors.Is(err, kafka.ErrUnreachable) {
		t.Errorf("wrong secret: error %v, which is not to be waited for", err)
	}
	if _, err := get("--oauth-token-url", broken.URL, "--oauth-client-id=app", "--oauth-client-secret=any"); !errors.Is(err, kafka.ErrUnreachable) {
		t.Errorf("server that is starting: error %v, want one that is waited for", err)
	}
	write("")
	if _, err := get("--sasl-token-file", file); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("empty file: error %v, want that it is empty", err)
	}
	if asked != 2 { // each call of Config makes its own source
		t.Errorf("the server was asked for %d tokens, want 2", asked)
	}
}

func TestOpenEmbeds(t *testing.T) {
	s, err := parsed(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	o, err := s.Open(t.Context(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if !o.Embedded() || len(o.Brokers) != 1 {
		t.Errorf("Open() = %+v, want an embedded broker", o)
	}
	if _, err := os.Stat(filepath.Join(dir, "broker", "log")); err != nil {
		t.Error(err)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
}
