package storefront

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/problem"
)

func TestPageIsServed(t *testing.T) {
	page := loadFiles()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	w := httptest.NewRecorder()
	if err := page.index(w, r); err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]string{
		"Content-Type":            "text/html; charset=utf-8",
		"Content-Security-Policy": policy,
		"Cache-Control":           "no-cache",
		"X-Content-Type-Options":  "nosniff",
	} {
		if got := w.Header().Get(header); got != want {
			t.Errorf("%s is %q, want %q", header, got, want)
		}
	}
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "<title>Tutti shop</title>") {
		t.Errorf("%d %s, want the page", w.Code, w.Body)
	}

	r.Header.Set("If-None-Match", w.Header().Get("ETag"))
	again := httptest.NewRecorder()
	if err := page.index(again, r); err != nil || again.Code != http.StatusNotModified || again.Body.Len() > 0 {
		t.Errorf("asked again: %d %s, %v, want 304", again.Code, again.Body, err)
	}
}

func TestAssetsAreFilesOfThePageOnly(t *testing.T) {
	page := loadFiles()
	for name, found := range map[string]bool{
		"app.js": true, "style.css": true, "icon.svg": true,
		"": false, ".": false, "..": false, "../page.go": false, "web/app.js": false, "app.js\x00": false, "APP.JS": false,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/assets/x", nil)
		r.SetPathValue("file", name)
		err := page.asset(httptest.NewRecorder(), r)
		if found && err != nil || !found && problem.KindOf(err) != problem.Missing {
			t.Errorf("asset %q: %v, want found %v", name, err, found)
		}
	}
}

var (
	reference = regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"|from '\./([^']+)'`)
	inline    = regexp.MustCompile(`(?i)<script>|<style|\sstyle=|\son[a-z]+="|javascript:|innerHTML|insertAdjacentHTML|\beval\(`)
	elsewhere = regexp.MustCompile(`(?i)(?:src|href|url|import)\s*[=(]\s*["']?(?:https?:)?//`)
)

// The browser would refuse what the policy does not allow, and miss what is not
// there.
func TestPageKeepsItsPolicy(t *testing.T) {
	page := loadFiles()
	for name, f := range page {
		if f.kind == "application/octet-stream" {
			t.Errorf("%s has no content type", name)
		}
		text := string(f.data)
		for _, m := range reference.FindAllStringSubmatch(text, -1) {
			if target := strings.TrimPrefix(m[1], "/assets/") + m[2]; page[target].data == nil {
				t.Errorf("%s refers to %s, which is not there", name, target)
			}
		}
		if found := inline.FindString(text); found != "" {
			t.Errorf("%s has %q: the policy allows nothing inline", name, found)
		}
		if found := elsewhere.FindString(text); found != "" {
			t.Errorf("%s has %q: the page needs nothing from elsewhere", name, found)
		}
	}
}
