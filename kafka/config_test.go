package kafka_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/kafka"
)

// All faults of a configuration are said at once.
func TestFaultsOfConfig(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.pem")
	if err := os.WriteFile(broken, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	token := func(context.Context) (string, error) { return "", nil }
	for _, tc := range []struct {
		name string
		cfg  kafka.Config
		want []string
	}{
		{"empty", kafka.Config{}, []string{"Brokers is empty, want host:port"}},
		{"numbers", kafka.Config{Brokers: []string{"a", "b:"}, Partitions: -1, Replication: 101, MinInSync: -1, Timeout: -time.Second},
			[]string{`Brokers has "a"`, `Brokers has "b:"`, "Partitions is -1", "Replication is 101", "MinInSync is -1", "Timeout is -1s"}},
		{"in sync", kafka.Config{Replication: 2, MinInSync: 3}, []string{"MinInSync is 3, want at most Replication, which is 2"}},
		{"in sync of nothing", kafka.Config{MinInSync: 2}, []string{"MinInSync is 2, but Replication"}},
		{"TLS", kafka.Config{TLS: kafka.TLS{CA: broken, Cert: broken}}, []string{"TLS.CA: " + broken + " has no certificate", "TLS.Cert and TLS.Key: one is given"}},
		{"TLS key", kafka.Config{TLS: kafka.TLS{CA: "/none", Cert: broken, Key: broken}}, []string{"TLS.CA: open /none", "TLS.Cert and TLS.Key: tls: "}},
		{"SASL", kafka.Config{SASL: kafka.SASL{Mechanism: "MAGIC"}}, []string{`SASL.Mechanism is "MAGIC", want one of [PLAIN SCRAM-SHA-256 SCRAM-SHA-512 OAUTHBEARER]`}},
		{"SASL without mechanism", kafka.Config{SASL: kafka.SASL{User: "u"}}, []string{"SASL.Mechanism is empty"}},
		{"SASL without user", kafka.Config{SASL: kafka.SASL{Mechanism: kafka.Plain, Token: token}}, []string{"SASL.User is empty", "SASL.Password and SASL.PasswordFile: want one", "SASL.Token is for OAUTHBEARER"}},
		{"SASL without token", kafka.Config{SASL: kafka.SASL{Mechanism: kafka.OAuthBearer, Password: "p"}}, []string{"SASL.Token is missing", "are not for OAUTHBEARER"}},
	} {
		_, err := kafka.Connect(t.Context(), tc.cfg)
		for _, want := range tc.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want %q in it", tc.name, err, want)
			}
		}
	}
}
