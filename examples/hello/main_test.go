package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/tuttitest"
)

// Each greeting that is answered is counted once, although the service dies between
// the commit and the sending.
func TestGreetingsAreCountedOnce(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("hello", register)
		for range 3 {
			if err := greet(w, "Ada"); err != nil {
				w.T().Error(err)
			}
		}
		w.ExpectRows("hello", `SELECT name, times FROM greetings`, "Ada|3")
		w.CrashAt("hello", service.BetweenSends)
		_ = greet(w, "Ada") // the answer may be lost; the greeting is not
		if err := w.AwaitEnd("hello"); err == nil {
			w.T().Error("hello has not crashed")
		}
		w.Sleep(30 * time.Minute)
		w.Restart("hello")
		w.ExpectRows("hello", `SELECT name, times FROM greetings`, "Ada|4")

		resp, err := w.HTTP("hello").Get("http://hello/greetings/Ada")
		if err != nil {
			w.T().Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if got := strings.TrimSpace(string(body)); err != nil || got != `{"times":4}` {
			w.T().Errorf("GET /greetings/Ada = %s (%v), want 4 times", got, err)
		}
	})
}

func greet(w *tuttitest.World, name string) error {
	resp, err := w.HTTP("hello").Post("http://hello/greetings/"+name, "", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("POST /greetings/%s: %s", name, resp.Status)
	}
	return nil
}
