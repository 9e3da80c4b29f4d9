package kafka_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/kafkatest"
	"github.com/tutti-go/tutti/kafka"
)

// tokenOf returns an unsecured JWS (RFC 7515, appendix A.5) for a user: what brokers for
// tests take.
func tokenOf(user string, lasts time.Duration) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		now := time.Now()
		part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
		return part(`{"alg":"none"}`) + "." + part(fmt.Sprintf(`{"sub":%q,"iat":%d,"exp":%d}`, user, now.Add(-time.Minute).Unix(), now.Add(lasts).Unix())) + ".", nil
	}
}

// as is how a user with a password logs in.
func as(m kafka.Mechanism, user string) kafka.SASL {
	return kafka.SASL{Mechanism: m, User: user, Password: user + "-secret"}
}

// TestEveryWayInOverKafka writes and reads over TLS by every mechanism, and by a certificate.
func TestEveryWayInOverKafka(t *testing.T) {
	real := kafkatest.NeedSecure(t)
	passwordFile := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(passwordFile, []byte("tutti-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ca := kafka.TLS{CA: filepath.Join(real.Certs, "ca.pem")}
	for name, cfg := range map[string]kafka.Config{
		"plain":         {Brokers: real.SASL, TLS: ca, SASL: as(kafka.Plain, "tutti")},
		"scram 256":     {Brokers: real.SASL, TLS: ca, SASL: as(kafka.ScramSHA256, "tutti")},
		"scram 512":     {Brokers: real.SASL, TLS: ca, SASL: as(kafka.ScramSHA512, "tutti")},
		"password file": {Brokers: real.SASL, TLS: ca, SASL: kafka.SASL{Mechanism: kafka.ScramSHA512, User: "tutti", PasswordFile: passwordFile}},
		"token":         {Brokers: real.SASL, TLS: ca, SASL: kafka.SASL{Mechanism: kafka.OAuthBearer, Token: tokenOf("tutti", time.Hour)}},
		"certificate": {Brokers: real.TLS, TLS: kafka.TLS{
			CA: ca.CA, Cert: filepath.Join(real.Certs, "tutti.pem"), Key: filepath.Join(real.Certs, "tutti.key"),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bus, err := kafka.Connect(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer bus.Close()
			suffix := kafkatest.Suffix()
			f := fixture{t, bus, nil, "secure" + suffix, "secure" + suffix}
			if err := bus.EnsureTopics(t.Context(), []event.Topic{{Name: f.topic}}); err != nil {
				t.Fatal(err)
			}
			f.send(0, 0, 10)
			m := f.join("a", 0)
			defer m.Close(context.Background())
			got := 0
			f.poll("10 records", func() bool { return got == 10 }, func(x kafka.Fetched) { got += len(x.Records) }, m)
		})
	}
}

// TestWrongWaysInOverKafka: who does not get in is told why, and what to do, within seconds.
func TestWrongWaysInOverKafka(t *testing.T) {
	real := kafkatest.NeedSecure(t)
	ca := kafka.TLS{CA: filepath.Join(real.Certs, "ca.pem")}
	wrong := func(m kafka.Mechanism) kafka.SASL { return kafka.SASL{Mechanism: m, User: "tutti", Password: "wrong"} }
	for _, tc := range []struct {
		name string
		cfg  kafka.Config
		is   error
		want string
	}{
		{"wrong password, plain", kafka.Config{Brokers: real.SASL, TLS: ca, SASL: wrong(kafka.Plain)}, kafka.ErrSecurity, "check name, password and mechanism"},
		{"wrong password, scram", kafka.Config{Brokers: real.SASL, TLS: ca, SASL: wrong(kafka.ScramSHA256)}, kafka.ErrSecurity, "check name, password and mechanism"},
		{"unknown user", kafka.Config{Brokers: real.SASL, TLS: ca, SASL: as(kafka.ScramSHA512, "nobody")}, kafka.ErrSecurity, "user nobody (SCRAM-SHA-512)"},
		{"token that has ended", kafka.Config{Brokers: real.SASL, TLS: ca, SASL: kafka.SASL{Mechanism: kafka.OAuthBearer, Token: tokenOf("tutti", -time.Second)}}, kafka.ErrSecurity, "valid now"},
		{"no token", kafka.Config{Brokers: real.SASL, TLS: ca, SASL: kafka.SASL{Mechanism: kafka.OAuthBearer, Token: func(context.Context) (string, error) {
			return "", errors.New("the token server is away")
		}}}, kafka.ErrSecurity, "get a token: the token server is away"},
		{"nobody, where SASL is wanted", kafka.Config{Brokers: real.SASL, TLS: ca}, kafka.ErrSecurity, "want SASL"},
		{"SASL, where none is", kafka.Config{Brokers: real.Plain, SASL: as(kafka.Plain, "tutti")}, kafka.ErrSecurity, "takes no SASL"},
		{"TLS to a plaintext port", kafka.Config{Brokers: real.Plain, TLS: kafka.TLS{Enabled: true}}, kafka.ErrSecurity, "speak no TLS"},
		{"plaintext to a TLS port", kafka.Config{Brokers: real.TLS}, kafka.ErrSecurity, "--tls"},
		{"plaintext SASL to a TLS port", kafka.Config{Brokers: real.SASL, SASL: as(kafka.Plain, "tutti")}, kafka.ErrSecurity, "--tls"},
		{"a CA that nobody knows", kafka.Config{Brokers: real.TLS, TLS: kafka.TLS{Enabled: true}}, kafka.ErrSecurity, "--tls-ca"},
		{"no certificate", kafka.Config{Brokers: real.TLS, TLS: ca}, kafka.ErrSecurity, "certificate of the client's"},
		{"nobody there", kafka.Config{Brokers: []string{"127.0.0.1:1"}}, kafka.ErrUnreachable, "check the addresses"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			begin := time.Now()
			bus, err := kafka.Connect(t.Context(), tc.cfg)
			if err == nil {
				bus.Close()
				t.Fatal("connected")
			}
			t.Log(err)
			if !errors.Is(err, tc.is) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Connect() = %v, want %v with %q", err, tc.is, tc.want)
			}
			if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "wrong") {
				t.Errorf("Connect() = %v, which has the password in it", err)
			}
			if took := time.Since(begin); took > 20*time.Second {
				t.Errorf("it took %v to say so", took)
			}
		})
	}
}
