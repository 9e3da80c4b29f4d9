package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"github.com/tutti-go/tutti/internal/cli"
	"github.com/tutti-go/tutti/kafka"
)

// Settings are what a command is told of the bus. Bind the groups of flags that it
// wants, Check them, and Open or Connect.
type Settings struct {
	// Brokers are the addresses of a Kafka that runs elsewhere. Empty: embed one.
	Brokers []string
	// Port is where an embedded broker listens.
	Port int

	partitions, replication, minInSync int
	tls                                kafka.TLS
	sasl                               sasl
}

// sasl is who we are, as flags say it.
type sasl struct {
	mechanism, user, password, passwordFile, tokenFile string
	tokenURL, client, secret, secretFile               string
	scopes                                             []string
}

const (
	kafkaGroup  = "Kafka"
	accessGroup = "How to get into the Kafka of --brokers"
	topicGroup  = "Topics that it creates"
)

// BindConnection adds the flags that say which Kafka, and how to get in. without
// says what is used if --brokers is not given.
func (s *Settings) BindConnection(f *cli.Flags, without string) {
	cli.Group(f, kafkaGroup, func(f *cli.Flags) {
		f.StringSliceVar(&s.Brokers, "brokers", s.Brokers, "use the Kafka at these `ADDRESSES` (host:port,…)"+without)
		cli.WantValue(f, "brokers")
	})
	cli.Group(f, accessGroup, func(f *cli.Flags) {
		f.BoolVar(&s.tls.Enabled, "tls", false, "encrypt connections; the other --tls flags imply it")
		f.StringVar(&s.tls.CA, "tls-ca", "", "trust brokers whose certificates this PEM `FILE` signs, and not those that this machine trusts")
		f.StringVar(&s.tls.Cert, "tls-cert", "", "show the brokers the certificate in this PEM `FILE`")
		f.StringVar(&s.tls.Key, "tls-key", "", "the key of --tls-cert is in this PEM `FILE`")
		f.StringVar(&s.sasl.mechanism, "sasl", "", "log in by this `MECHANISM`: "+mechanisms())
		f.StringVar(&s.sasl.user, "sasl-user", "", "log in as this `NAME`")
		f.StringVar(&s.sasl.password, "sasl-password", "", "with this `PASSWORD`; others on this machine can read flags, but not the environment")
		f.StringVar(&s.sasl.passwordFile, "sasl-password-file", "", "with the password in this `FILE`")
		f.StringVar(&s.sasl.tokenFile, "sasl-token-file", "", "log in with the bearer token in this `FILE`, which is read for each connection")
		f.StringVar(&s.sasl.tokenURL, "oauth-token-url", "", "log in with bearer tokens from this `URL`, by OAuth 2 client credentials")
		f.StringVar(&s.sasl.client, "oauth-client-id", "", "ask for tokens as this `CLIENT`")
		f.StringVar(&s.sasl.secret, "oauth-client-secret", "", "with this `SECRET`; see --sasl-password")
		f.StringVar(&s.sasl.secretFile, "oauth-client-secret-file", "", "with the secret in this `FILE`")
		f.StringSliceVar(&s.sasl.scopes, "oauth-scope", nil, "ask for these `SCOPES`")
	})
}

// BindTopics adds the flags that say how new topics are laid out.
func (s *Settings) BindTopics(f *cli.Flags) {
	cli.Group(f, topicGroup, func(f *cli.Flags) {
		f.IntVar(&s.partitions, "partitions", 0, "make `N` partitions where the contract does not say; 0 makes 6, or 1 on an embedded broker")
		f.IntVar(&s.replication, "replication", 0, "keep `N` copies of each record; 0 keeps 3 on three brokers or more, else the cluster's default")
		f.IntVar(&s.minInSync, "min-insync", 0, "want `N` copies before a record counts as written; 0 wants one less than --replication")
	})
}

// BindEmbedded adds the flags of the broker that is embedded where --brokers is not
// given.
func (s *Settings) BindEmbedded(f *cli.Flags) {
	cli.Group(f, kafkaGroup, func(f *cli.Flags) {
		f.IntVar(&s.Port, "broker-port", 0, "let the embedded broker listen on this `PORT`; 0 takes a free one")
	})
}

func mechanisms() string {
	names := make([]string, 0, 4)
	for _, m := range kafka.Mechanisms() {
		names = append(names, strings.ToLower(string(m)))
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// Check reports all faults at once.
func (s *Settings) Check() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(s.Port >= 0 && s.Port <= 65535, "--broker-port is %d, want 0 to 65535", s.Port)
	s.sasl.check(check)
	cfg := s.Config()
	if len(s.Brokers) > 0 {
		check(s.Port == 0, "--broker-port is for the embedded broker, and --brokers says to embed none")
	} else {
		check(s.tls == kafka.TLS{}, "--tls is for the Kafka that --brokers names, and it names none")
		check(s.sasl.mechanism == "", "--sasl is for the Kafka that --brokers names, and it names none")
		check(s.replication == 0, "--replication is for the Kafka that --brokers names, and it names none")
		cfg.Brokers = []string{"127.0.0.1:9092"} // stands for the embedded one
	}
	if err := cfg.Validate(); err != nil {
		errs = append(errs, errors.New(flags.Replace(err.Error())))
	}
	return errors.Join(errs...)
}

// flags are the names of settings here, by their names in package kafka.
var flags = strings.NewReplacer(
	"Brokers", "--brokers", "Partitions", "--partitions", "Replication", "--replication", "MinInSync", "--min-insync",
	"TLS.CA", "--tls-ca", "TLS.Cert", "--tls-cert", "TLS.Key", "--tls-key",
	"SASL.Mechanism", "--sasl", "SASL.User", "--sasl-user", "SASL.PasswordFile", "--sasl-password-file", "SASL.Password", "--sasl-password",
	"SASL.Token", "--sasl-token-file or --oauth-token-url",
)

// check checks what package kafka does not see: where tokens come from.
func (a *sasl) check(check func(ok bool, format string, args ...any)) {
	check(a.tokenFile == "" || a.tokenURL == "", "--sasl-token-file and --oauth-token-url: want one of them")
	if a.tokenURL == "" {
		check(a.client == "" && a.secret == "" && a.secretFile == "" && len(a.scopes) == 0, "--oauth-token-url is empty, and other --oauth flags are given")
		return
	}
	u, err := url.Parse(a.tokenURL)
	check(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "", "--oauth-token-url is %q, want https://host/path", a.tokenURL)
	check(a.client != "", "--oauth-client-id is empty, want the name that the token server knows")
	check((a.secret == "") != (a.secretFile == ""), "--oauth-client-secret and --oauth-client-secret-file: want one of them")
}

// Config is the connection to the Kafka that --brokers names, for callers that
// connect by themselves.
func (s *Settings) Config() kafka.Config {
	return kafka.Config{
		Brokers: s.Brokers, TLS: s.tls, SASL: s.sasl.config(),
		Partitions: s.partitions, Replication: s.replication, MinInSync: s.minInSync,
	}
}

func (a *sasl) config() kafka.SASL {
	// As brokers know it; people write it as they like.
	out := kafka.SASL{Mechanism: kafka.Mechanism(strings.ToUpper(a.mechanism)), User: a.user, Password: a.password, PasswordFile: a.passwordFile}
	switch {
	case a.tokenFile != "":
		out.Token = func(context.Context) (string, error) { return readSecret(a.tokenFile) }
	case a.tokenURL != "":
		out.Token = tokens(a)
	}
	return out
}

// Connect connects to the Kafka that --brokers names.
func (s *Settings) Connect(ctx context.Context, log *slog.Logger) (*kafka.Bus, error) {
	cfg := s.Config()
	cfg.Logger = log
	return kafka.Connect(ctx, cfg)
}
