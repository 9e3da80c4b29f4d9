package shipping

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/fastjson"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/store"
)

// Carrier delivers orders. Its errors that [event.Reject] made say that it
// refused: it did nothing and never will for this key. After any other error the
// outcome is unknown.
type Carrier interface {
	// Book books a delivery. The same key again has no second effect, and the same
	// answer.
	Book(ctx context.Context, key, order string, to orderv1.Address) (shipmentID, carrier string, err error)
	// CallOff takes back what was booked under a key, and refuses the key from then
	// on.
	CallOff(ctx context.Context, key, order string) error
}

// task is a job with its id, which is also its key at the carrier.
type task interface {
	job.Args
	id() string
}

type bookJob struct {
	Order   string          `json:"order"`
	Address json.RawMessage `json:"address"`
}

type callOffJob struct {
	Order string `json:"order"`
}

// booking is a carrier's answer.
type booking struct{ shipmentID, carrier string }

func (bookJob) JobType() string    { return "shipping.book" }
func (callOffJob) JobType() string { return "shipping.calloff" }

func bookKey(order string) string { return "book-" + order }

func (j bookJob) id() string    { return bookKey(j.Order) }
func (j callOffJob) id() string { return "calloff-" + j.Order }

// A booking that nobody wants is never left: if the carrier refuses to take it
// back, the job waits for a person.
var (
	bookings = job.Config{Workers: 256, Timeout: 10 * time.Second}
	callOffs = job.Config{Workers: 64, Timeout: 10 * time.Second, Attempts: math.MaxInt32}
)

func handleJobs(s *service.Service, carrier Carrier) {
	job.HandleBatch(s, bookings, func(ctx context.Context, c job.Call[bookJob]) (booking, error) {
		var to orderv1.Address
		if err := fastjson.Unmarshal(c.Args.Address, &to); err != nil {
			return booking{}, event.Reject(fmt.Errorf("read address of order %s: %w", c.Args.Order, err))
		}
		id, by, err := carrier.Book(ctx, c.ID, c.Args.Order, to)
		return booking{id, by}, err
	}, booked)
	job.Handle(s, callOffs, func(ctx context.Context, c job.Call[callOffJob]) (struct{}, error) {
		return struct{}{}, carrier.CallOff(ctx, bookKey(c.Args.Order), c.Args.Order)
	}, calledOff)
}

func booked(ctx context.Context, tx *store.Tx, rs []job.Result[bookJob, booking]) error {
	facts := make([]fact, len(rs))
	for i, r := range rs {
		facts[i] = fact{r.Args.Order, r.Cause, func(d Shipment) (Shipment, Effect) {
			switch {
			case r.Err == nil:
				return d.Book(r.Value.shipmentID, r.Value.carrier)
			case event.Rejected(r.Err):
				return d.Refuse(r.Err.Error())
			default:
				return d.Lose("the carrier did not answer: " + r.Err.Error())
			}
		}}
	}
	return change(ctx, tx, facts)
}

func calledOff(ctx context.Context, tx *store.Tx, r job.Result[callOffJob, struct{}]) error {
	if r.Err != nil {
		return event.Reject(fmt.Errorf("call off delivery of order %s: %w", r.Args.Order, r.Err))
	}
	return change(ctx, tx, []fact{{r.Args.Order, r.Cause, Shipment.CallOff}})
}
