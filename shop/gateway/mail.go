package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/store"
)

// Mail simulates a mail provider. Its ledger has the table
//
//	mails(key, order_id, calls)
type Mail struct{ ledger *ledger }

// OpenMail opens the mail provider whose ledger is the database at path.
func OpenMail(ctx context.Context, path string, cfg Config) (*Mail, error) {
	l, err := openLedger(ctx, path, "mail", cfg)
	if err != nil {
		return nil, err
	}
	return &Mail{l}, nil
}

// Close waits for calls that are being written.
func (m *Mail) Close() error { return m.ledger.close() }

// Ledger reads what the provider has sent.
func (m *Mail) Ledger() store.Querier { return m.ledger.db.Reader() }

// Send sends a mail about an order. The provider does not keep its text.
func (m *Mail) Send(ctx context.Context, key, order, to, _ string) error {
	if to == "" || strings.HasSuffix(to, "@bounce.example") {
		return event.Reject(fmt.Errorf("send mail %s: %w", key, errors.New("nobody has this address")))
	}
	err := m.ledger.update(ctx, func(ctx context.Context, tx *store.Tx) error {
		return tx.Exec(ctx, `INSERT INTO mails (key, order_id, calls) VALUES ($1, $2, 1)
			ON CONFLICT (key) DO UPDATE SET calls = mails.calls + 1`, key, order)
	})
	if err != nil {
		return fmt.Errorf("send mail %s: %w", key, err)
	}
	return nil
}
