package bus

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/tutti-go/tutti/kafka"
)

// tokens returns a function that gets bearer tokens by client credentials (RFC 6749,
// section 4.4), and keeps each until it is about to end.
func tokens(a *sasl) func(context.Context) (string, error) {
	const timeout = 10 * time.Second
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Timeout: timeout})
	source := oauth2.ReuseTokenSource(nil, fetcher{ctx, a})
	return func(context.Context) (string, error) {
		token, err := source.Token()
		var refused *oauth2.RetrieveError
		if errors.As(err, &refused) && refused.Response.StatusCode >= http.StatusInternalServerError { // it does not work now
			err = fmt.Errorf("%w: %w", kafka.ErrUnreachable, err)
		}
		if err != nil {
			return "", fmt.Errorf("ask %s for a token as %s: %w", a.tokenURL, a.client, err)
		}
		return token.AccessToken, nil
	}
}

// fetcher gets a new token for each call.
type fetcher struct {
	ctx context.Context // carries the HTTP client, as package oauth2 wants it
	*sasl
}

// Token implements [oauth2.TokenSource].
func (f fetcher) Token() (*oauth2.Token, error) {
	secret := f.secret
	if f.secretFile != "" { // read anew each time: it may have been changed
		var err error
		if secret, err = readSecret(f.secretFile); err != nil {
			return nil, err
		}
	}
	cfg := clientcredentials.Config{ClientID: f.client, ClientSecret: secret, TokenURL: f.tokenURL, Scopes: f.scopes}
	return cfg.Token(f.ctx)
}

// readSecret reads a file of one secret, without white space around it.
func readSecret(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" {
		return "", fmt.Errorf("read secret: %s is empty", path)
	}
	return secret, nil
}
