package browser

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// tour goes through the page as a customer whose order is declined would, and calls
// look at each view.
func (p *page) tour(look func(view string)) {
	p.t.Helper()
	p.wait("products", `document.querySelector('.card')`)
	look("products")
	p.put(teapot)
	p.put(mugs)
	look("chosen")
	for _, view := range []struct{ name, address, heading string }{
		{"nothing", "#/?q=harpsichord", "Results for"},
		{"basket", "#/basket", "Basket"},
		{"checkout", "#/checkout", "Checkout"},
	} {
		eval[any](p, `location.hash = '`+view.address+`'`)
		p.sees("h1", view.heading)
		p.wait("it is there", `!document.querySelector('main').innerText.includes('Fetching')`)
		look(view.name)
	}
	p.press("Is declined")
	p.press("Order for £43.45")
	p.sees(".state", "Cancelled")
	p.history("Stock released")
	look("order")
	p.press("Orders")
	p.sees(".lines", "Cancelled")
	look("orders")
	p.press("Basket")
	p.sees("main", "Nothing in it yet.")
	look("empty")
	eval[any](p, `location.hash = '#/elsewhere'`)
	p.sees("h1", "There is nothing here")
	look("elsewhere")
}

func TestPhone(t *testing.T) {
	p := open(t, "")
	p.size(360, 740)
	p.tour(func(view string) {
		if width := eval[int](p, `document.documentElement.scrollWidth`); width > 360 {
			t.Errorf("%s is %d px wide on a screen of 360 px", view, width)
		}
		// WCAG 2.2, 2.5.8: a finger finds what is at least 24 px large. Links within text may be smaller.
		for _, small := range eval[[]string](p, `[...document.querySelectorAll('button, input, .button, nav a')].filter((e) => {
			const r = (e.closest('label') ?? e).getBoundingClientRect();
			return e.checkVisibility() && (r.width < 24 || r.height < 24);
		}).map((e) => e.outerHTML.slice(0, 120))`) {
			t.Errorf("%s: too small for fingers: %s", view, small)
		}
		p.shot(view)
	})
}

func TestLight(t *testing.T) { legible(t, "light") }
func TestDark(t *testing.T)  { legible(t, "dark") }

// contrast is JavaScript for the texts with too little of it: WCAG 2.2, 1.4.3. The canvas
// knows all notations of colours.
const contrast = `(() => {
	const ctx = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
	const over = (colors) => {
		ctx.clearRect(0, 0, 1, 1);
		for (const c of colors) { ctx.fillStyle = c; ctx.fillRect(0, 0, 1, 1); }
		const [r, g, b] = [...ctx.getImageData(0, 0, 1, 1).data].map((v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
		return .2126 * r + .7152 * g + .0722 * b;
	};
	const faint = [];
	const check = (e, pseudo, text) => {
		const style = getComputedStyle(e, pseudo);
		const under = [];
		for (let a = e; a; a = a.parentElement) under.unshift(getComputedStyle(a).backgroundColor);
		const [a, b] = [over(under), over([...under, style.color])];
		const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		const size = parseFloat(style.fontSize);
		const large = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
		if (ratio < (large ? 3 : 4.5)) faint.push(text.trim() + ': ' + ratio.toFixed(2));
	};
	for (const e of document.querySelectorAll('body *')) {
		if (!e.checkVisibility({ opacityProperty: true })) continue;
		const text = [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data).join('');
		if (text.trim()) check(e, null, text);
		if (e.placeholder && !e.value) check(e, '::placeholder', e.placeholder);
	}
	return faint;
})()`

// legible checks what eyes need, and what screen readers read.
func legible(t *testing.T, scheme string) {
	p := open(t, "")
	p.scheme(scheme)
	p.tour(func(view string) {
		for _, text := range eval[[]string](p, contrast) {
			t.Errorf("%s, %s: too little contrast: %s", scheme, view, text)
		}
		p.named(view)
		p.shot(view)
	})
}

// named checks that whatever takes input has a name, and that the page has one heading.
func (p *page) named(view string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	tree, err := chromedp.Run(ctx, func(ctx context.Context, tab *chromedp.Target) (accessibility.GetFullAXTreeResult, error) {
		return cdp.Call(ctx, tab, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	})
	p.must("read the accessibility tree", err)
	text := func(v *accessibility.Value) string {
		if v == nil {
			return ""
		}
		return strings.Trim(string(v.Value), `"`)
	}
	found := 0
	for _, n := range tree.Nodes {
		switch role := text(n.Role); role {
		case "button", "link", "textbox", "searchbox", "spinbutton", "radio", "radiogroup", "group", "navigation", "main", "RootWebArea":
			found++
			if !n.Ignored && text(n.Name) == "" && role != "main" {
				p.t.Errorf("%s: a %s has no name", view, role)
			}
		}
	}
	if found < 5 {
		p.t.Errorf("%s: only %d controls are in the accessibility tree", view, found)
	}
	if n := eval[int](p, `document.querySelectorAll('h1').length`); n != 1 {
		p.t.Errorf("%s has %d main headings, want 1", view, n)
	}
}

// bare is JavaScript for whether what has the focus is seen, from its top to its end.
const bare = `(() => {
	const e = document.activeElement.closest('label') ?? document.activeElement;
	const r = e.getBoundingClientRect();
	return [1, r.height / 2, r.height - 1].every((y) => e.contains(document.elementFromPoint(r.left + r.width / 2, r.top + y)));
})()`

// TestKeyboardBack goes back by Shift+Tab, where the header, which stays, could cover the focus.
func TestKeyboardBack(t *testing.T) {
	p := open(t, "")
	p.size(360, 740)
	p.press("Show more")
	p.wait("the first of them has the focus", `document.activeElement.matches('.card:nth-child(25) button')`)
	for i := 24; i > 0; i-- {
		p.do("go back", chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift)))
		p.wait("the one before has the focus, and is seen", fmt.Sprintf(`document.activeElement.matches('.card:nth-child(%d) button') && %s`, i, bare))
	}
}

// TestKeyboard orders without a mouse, and sees where the focus is all the time.
func TestKeyboard(t *testing.T) {
	p := open(t, "")
	p.wait("products", `document.querySelector('.card')`)
	tab := func(name string) {
		t.Helper()
		p.tab(name)
		p.wait("the focus is seen on "+name, `getComputedStyle(document.activeElement).outlineStyle !== 'none' || document.activeElement.matches('.choice :focus-visible')`)
		p.wait(name+" is not under something else", bare)
	}
	tab("Skip to the content")
	p.key(kb.Enter)
	tab("Add " + teapot + " to the basket")
	p.key(kb.Enter)
	p.wait("the focus is where one more is", `document.activeElement.getAttribute('aria-label') === 'One more of `+teapot+`'`)
	p.key(kb.Enter)
	p.sees("#basket-link", "2")
	tab("Add " + mugs + " to the basket")
	p.key(" ")
	p.sees("#basket-link", "3")
	p.shot("focus")

	p.do("reload", chromedp.Reload()) // the focus begins anew
	p.sees("#basket-link", "3")
	tab("Basket, 3 items")
	p.key(kb.Enter)
	p.sees(".sum", "£67.95")
	tab("Remove " + mugs)
	p.key(kb.Enter)
	p.sees(".sum", "£49.00")
	p.wait("the focus is not lost", `document.activeElement.matches('h1')`)
	tab("Checkout")
	p.key(kb.Enter)
	p.sees("h1", "Checkout")
	tab("City")
	p.key("Bath")
	tab("Goes through")
	p.key(kb.ArrowRight)
	p.wait("the next choice", `document.querySelector('[value=tok_decline]').checked`)
	p.key(kb.ArrowLeft)
	tab("Goes to your city")
	tab("Order for £49.00")
	p.key(kb.Enter)
	p.sees(".state", "Confirmed")
	tab("Back to the shop")
	p.key(kb.Enter)
	p.wait("products", `document.querySelector('.card')`)
}

// TestNoAnswer has the network go away, and come back.
func TestNoAnswer(t *testing.T) {
	p := open(t, "")
	p.wait("products", `document.querySelector('.card')`)
	p.put(teapot)
	p.offline(true)
	p.press("Add " + mugs + " to the basket")
	p.sees("#said", "The shop does not answer.")
	p.press("Orders")
	p.sees(".fault", "The shop does not answer. Is it running?")
	p.shot("orders")
	p.offline(false)
	p.press("Try again")
	p.sees("main", "No orders yet.")
	p.expectErrors()
}

func (p *page) offline(yes bool) {
	p.t.Helper()
	p.do("change the network", chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
			MatchedNetworkConditions: []*network.Conditions{{Offline: yes, DownloadThroughput: -1, UploadThroughput: -1}},
		})
		return err
	}))
}
