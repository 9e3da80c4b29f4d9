package kafka

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Where those who give tokens do not answer, one waits, as for brokers. What else is wrong
// with a token does not pass.
func TestTokensThatAreNotThereYet(t *testing.T) {
	t.Parallel()
	for want, fails := range map[error]error{
		ErrUnreachable: &net.OpError{Op: "dial", Net: "tcp", Err: &os.SyscallError{Syscall: "connect", Err: errors.New("connection refused")}},
		ErrSecurity:    errors.New("401 Unauthorized"),
	} {
		broker, err := Embed(BrokerConfig{})
		if err != nil {
			t.Fatal(err)
		}
		defer broker.Close()
		broker.cluster.ControlKey(int16(kmsg.SASLHandshake), func(r kmsg.Request) (kmsg.Response, error, bool) {
			broker.cluster.KeepControl()
			answer := r.ResponseKind().(*kmsg.SASLHandshakeResponse)
			answer.SupportedMechanisms = []string{string(OAuthBearer)}
			return answer, nil, true
		})
		_, err = Connect(t.Context(), Config{Brokers: broker.Addrs(), Timeout: 2 * time.Second, SASL: SASL{
			Mechanism: OAuthBearer, Token: func(context.Context) (string, error) { return "", fails },
		}})
		if !errors.Is(err, want) || !strings.Contains(err.Error(), "get a token: "+fails.Error()) {
			t.Errorf("Connect() where %q = %v, want %v that says so", fails, err, want)
		}
	}
}

// A broker without TLS may wait for the rest of what it takes for a request: who speaks TLS
// to it is told what may be wrong.
func TestTLSToABrokerWithout(t *testing.T) {
	t.Parallel()
	broker, err := Embed(BrokerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	_, err = Connect(t.Context(), Config{Brokers: broker.Addrs(), Timeout: time.Second, TLS: TLS{Enabled: true}})
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "speak TLS") {
		t.Errorf("Connect() = %v, want %v that names TLS", err, ErrUnreachable)
	}
}
