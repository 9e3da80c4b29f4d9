package service

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// overtimeError is of a handler that has used up its time. Everything else waits for it
// meanwhile, so it is tried again the less often the longer it takes.
type overtimeError struct {
	err  error
	took time.Duration
}

func (e overtimeError) Error() string {
	return fmt.Sprintf("its time was over after %v: %v", e.took.Round(time.Millisecond), e.err)
}
func (e overtimeError) Unwrap() error { return e.err }

// overtime says of a handler's error that it was the handler that took the time, where
// that is over: others before it may have left it little.
func (b *batch) overtime(ctx context.Context, begun time.Time, err error) error {
	if took := time.Since(begun); ctx.Err() != nil && took > b.l.s.cfg.HandlerTimeout/2 {
		return overtimeError{err, took}
	}
	return err
}

// blame remembers whose handler has used up the time of all.
func (b *batch) blame(whose any, err error) {
	if errors.As(err, new(overtimeError)) {
		b.blamed[whose] = err
	}
}

// safely turns a panic into an error with its stack.
func safely(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return fn()
}
