package service

import (
	"context"

	"github.com/tutti-go/tutti/store"
)

type loop struct{ s *Service }

func newLoop(s *Service) *loop { return &loop{s} }

func (l *loop) write(ctx context.Context, fn func(context.Context, *store.Tx) error) error { return nil }

func (l *loop) Query(ctx context.Context, query string, args ...any) (store.Rows, error) {
	return nil, nil
}

func (l *loop) QueryRow(ctx context.Context, query string, args ...any) store.Row { return store.Row{} }

type health struct{}

func (s *Service) routes() {}

func safely(fn func() error) error { return fn() }

// Run runs the service until ctx ends, then drains.
func (s *Service) Run(ctx context.Context) error { return nil }
