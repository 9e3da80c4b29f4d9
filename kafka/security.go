package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// TLS says how connections are encrypted. Its zero value is plaintext.
type TLS struct {
	// Enabled switches TLS on; so does any of the others.
	Enabled bool
	// CA is a file of the certificates, in PEM, that may sign the brokers'; default:
	// those that this machine trusts.
	CA string
	// Cert and Key are files of this client's certificate and key, in PEM, for
	// clusters that want one.
	Cert, Key string
}

// config returns nil where connections are plaintext.
func (t TLS) config() (*tls.Config, error) {
	if t == (TLS{}) {
		return nil, nil
	}
	var errs []error
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		text, err := os.ReadFile(t.CA)
		cfg.RootCAs = x509.NewCertPool()
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("TLS.CA: %w", err))
		case !cfg.RootCAs.AppendCertsFromPEM(text):
			errs = append(errs, fmt.Errorf("TLS.CA: %s has no certificate in PEM", t.CA))
		}
	}
	switch {
	case (t.Cert == "") != (t.Key == ""):
		errs = append(errs, errors.New("TLS.Cert and TLS.Key: one is given, want both or none"))
	case t.Cert != "":
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			errs = append(errs, fmt.Errorf("TLS.Cert and TLS.Key: %w", err))
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return cfg, nil
}

// encryptOver makes TLS connections over those of another dialer.
func encryptOver(dial func(ctx context.Context, network, address string) (net.Conn, error), cfg *tls.Config) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		raw, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, errors.Join(err, raw.Close())
		}
		named := cfg.Clone()
		named.ServerName = host
		conn := tls.Client(raw, named)
		if err := conn.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, raw.Close())
		}
		return conn, nil
	}
}

// Mechanism is a way to say who we are (RFC 4422).
type Mechanism string

// The mechanisms, by the names that brokers know them by.
const (
	Plain       Mechanism = "PLAIN"         // RFC 4616; use it over TLS only
	ScramSHA256 Mechanism = "SCRAM-SHA-256" // RFC 7677
	ScramSHA512 Mechanism = "SCRAM-SHA-512"
	OAuthBearer Mechanism = "OAUTHBEARER" // RFC 7628, KIP-255
)

// Mechanisms are all that there are.
func Mechanisms() []Mechanism { return []Mechanism{Plain, ScramSHA256, ScramSHA512, OAuthBearer} }

// SASL says who we are. Its zero value is nobody.
type SASL struct {
	Mechanism Mechanism
	// User, and Password or PasswordFile, are for all mechanisms but OAUTHBEARER. The
	// file is read anew for each connection, without line breaks at its end.
	User, Password, PasswordFile string
	// Token returns a bearer token that is valid now, for OAUTHBEARER. It is called for
	// each connection, from several goroutines, and should keep what it has fetched. Where
	// who gives tokens does not answer, or its error wraps [ErrUnreachable], one waits.
	Token func(ctx context.Context) (string, error)
}

func (s SASL) validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	credentials := s.User != "" || s.Password != "" || s.PasswordFile != ""
	switch {
	case s.Mechanism == "":
		check(!credentials && s.Token == nil, "SASL.Mechanism is empty, but there are credentials: want one of %v", Mechanisms())
	case !slices.Contains(Mechanisms(), s.Mechanism):
		check(false, "SASL.Mechanism is %q, want one of %v", string(s.Mechanism), Mechanisms())
	case s.Mechanism == OAuthBearer:
		check(s.Token != nil, "SASL.Token is missing, which %s needs", s.Mechanism)
		check(!credentials, "SASL.User and SASL.Password are not for %s, which has a token", s.Mechanism)
	default:
		check(s.User != "", "SASL.User is empty, which %s needs", s.Mechanism)
		check((s.Password == "") != (s.PasswordFile == ""), "SASL.Password and SASL.PasswordFile: want one of them for %s", s.Mechanism)
		check(s.Token == nil, "SASL.Token is for %s, not for %s", OAuthBearer, s.Mechanism)
		if s.PasswordFile != "" {
			if _, err := s.password(); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

func (s SASL) password() (string, error) {
	if s.PasswordFile == "" {
		return s.Password, nil
	}
	text, err := os.ReadFile(s.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("SASL.PasswordFile: %w", err)
	}
	password := strings.TrimRight(string(text), "\r\n")
	if password == "" {
		return "", fmt.Errorf("SASL.PasswordFile: %s is empty", s.PasswordFile)
	}
	return password, nil
}

// mechanism returns nil for nobody.
func (s SASL) mechanism() sasl.Mechanism {
	switch s.Mechanism {
	case Plain:
		return plain.Plain(func(context.Context) (plain.Auth, error) {
			password, err := s.password()
			return plain.Auth{User: s.User, Pass: password}, err
		})
	case ScramSHA256:
		return scram.Sha256(s.scram)
	case ScramSHA512:
		return scram.Sha512(s.scram)
	case OAuthBearer:
		return oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
			token, err := s.Token(ctx)
			if err != nil {
				return oauth.Auth{}, &tokenError{err}
			}
			return oauth.Auth{Token: token}, nil
		})
	}
	return nil
}

// tokenError says that [SASL.Token] failed.
type tokenError struct{ err error }

func (e *tokenError) Error() string { return "get a token: " + e.err.Error() }
func (e *tokenError) Unwrap() error { return e.err }

// passes reports whether the error is that nobody answered.
func (e *tokenError) passes() bool {
	var network *net.OpError
	var late net.Error
	return errors.As(e.err, &network) || errors.As(e.err, &late) && late.Timeout() || errors.Is(e.err, io.EOF)
}

func (s SASL) scram(context.Context) (scram.Auth, error) {
	password, err := s.password()
	return scram.Auth{User: s.User, Pass: password}, err
}

// String names who connects, without the secret.
func (s SASL) String() string {
	switch {
	case s.Mechanism == "":
		return "nobody (no SASL)"
	case s.User == "":
		return "the bearer of a token (" + string(s.Mechanism) + ")"
	}
	return fmt.Sprintf("user %s (%s)", s.User, s.Mechanism)
}
