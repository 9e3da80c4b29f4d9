package service_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

// logged is what a service logs.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) has(parts ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, part := range parts {
		if !strings.Contains(l.buf.String(), part) {
			return false
		}
	}
	return true
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// TestHandlerThatIgnoresItsContext: it is said which handler hangs, where, and at what
// record; the service is not ready, and stops without it.
func TestHandlerThatIgnoresItsContext(t *testing.T) {
	t.Parallel()
	bus := cluster(t)
	var log logged
	s := service.New("stubborn", bus, service.Config{
		Database: "sqlite:" + filepath.Join(t.TempDir(), "stubborn.db"), HandlerTimeout: 50 * time.Millisecond, Drain: 100 * time.Millisecond, Logger: log.logger(),
	})
	block := make(chan struct{})
	defer close(block)
	event.On(s, func(context.Context, *store.Tx, event.Message[Made]) error {
		stubborn(block)
		return nil
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	<-s.Ready()
	produce(t, bus, madeTopic, made("a", 1))
	eventually(t, s, "it is said", func() bool {
		return log.has("a transaction does not end", "test.made at test.made/0@0", "service_test.stubborn(")
	})
	if st := s.Status(); st.Ready || len(st.Problems) == 0 || !strings.Contains(st.Problems[0], "test.made at test.made/0@0") {
		t.Errorf("status is %+v, want not ready, and the record's place", st)
	}
	stop()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "left behind") {
		t.Errorf("Run() = %v, want an error that says that the handler was left behind", err)
	}
}

//go:noinline
func stubborn(block chan struct{}) { <-block }

// TestSlowHandlersOneByOne: where each handler is on its own and all are slow, others
// need not wait for all of them.
func TestSlowHandlersOneByOne(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		const n = 60
		for i := range n {
			w.Publish(Made{fmt.Sprint("k", i), i})
		}
		w.Start("reader", func(s *service.Service) {
			s.Migrations(migrations(map[string]string{"0001_got.sql": `CREATE TABLE got (n INTEGER PRIMARY KEY)`}))
			event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Made]) error {
				w.Sleep(900 * time.Millisecond)
				if m.Body.N == 0 {
					return event.Reject(errors.New("no"))
				}
				return tx.Exec(ctx, `INSERT INTO got VALUES ($1)`, m.Body.N)
			})
		}, service.Config{HandlerTimeout: time.Second})
		for w.Service("reader").Status().Handled < n-1 {
			begin := time.Now()
			if err := w.Service("reader").Write(w.T().Context(), func(context.Context, *store.Tx) error { return nil }); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(begin); d > 8*time.Second {
				t.Errorf("a request waited %v for handlers that may take 1 s", d)
			}
			if st := w.Service("reader").Status(); !st.Ready {
				t.Errorf("not ready: %v", st.Problems)
			}
		}
		w.ExpectRows("reader", `SELECT COUNT(*), SUM(n) FROM got`, fmt.Sprintf("%d|%d", n-1, n*(n-1)/2))
	})
}
