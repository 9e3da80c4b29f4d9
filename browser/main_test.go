package browser

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// What all tests share, started once: each has a browser context of its own, with its
// own storage, so it is another customer.
var (
	shopURL  string
	chromium context.Context
	absent   string // why there is no Chromium
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		path, err := find()
		if err != nil {
			absent = err.Error()
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "browser-test-")
		if err != nil {
			return say(err)
		}
		defer os.RemoveAll(dir)
		stop, err := startShop(dir)
		if err != nil {
			return say(err)
		}
		defer stop()
		stopBrowser, err := startChromium(path)
		if err != nil {
			return say(err)
		}
		defer stopBrowser()
		return m.Run()
	}())
}

func say(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func find() (string, error) {
	names := []string{"chromium", "chromium-browser", "google-chrome"}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("none of %v is installed", names)
}

// startShop builds the shop and starts it, without any orders.
func startShop(dir string) (stop func(), err error) {
	bin := filepath.Join(dir, "shop")
	build := exec.Command("go", "build", "-o", bin, "./cmd/shop")
	build.Dir = ".." // the shop is of another module
	if said, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the shop: %w\n%s", err, said)
	}
	var log bytes.Buffer
	cmd := exec.Command(bin, "--json", "--http", "127.0.0.1:0", "--data", filepath.Join(dir, "data"), "--traffic", "0")
	cmd.Stderr = &log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the shop: %w", err)
	}
	stop = func() {
		_ = cmd.Process.Kill() // nobody reads what it has stored
		_ = cmd.Wait()
	}
	announced := make(chan error, 1)
	go func() {
		var where struct {
			HTTP string `json:"http"`
		}
		line, err := bufio.NewReader(stdout).ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, &where)
		}
		shopURL = where.HTTP
		announced <- err
	}()
	select {
	case err = <-announced:
	case <-time.After(time.Minute):
		err = errors.New("it does not say where it is")
	}
	if err != nil {
		stop()
		return nil, fmt.Errorf("start the shop: %w\n%s", err, log.Bytes())
	}
	return stop, nil
}

// startChromium starts a browser that asks for nothing but the shop, with a profile of
// its own, which goes with it.
func startChromium(path string) (stop func(), err error) {
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.DisableGPU,
	}
	for _, flag := range []string{
		"disable-background-networking", "disable-component-update", "disable-sync", "disable-quic", "disable-extensions",
		"disable-dev-shm-usage",                                                 // it is small in containers
		"disable-renderer-backgrounding", "disable-background-timer-throttling", // tabs of tests are hidden behind others
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // it does not start as root otherwise
	}
	allocator, release := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closed := chromedp.NewContext(allocator)
	stop = func() { closed(); release() }
	if err := chromedp.Do(ctx); err != nil {
		stop()
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	chromium = ctx
	return stop, nil
}
