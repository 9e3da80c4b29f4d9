package saga

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/store"
)

// handOver gives events that one instance of the service has kept, while another one
// started what they are for, to that: neither has seen what the other was about to store.
func (e *Engine) handOver(ctx context.Context) error {
	const pause, back = 10 * time.Second, 10 * time.Minute
	select {
	case <-e.s.Ready():
	case <-ctx.Done():
		return nil
	}
	for since := int64(0); e.shared; {
		now := time.Now()
		err := e.handOverOnce(ctx, since)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			since = now.Add(-back).UnixMilli()
		} else {
			e.s.Logger().Warn("hand early events over to their sagas", "error", err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// handOverOnce looks at what was kept since a time.
func (e *Engine) handOverOnce(ctx context.Context, since int64) error {
	keys, err := store.Collect(ctx, e.s.Read(), func(r store.Rows) (k key, err error) { return k, r.Scan(&k.saga, &k.id) },
		`SELECT DISTINCT saga, id FROM saga_early WHERE at >= $1
			AND EXISTS (SELECT 1 FROM saga_live l WHERE l.saga = saga_early.saga AND l.id = saga_early.id)`, since)
	for _, k := range keys {
		if e.current[k.saga] == nil {
			continue
		}
		if failed := e.s.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return e.overtaken(ctx, tx, k) }); failed != nil {
			err = errors.Join(err, fmt.Errorf("saga %s %s: %w", k.saga, k.id, failed))
		}
	}
	return err
}

// overtaken takes an instance on by what was kept for it.
func (e *Engine) overtaken(ctx context.Context, tx *store.Tx, k key) error {
	w := e.work(ctx, tx)
	in, err := w.get(k)
	if err != nil || in == nil {
		return err
	}
	early, err := w.takeEarly(k)
	if err != nil {
		return err
	}
	for _, s := range early {
		to := e.routes[contractOf(s.Envelope)]
		if to == nil { // nobody waits for it any more
			continue
		}
		body, err := to.decode(plain(s.Envelope), s.Body)
		if err != nil {
			return err
		}
		tx.Handling(s.Envelope.Cause())
		if err := w.run(in).message(to, event.Received{Envelope: s.Envelope, Body: body}); err != nil {
			return err
		}
	}
	return w.finish()
}
