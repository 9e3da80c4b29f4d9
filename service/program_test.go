package service

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/store"
)

// greeters is a program of two services that serve a route each.
func greeters(demo func(ctx context.Context, r *Running) error) Program {
	flags := flag.NewFlagSet("greeters", flag.ContinueOnError)
	whom := flags.String("whom", "nobody", "greet this `NAME`")
	member := func(name string) Member {
		return Member{name, func(s *Service) {
			s.Handle("GET /"+name+"/{word}", func(w http.ResponseWriter, r *http.Request) error {
				_, err := fmt.Fprintf(w, "%s %s %s", name, r.PathValue("word"), *whom)
				return err
			})
		}}
	}
	return Program{Name: "greeters", Services: []Member{member("left"), member("right")}, Flags: flags, Demo: demo}
}

func noEnv(string) string { return "" }

// answerOf is what a GET is answered with.
func answerOf(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// A program of several services serves them all at one address, and ends with its
// demonstration without leaving anything behind.
func TestProgramShowsAndEnds(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var out strings.Builder
	p := greeters(func(_ context.Context, r *Running) error {
		for path, want := range map[string]string{
			"/left/hello":  "left hello Ada",
			"/right/hello": "right hello Ada",
			"/readyz":      `{"ok":true,"services":[{"service":"left","ready":true`,
			"/healthz":     `"service":"right"`,
		} {
			if status, got := answerOf(t, r.URL+path); status != http.StatusOK || !strings.Contains(got, want) {
				t.Errorf("GET %s = %d %q, want %q in it", path, status, got, want)
			}
		}
		if status, got := answerOf(t, r.URL+"/up"); status != http.StatusNotFound || !strings.Contains(got, "nothing is served here") {
			t.Errorf("GET /up = %d %q, want 404", status, got)
		}
		if got := r.Service("right").Name(); got != "right" {
			t.Errorf("Service(right) is %s", got)
		}
		_, err := io.WriteString(r.Out, "shown")
		return err
	})
	if err := p.Run(t.Context(), []string{"--whom", "Ada"}, noEnv, &out, io.Discard); err != nil || out.String() != "shown" {
		t.Errorf("Run() = %v, and printed %q, want %q", err, out.String(), "shown")
	}
	left, err := os.ReadDir(os.TempDir())
	if err != nil || len(left) > 0 {
		t.Errorf("the program leaves %v behind (%v)", left, err)
	}
}

func TestProgramFailsWithItsDemo(t *testing.T) {
	p := greeters(func(context.Context, *Running) error { return io.ErrUnexpectedEOF })
	if err := p.Run(t.Context(), nil, noEnv, io.Discard, io.Discard); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Run() = %v, want the demonstration's error", err)
	}
	p = greeters(func(ctx context.Context, _ *Running) error {
		<-ctx.Done()
		return ctx.Err()
	})
	p.Services[1].Register = func(s *Service) { s.Go(func(context.Context) error { return io.ErrNoProgress }) }
	if err := p.Run(t.Context(), nil, noEnv, io.Discard, io.Discard); !errors.Is(err, io.ErrNoProgress) || errors.Is(err, context.Canceled) {
		t.Errorf("Run() = %v, want the service's error alone", err)
	}
}

// Split later: a process runs some of the services, and no demonstration.
func TestProgramRunsSomeServices(t *testing.T) {
	p := greeters(func(context.Context, *Running) error { return errors.New("the demonstration runs") })
	ctx, stop := context.WithCancel(t.Context())
	var log stderr
	ended := make(chan error, 1)
	args := []string{"--services", "right", "--data", t.TempDir(), "--log-level", "info"}
	go func() { ended <- p.Run(ctx, args, noEnv, io.Discard, &log) }()
	url := log.url(t)
	if status, got := answerOf(t, url+"/right/bye"); got != "right bye nobody" {
		t.Errorf("GET /right/bye = %d %q", status, got)
	}
	if status, _ := answerOf(t, url+"/left/bye"); status != http.StatusNotFound {
		t.Errorf("GET /left/bye = %d, want 404: left does not run here", status)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run() = %v, want nil", err)
	}
	for _, tc := range []struct{ args, want string }{
		{"--services up --data x", `--services has "up", want some of left, right`},
		{"--services left", "--data is empty"},
		{"--what 1", "--what"},
	} {
		if err := p.Run(t.Context(), strings.Fields(tc.args), noEnv, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("Run(%s) = %v, want an error with %q", tc.args, err, tc.want)
		}
	}
}

// order is a contract, of which two services of a program have different ideas.
type order[T any] struct {
	Total T `json:"total"`
}

func (order[T]) Contract() event.Contract {
	return event.Contract{Type: "test.order", Version: 1, Topic: event.Topic{Name: "test.order"}}
}

func (order[T]) Key() string { return "1" }

// Services of one process that define a message differently do not start: each is right
// by itself, and none would understand the other.
func TestProgramChecksContracts(t *testing.T) {
	p := greeters(func(context.Context, *Running) error { return nil })
	p.Services[0].Register = func(s *Service) { event.Publishes[order[int]](s) }
	p.Services[1].Register = func(s *Service) {
		event.On(s, func(context.Context, *store.Tx, event.Message[order[string]]) error { return nil })
	}
	err := p.Run(t.Context(), nil, noEnv, io.Discard, io.Discard)
	if want := "left and right differ: field total is number and string"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Run() = %v, want %q", err, want)
	}
}
