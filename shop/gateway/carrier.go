package gateway

import (
	"context"
	"errors"
	"fmt"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/store"
)

// Carrier simulates a carrier. Its ledger has the table
//
//	bookings(key, order_id, calls, called_off)  calls 0: called off before it was booked
type Carrier struct{ ledger *ledger }

// carrierName is who delivers everything.
const carrierName = "Penny Post"

// OpenCarrier opens the carrier whose ledger is the database at path.
func OpenCarrier(ctx context.Context, path string, cfg Config) (*Carrier, error) {
	l, err := openLedger(ctx, path, "carrier", cfg)
	if err != nil {
		return nil, err
	}
	return &Carrier{l}, nil
}

// Close waits for calls that are being written.
func (c *Carrier) Close() error { return c.ledger.close() }

// Ledger reads what the carrier has done.
func (c *Carrier) Ledger() store.Querier { return c.ledger.db.Reader() }

// Book books a delivery, and returns its id and who delivers.
func (c *Carrier) Book(ctx context.Context, key, order string, to orderv1.Address) (shipment, carrier string, err error) {
	if to.City == "Nowhere" {
		return "", "", event.Reject(fmt.Errorf("no carrier delivers to %s", to.City))
	}
	var calls, off int64
	err = c.ledger.update(ctx, func(ctx context.Context, tx *store.Tx) error {
		return tx.QueryRow(ctx, `INSERT INTO bookings (key, order_id, calls, called_off) VALUES ($1, $2, 1, 0)
			ON CONFLICT (key) DO UPDATE SET calls = bookings.calls + 1 - bookings.called_off RETURNING calls, called_off`, key, order).
			Scan(&calls, &off)
	})
	if err == nil && off != 0 {
		err = event.Reject(errors.New("it was called off"))
	}
	if err != nil {
		return "", "", fmt.Errorf("book %s: %w", key, err)
	}
	switch {
	case to.City == "Timeout" && calls == 1:
		return "", "", silence(ctx)
	case to.City == "Slowtown":
		if err := pause(ctx, lateAnswer); err != nil {
			return "", "", err
		}
	}
	return reference("shp_", key), carrierName, nil
}

// CallOff takes a booking back, and refuses its key from then on, whether or not
// it was booked before.
func (c *Carrier) CallOff(ctx context.Context, key, order string) error {
	err := c.ledger.update(ctx, func(ctx context.Context, tx *store.Tx) error {
		return tx.Exec(ctx, `INSERT INTO bookings (key, order_id, calls, called_off) VALUES ($1, $2, 0, 1)
			ON CONFLICT (key) DO UPDATE SET called_off = 1`, key, order)
	})
	if err != nil {
		return fmt.Errorf("call off %s: %w", key, err)
	}
	return nil
}
