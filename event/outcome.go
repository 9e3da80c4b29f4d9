package event

import (
	"errors"
	"time"
)

type rejection struct{ error }

func (r rejection) Unwrap() error { return r.error }

// Reject wraps the error of a handler that can never succeed with this message:
// it becomes a dead letter at once, without retries.
func Reject(err error) error {
	if err == nil {
		return nil
	}
	return rejection{err}
}

// Rejected reports whether err asks for no further attempt: it was made by
// [Reject], or the message is malformed.
func Rejected(err error) bool {
	var r rejection
	return errors.As(err, &r) || errors.Is(err, ErrMalformed)
}

type delay struct {
	error
	after time.Duration
}

func (d delay) Unwrap() error { return d.error }

// Later wraps the error of a handler that wants the message again after d,
// without counting an attempt.
func Later(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return delay{err, max(d, 0)}
}

// Delay returns the delay that [Later] asked for, if it did.
func Delay(err error) (time.Duration, bool) {
	var d delay
	if errors.As(err, &d) {
		return d.after, true
	}
	return 0, false
}
