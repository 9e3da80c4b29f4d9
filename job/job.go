package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/fastjson"
	"github.com/tutti-go/tutti/store"
)

// Args is what a job or timer is told. JobType is its wire name, a constant.
type Args interface{ JobType() string }

// Call is one attempt at a job.
type Call[A Args] struct {
	// ID is stable over retries and crashes: the idempotency key.
	ID string
	// Attempt counts from 1.
	Attempt int
	Args    A
}

// Result is how a job ended.
type Result[A Args, R any] struct {
	ID    string
	Args  A
	Value R
	// Err is set if the job was rejected, or failed at its last attempt. Value is
	// then zero.
	Err error
	// Cause is what started the job. A handler of several results says so by
	// tx.Handling before it publishes or starts anything because of one.
	Cause event.Cause
}

// Due is a timer whose time has come.
type Due[A Args] struct {
	ID   string
	Args A
	// At is when it was due: the time that was asked for or, once its handler has
	// failed, that of the next attempt.
	At time.Time
}

// Config tunes the jobs of one kind. Its zero value is the documented default.
type Config struct {
	Workers  int           // calls at once; default 64
	Timeout  time.Duration // of one call; default 30 s
	Attempts int           // before the job is given up; default the service's
}

// Binding ties a kind of job to its functions: the untyped core under [Handle] and
// [OnDue].
type Binding struct {
	Kind   string
	Config Config
	// Run does the work outside a transaction; nil for timers.
	Run func(ctx context.Context, id string, attempt int, args []byte) (any, error)
	// Done handles how a job ended, or one or more of them if Batch is set, in a
	// transaction.
	Done  func(ctx context.Context, tx *store.Tx, ends []End) error
	Batch bool
}

// End is how a job ended, or a timer whose time has come.
type End struct {
	ID    string
	Args  []byte
	Due   time.Time
	Cause event.Cause
	Value any
	Err   error
}

// Binder is what jobs are bound to; *service.Service is one.
type Binder interface{ BindJob(Binding) }

// Handle binds the work of a kind of job, and the handler of its results.
// Errors of run are retried with back-off; [event.Reject] ends the job at once,
// and [event.Later] asks for another attempt that does not count. Where done fails, the
// job is run again, as often as the service says, and is then dead.
func Handle[A Args, R any](b Binder, cfg Config,
	run func(ctx context.Context, c Call[A]) (R, error),
	done func(ctx context.Context, tx *store.Tx, r Result[A, R]) error,
) {
	bind(b, cfg, run, false, func(ctx context.Context, tx *store.Tx, rs []Result[A, R]) error { return done(ctx, tx, rs[0]) })
}

// HandleBatch is Handle with a handler that takes the results that are there together,
// where bulk SQL pays. If it fails, it is called again with one at a time. It may be
// called for a job that was taken back, in a transaction that is undone.
func HandleBatch[A Args, R any](b Binder, cfg Config,
	run func(ctx context.Context, c Call[A]) (R, error),
	done func(ctx context.Context, tx *store.Tx, rs []Result[A, R]) error,
) {
	bind(b, cfg, run, true, done)
}

func bind[A Args, R any](b Binder, cfg Config,
	run func(ctx context.Context, c Call[A]) (R, error), batch bool,
	done func(ctx context.Context, tx *store.Tx, rs []Result[A, R]) error,
) {
	if cfg.Workers == 0 {
		cfg.Workers = 64
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	b.BindJob(Binding{
		Kind: kindOf[A](), Config: cfg, Batch: batch,
		Run: func(ctx context.Context, id string, attempt int, raw []byte) (any, error) {
			args, err := decode[A](raw)
			if err != nil {
				return nil, err
			}
			value, err := run(ctx, Call[A]{ID: id, Attempt: attempt, Args: args})
			if err != nil {
				return nil, err
			}
			return Result[A, R]{ID: id, Args: args, Value: value}, nil
		},
		Done: func(ctx context.Context, tx *store.Tx, ends []End) error {
			rs := make([]Result[A, R], len(ends))
			for i, e := range ends {
				r, ok := e.Value.(Result[A, R])
				if !ok {
					args, err := decode[A](e.Args)
					if err != nil {
						return err
					}
					r = Result[A, R]{ID: e.ID, Args: args, Err: e.Err}
				}
				r.Cause = e.Cause
				rs[i] = r
			}
			return done(ctx, tx, rs)
		},
	})
}

// OnDue binds the handler of a kind of timer.
func OnDue[A Args](b Binder, handle func(ctx context.Context, tx *store.Tx, d Due[A]) error) {
	b.BindJob(Binding{
		Kind: kindOf[A](),
		Done: func(ctx context.Context, tx *store.Tx, ends []End) error {
			args, err := decode[A](ends[0].Args)
			if err != nil {
				return err
			}
			return handle(ctx, tx, Due[A]{ID: ends[0].ID, Args: args, At: ends[0].Due})
		},
	})
}

// Start records a job in the transaction: it runs after the commit. The same kind
// and id again have no effect as long as the job is there.
func Start(ctx context.Context, tx *store.Tx, id string, args Args) error {
	return At(ctx, tx, time.Time{}, id, args)
}

// At records a timer, or a job that starts at a time, in the transaction.
func At(ctx context.Context, tx *store.Tx, due time.Time, id string, args Args) error {
	raw, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("start job %s %s: %w", args.JobType(), id, err)
	}
	return tx.AddJob(ctx, store.Job{Kind: args.JobType(), ID: id, Due: due, Args: raw})
}

// Cancel takes back a job or timer, and reports whether it was there. A job whose
// work is under way is not interrupted, but its result is dropped.
func Cancel[A Args](ctx context.Context, tx *store.Tx, id string) (bool, error) {
	return tx.RemoveJob(ctx, kindOf[A](), id)
}

func kindOf[A Args]() string {
	var zero A
	return zero.JobType()
}

var errArgs = errors.New("stored arguments do not fit")

func decode[A Args](raw []byte) (A, error) {
	var args A
	if err := fastjson.Unmarshal(raw, &args); err != nil {
		return args, fmt.Errorf("decode arguments of job %s: %w: %w", args.JobType(), errArgs, err)
	}
	return args, nil
}
