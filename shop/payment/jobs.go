package payment

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/shop/paymentv1"
	"github.com/tutti-go/tutti/store"
)

// Gateway charges cards. Its errors that [event.Reject] made say that it refused:
// it did nothing and never will for this key. After any other error the outcome
// is unknown.
type Gateway interface {
	// Charge takes amount, in pence, from what token stands for. The same key again
	// has no second effect, and the same answer.
	Charge(ctx context.Context, key, order, token string, amount int64) (paymentID string, err error)
	// Void gives back all that is left of what was charged under a key, and refuses
	// the key from then on.
	Void(ctx context.Context, key, order string) error
	// Refund gives back a part of what was charged under a key, once for each key of
	// its own.
	Refund(ctx context.Context, key, charge string, amount int64) error
}

// Notifier is a gateway that reports charges by itself, perhaps again.
type Notifier interface {
	Notify(fn func(ctx context.Context, key, paymentID string) error)
}

// task is a job with its id, which is also its key at the gateway.
type task interface {
	job.Args
	id() string
}

type chargeJob struct {
	Order  string `json:"order"`
	Token  string `json:"token"`
	Amount int64  `json:"amount"`
}

type refundJob struct {
	Order string `json:"order"`
}

type returnJob struct {
	Return string `json:"return"`
	Order  string `json:"order"`
	Amount int64  `json:"amount"`
}

func (chargeJob) JobType() string { return "payment.charge" }
func (refundJob) JobType() string { return "payment.refund" }
func (returnJob) JobType() string { return "payment.refund-return" }

const chargePrefix = "charge-" // and the order's id: the key of its charge

func (j chargeJob) id() string { return chargePrefix + j.Order }
func (j refundJob) id() string { return "refund-" + j.Order }
func (j returnJob) id() string { return "return-" + j.Return }

// Money that is owed is never given up: if the gateway refuses to give it back,
// the job waits for a person.
var (
	charging  = job.Config{Workers: 256, Timeout: 10 * time.Second}
	refunding = job.Config{Workers: 64, Timeout: 10 * time.Second, Attempts: math.MaxInt32}
)

func handleJobs(s *service.Service, gw Gateway) {
	job.HandleBatch(s, charging, func(ctx context.Context, c job.Call[chargeJob]) (string, error) {
		return gw.Charge(ctx, c.ID, c.Args.Order, c.Args.Token, c.Args.Amount)
	}, charged)
	job.Handle(s, refunding, func(ctx context.Context, c job.Call[refundJob]) (struct{}, error) {
		return struct{}{}, gw.Void(ctx, chargePrefix+c.Args.Order, c.Args.Order)
	}, refunded)
	job.Handle(s, refunding, func(ctx context.Context, c job.Call[returnJob]) (struct{}, error) {
		return struct{}{}, gw.Refund(ctx, c.ID, chargePrefix+c.Args.Order, c.Args.Amount)
	}, returnRefunded)
}

func charged(ctx context.Context, tx *store.Tx, rs []job.Result[chargeJob, string]) error {
	facts := make([]fact, len(rs))
	for i, r := range rs {
		facts[i] = fact{r.Args.Order, r.Cause, func(p Payment) (Payment, Effect) {
			switch {
			case r.Err == nil:
				return p.Charge(r.Value)
			case event.Rejected(r.Err):
				return p.Decline(r.Err.Error())
			default:
				return p.Lose("the gateway did not answer: " + r.Err.Error())
			}
		}}
	}
	return change(ctx, tx, facts)
}

func refunded(ctx context.Context, tx *store.Tx, r job.Result[refundJob, struct{}]) error {
	if r.Err != nil {
		return event.Reject(fmt.Errorf("refund order %s: %w", r.Args.Order, r.Err))
	}
	return change(ctx, tx, []fact{{r.Args.Order, r.Cause, Payment.Refund}})
}

func returnRefunded(ctx context.Context, tx *store.Tx, r job.Result[returnJob, struct{}]) error {
	if r.Err != nil {
		return event.Reject(fmt.Errorf("refund return %s of order %s: %w", r.Args.Return, r.Args.Order, r.Err))
	}
	first, err := settleRefund(ctx, tx, r.Args.Return)
	if err != nil || !first {
		return err
	}
	return event.Publish(ctx, tx, paymentv1.ReturnRefunded{OrderID: r.Args.Order, ReturnID: r.Args.Return, Amount: r.Args.Amount})
}

// reported takes the gateway's own report of a charge, which may come before the
// answer to the call, after it, or instead of it. It reports whether the charge is
// one of ours.
func reported(ctx context.Context, tx *store.Tx, key, paymentID string) (bool, error) {
	order, ok := strings.CutPrefix(key, chargePrefix)
	if !ok {
		return false, nil
	}
	if _, known, err := load(ctx, tx, order); err != nil || !known {
		return false, err
	}
	return true, change(ctx, tx, []fact{{order, tx.Cause(), func(p Payment) (Payment, Effect) { return p.Charge(paymentID) }}})
}
