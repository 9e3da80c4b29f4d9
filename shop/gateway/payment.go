package gateway

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/store"
)

// Payment simulates a payment gateway. Its ledger has the tables
//
//	charges(key, order_id, amount, calls, refunded, void)  amount 0: nothing was taken
//	refunds(key, charge, amount, calls)                    parts given back
type Payment struct {
	ledger *ledger

	mu     sync.Mutex
	notify func(ctx context.Context, key, chargeID string) error
	closed bool

	stop    chan struct{}  // closed by Close, to end second reports
	reports sync.WaitGroup // that are under way
}

// OpenPayment opens the payment gateway whose ledger is the database at path.
func OpenPayment(ctx context.Context, path string, cfg Config) (*Payment, error) {
	l, err := openLedger(ctx, path, "payment", cfg)
	if err != nil {
		return nil, err
	}
	return &Payment{ledger: l, stop: make(chan struct{})}, nil
}

// Close waits for calls that are being written, and ends second reports.
func (p *Payment) Close() error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.stop)
	}
	p.mu.Unlock()
	p.reports.Wait()
	return p.ledger.close()
}

// Ledger reads what the gateway has done.
func (p *Payment) Ledger() store.Querier { return p.ledger.db.Reader() }

// Notify sets who is told of a charge a second time; the last call counts. A
// report that fails is repeated a few times.
func (p *Payment) Notify(fn func(ctx context.Context, key, chargeID string) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.notify = fn
}

// Charge takes amount, in pence, from what the token stands for, and returns the
// charge's id.
func (p *Payment) Charge(ctx context.Context, key, order, token string, amount int64) (string, error) {
	if token == "" || amount <= 0 {
		return "", event.Reject(fmt.Errorf("charge %s: want a token and an amount above 0, have %q and %d", key, token, amount))
	}
	if strings.HasPrefix(token, "tok_decline") {
		return "", event.Reject(errors.New("card declined"))
	}
	c := charge{key: key, order: order, amount: amount, failures: failures(token)}
	if err := p.ledger.update(ctx, c.write); err != nil {
		return "", fmt.Errorf("charge %s: %w", key, err)
	}
	if c.refused != nil {
		return "", fmt.Errorf("charge %s: %w", key, c.refused)
	}
	id := reference("pay_", key)
	switch {
	case strings.HasPrefix(token, "tok_timeout") && c.calls == 1:
		return "", silence(ctx)
	case strings.HasPrefix(token, "tok_late"):
		if err := pause(ctx, lateAnswer); err != nil {
			return "", err
		}
	case strings.HasPrefix(token, "tok_twice"):
		p.reportAgain(ctx, key, id)
	}
	return id, nil
}

// failures is the N of a token tok_down_N.
func failures(token string) int64 {
	rest, ok := strings.CutPrefix(token, "tok_down_")
	if !ok {
		return 0
	}
	digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
	n, err := strconv.ParseInt(rest[:digits], 10, 32)
	if err != nil {
		return 0
	}
	return n
}

// charge is one call of Charge: what is asked, and what the ledger says to it.
type charge struct {
	key, order string
	amount     int64
	failures   int64 // calls that are to fail first

	calls   int64 // this one included
	refused error
}

// write counts the call, and takes the amount if it is the first that may.
func (c *charge) write(ctx context.Context, tx *store.Tx) error {
	c.refused = nil // the transaction may run more than once
	first := c.amount
	if c.failures > 0 {
		first = 0
	}
	var taken, void int64
	err := tx.QueryRow(ctx, `INSERT INTO charges (key, order_id, amount, calls, refunded, void) VALUES ($1, $2, $3, 1, 0, 0)
		ON CONFLICT (key) DO UPDATE SET calls = charges.calls + 1 RETURNING calls, amount, void`, c.key, c.order, first).
		Scan(&c.calls, &taken, &void)
	switch {
	case err != nil:
		return err
	case void != 0:
		c.refused = event.Reject(errors.New("it was voided"))
	case taken == 0 && c.calls <= c.failures:
		c.refused = errors.New("gateway is down for the moment")
	case taken == 0:
		return tx.Exec(ctx, `UPDATE charges SET amount = $1 WHERE key = $2`, c.amount, c.key)
	case taken != c.amount:
		c.refused = event.Reject(fmt.Errorf("the key was used for %d before, not %d", taken, c.amount))
	}
	return nil
}

// Void gives back all that is left of a charge, and refuses its key from then on,
// whether or not it was charged before.
func (p *Payment) Void(ctx context.Context, key, order string) error {
	err := p.ledger.update(ctx, func(ctx context.Context, tx *store.Tx) error {
		return tx.Exec(ctx, `INSERT INTO charges (key, order_id, amount, calls, refunded, void) VALUES ($1, $2, 0, 0, 0, 1)
			ON CONFLICT (key) DO UPDATE SET refunded = charges.amount, void = 1`, key, order)
	})
	if err != nil {
		return fmt.Errorf("void charge %s: %w", key, err)
	}
	return nil
}

// Refund gives back amount, in pence, of a charge. More than is left of it is
// refused.
func (p *Payment) Refund(ctx context.Context, key, charge string, amount int64) error {
	if amount <= 0 {
		return event.Reject(fmt.Errorf("refund %s: amount is %d, want more than 0", key, amount))
	}
	var refused error
	err := p.ledger.update(ctx, func(ctx context.Context, tx *store.Tx) error {
		refused = nil // the transaction may run more than once
		again, err := tx.Affected(ctx, `UPDATE refunds SET calls = calls + 1 WHERE key = $1`, key)
		if err != nil || again == 1 {
			return err
		}
		left, err := tx.Affected(ctx, `UPDATE charges SET refunded = refunded + $1 WHERE key = $2 AND amount - refunded >= $1`, amount, charge)
		if err != nil {
			return err
		}
		if left == 0 {
			refused = event.Reject(fmt.Errorf("less than %d is left of charge %s", amount, charge))
			return nil
		}
		return tx.Exec(ctx, `INSERT INTO refunds (key, charge, amount, calls) VALUES ($1, $2, $3, 1)`, key, charge, amount)
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return fmt.Errorf("refund %s: %w", key, err)
	}
	return nil
}

const (
	reportAfter   = 50 * time.Millisecond // from the answer to the second report
	reportPause   = time.Second           // between tries of a report
	reportTries   = 5
	reportTimeout = 5 * time.Second // of one try
)

// reportAgain tells of a charge a second time, a little after its answer.
func (p *Payment) reportAgain(ctx context.Context, key, id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	ctx = context.WithoutCancel(ctx) // the call is over before
	p.reports.Go(func() {
		wait := reportAfter
		for range reportTries {
			select {
			case <-p.stop:
				return
			case <-time.After(wait):
			}
			if p.report(ctx, key, id) == nil {
				return
			}
			wait = reportPause
		}
	})
}

func (p *Payment) report(ctx context.Context, key, id string) error {
	p.mu.Lock()
	notify := p.notify
	p.mu.Unlock()
	if notify == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	return notify(ctx, key, id)
}
