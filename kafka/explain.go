package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Errors by which callers decide.
var (
	// ErrUnreachable is wrapped where no broker answers, or none that can serve, or too few.
	ErrUnreachable = errors.New("no Kafka broker answers")
	// ErrSecurity is wrapped where a broker answers, and TLS or SASL do not fit.
	ErrSecurity = errors.New("the Kafka brokers do not take this connection")
	// ErrHungUp is wrapped beside ErrSecurity where nothing else is known than that whoever
	// answers hangs up: a broker that wants something else does so, and so does a proxy
	// before brokers that are not there yet.
	ErrHungUp = errors.New("the broker hangs up at once")
	// ErrDenied is wrapped where the cluster's rules do not allow what is asked for.
	ErrDenied = errors.New("the Kafka cluster's access rules do not allow it")
)

// advice adds to an error what it means and what to do.
func advice(kind, err error, format string, args ...any) error {
	return fmt.Errorf("%w: %s (%w)", kind, fmt.Sprintf(format, args...), err)
}

// explain says what an error of the connection or of the broker means, and what to
// do. Errors that speak for themselves are returned as they are.
func (b *Bus) explain(err error) error {
	who := b.cfg.SASL
	var noToken *tokenError
	switch {
	case err == nil, errors.Is(err, ErrUnreachable), errors.Is(err, ErrSecurity), errors.Is(err, ErrDenied):
		return err
	case errors.As(err, &noToken) && noToken.passes():
		return advice(ErrUnreachable, err, "there is no token to log in with now, as nobody answers who gives them")
	case errors.As(err, &noToken):
		return advice(ErrSecurity, err, "there is no token to log in with")
	case who.Mechanism == OAuthBearer && (errors.Is(err, kerr.SaslAuthenticationFailed) || strings.Contains(err.Error(), "oauth response")):
		return advice(ErrSecurity, err, "the token is not accepted: check that it is valid now, and meant for this cluster (issuer, audience, scope)")
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return advice(ErrSecurity, err, "%s with this password is not accepted: check name, password and mechanism", who)
	case errors.Is(err, kerr.UnsupportedSaslMechanism), strings.Contains(err.Error(), "UNSUPPORTED_SASL_MECHANISM"):
		return advice(ErrSecurity, err, "%s is not offered at this address: ask for the mechanism, or for the port of another listener", who.Mechanism)
	case errors.Is(err, kerr.IllegalSaslState):
		return advice(ErrSecurity, err, "this address takes no SASL, or another one: check the mechanism and the port")
	case denied(err):
		return advice(ErrDenied, err, "allow it to %s", who)
	}
	if told := b.explainTLS(err); told != nil {
		return told
	}
	var hungUp *kgo.ErrFirstReadEOF
	var netErr net.Error
	switch {
	case !b.met && (errors.As(err, &hungUp) || errors.Is(err, io.EOF)):
		return fmt.Errorf("%w: %w", ErrSecurity, advice(ErrHungUp, err, "%s", b.hint()))
	case !b.met && b.cfg.TLS != (TLS{}) && errors.As(err, &netErr) && netErr.Timeout(): // a broker without TLS waits for more
		return advice(ErrUnreachable, err, "check the addresses, that the brokers run, and that they speak TLS there")
	case errors.As(err, &netErr), errors.Is(err, context.DeadlineExceeded):
		return advice(ErrUnreachable, err, "check the addresses, and that the brokers run")
	case passing(err):
		return advice(ErrUnreachable, err, "brokers are away, starting, or electing a leader")
	}
	return err
}

// explainTLS returns nil if err is not about TLS.
func (b *Bus) explainTLS(err error) error {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &unknown):
		return advice(ErrSecurity, err, "the broker's certificate is signed by nobody that is trusted here: name the file of its CA (TLS.CA, --tls-ca)")
	case errors.As(err, &name):
		return advice(ErrSecurity, err, "the broker's certificate is for other names: connect by one of them")
	case errors.As(err, &invalid):
		return advice(ErrSecurity, err, "the broker's certificate is not valid")
	case errors.As(err, &record):
		return advice(ErrSecurity, err, "the broker does not speak TLS at this address: switch TLS off, or take the port that has it")
	case strings.Contains(err.Error(), "remote error: tls:"): // an alert, which has no exported type
		return advice(ErrSecurity, err, "the broker refuses TLS with this client: it may want a certificate of the client's (TLS.Cert and TLS.Key, --tls-cert and --tls-key), or another one")
	case strings.Contains(err.Error(), "tls alert record"): // the client has no type for it
		return advice(ErrSecurity, err, "the broker speaks TLS at this address: switch TLS on (--tls)")
	}
	return nil
}

// hint says which setting is the likely fault where a broker only hangs up.
func (b *Bus) hint() string {
	encrypted, named := b.cfg.TLS != (TLS{}), b.cfg.SASL.Mechanism != ""
	switch {
	case encrypted && named:
		return "it may speak no TLS at this address, or not take this mechanism"
	case encrypted:
		return "it may speak no TLS at this address (switch it off), or want SASL or a certificate of the client's"
	case named:
		return "it may want TLS (--tls)"
	}
	return "it may want TLS (--tls) or SASL (--sasl)"
}

func denied(err error) bool {
	for _, code := range []error{
		kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed,
		kerr.TransactionalIDAuthorizationFailed,
	} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}
