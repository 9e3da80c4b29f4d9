package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const patience = 20 * time.Second // for what takes milliseconds, or the five seconds of a slow gateway

// page is a tab of a customer who was never here before. Its methods do what people
// do, and end the test where they could not.
type page struct {
	t   *testing.T
	ctx context.Context

	mu     sync.Mutex
	errors []string // what the console says
}

// open opens the shop at an address that begins with "#".
func open(t *testing.T, address string) *page {
	t.Helper()
	if absent != "" {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the page needs a browser to be tested: %s", absent)
		}
		t.Skipf("the page needs a browser to be tested: %s", absent)
	}
	ctx, leave := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext())
	t.Cleanup(leave)
	p := &page{t: t, ctx: ctx}
	p.must("open a tab", chromedp.Do(ctx))
	p.must("listen", chromedp.Listen(ctx, p.hear))
	p.do("have the focus", chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
		return err
	}))
	p.size(1280, 900)
	p.do("go to the shop", chromedp.Navigate(shopURL+"/"+address))
	p.wait("the page is there", `document.querySelector('main h1')`)
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, e := range p.errors {
			t.Errorf("console: %s", e)
		}
	})
	return p
}

// hear notes what a developer would see in red.
func (p *page) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		p.errors = append(p.errors, text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			args, _ := json.Marshal(e.Args)
			p.errors = append(p.errors, fmt.Sprintf("%s %s", e.Type, args))
		}
	case *log.EventEntryAdded:
		// The page asks for an order before the order service may know of it.
		early := strings.Contains(e.Entry.URL, "/orders/web-") && strings.Contains(e.Entry.Text, "404")
		if (e.Entry.Level == "error" || e.Entry.Level == "warning") && !early {
			p.errors = append(p.errors, e.Entry.Text+" "+e.Entry.URL)
		}
	}
}

// expectErrors is for tests that provoke them.
func (p *page) expectErrors() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.errors) == 0 {
		p.t.Error("the console says nothing, want what was provoked")
	}
	p.errors = nil
}

func (p *page) must(what string, err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

func (p *page) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	p.must(what, chromedp.Do(ctx, actions...))
}

// eval returns the value of a JavaScript expression.
func eval[T any](p *page, js string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js))
	p.must(js, err)
	return v
}

// wait waits until a JavaScript expression is true.
func (p *page) wait(what, js string) {
	p.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if eval[bool](p, `!!(`+js+`)`) {
			return
		}
		if time.Now().After(end) {
			p.shot("failed")
			p.t.Fatalf("waited in vain: %s (%s); the page says:\n%s", what, js, p.text("body"))
		}
	}
}

// sees waits until an element shows a text. Blanks and breaks are as good as each other.
func (p *page) sees(selector, text string) {
	p.t.Helper()
	p.wait(selector+" says "+text, fmt.Sprintf(
		`[...document.querySelectorAll(%q)].some((e) => e.innerText.replace(/\s+/g, ' ').includes(%q))`, selector, text))
}

func (p *page) text(selector string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ''`, selector))
}

// control is JavaScript for the button, link or field that customers know by a name.
func control(name string) string {
	return fmt.Sprintf(`[...document.querySelectorAll('button, a, input')].find((e) => e.checkVisibility() &&
		[e.getAttribute('aria-label') ?? e.textContent, ...[...e.labels ?? []].map((l) => l.innerText.split('\n')[0])].includes(%q))`, name)
}

// press clicks where a control is seen, if nothing covers it.
func (p *page) press(name string) {
	p.t.Helper()
	p.wait(name+" can be clicked", fmt.Sprintf(`(() => {
		const e = %s;
		e?.scrollIntoView({ block: 'center', behavior: 'instant' });
		const r = e?.getBoundingClientRect();
		globalThis.spot = r && [r.left + r.width / 2, r.top + r.height / 2];
		return e?.contains(document.elementFromPoint(...(spot ?? [0, 0])));
	})()`, control(name)))
	spot := eval[[]float64](p, `spot`)
	p.do("click "+name, chromedp.MouseClickXY(spot[0], spot[1]))
}

// fill types into a field, instead of what is there.
func (p *page) fill(name, text string) {
	p.t.Helper()
	p.press(name)
	eval[any](p, `document.activeElement.select()`)
	p.key(kb.Backspace + text)
}

// key presses keys.
func (p *page) key(keys string) {
	p.t.Helper()
	p.do("press keys", chromedp.KeyEvent(keys))
}

// tab presses Tab until a control has the focus.
func (p *page) tab(name string) {
	p.t.Helper()
	for range 120 {
		p.key(kb.Tab)
		if eval[bool](p, `document.activeElement === `+control(name)) {
			return
		}
	}
	p.t.Fatalf("Tab does not get to %q; the focus is on %s", name, p.focus())
}

func (p *page) focus() string {
	p.t.Helper()
	return eval[string](p, `document.activeElement.outerHTML.slice(0, 120)`)
}

// size makes the window that large. Below 600 px it is a phone.
func (p *page) size(width, height int64) {
	p.t.Helper()
	if width < 600 {
		p.do("be a phone", chromedp.EmulateViewport(width, height, chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulateScale(2)))
		return
	}
	p.do("set the size", chromedp.EmulateViewport(width, height))
}

// scheme asks for light or dark.
func (p *page) scheme(name string) {
	p.t.Helper()
	p.do("be "+name, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"}},
		})
		return err
	}))
}

// shot leaves a picture, if somebody wants to see it.
func (p *page) shot(name string) {
	p.t.Helper()
	dir := os.Getenv("TUTTI_SHOTS")
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	p.must("take a picture", err)
	p.must("keep a picture", os.WriteFile(filepath.Join(dir, p.t.Name()+"-"+name+".png"), picture, 0o600))
}
