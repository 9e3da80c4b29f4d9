package storefront

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"time"

	"github.com/tutti-go/tutti/problem"
)

//go:embed web
var web embed.FS

// The page needs nothing from elsewhere, and nobody may put it in a frame.
const policy = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// file is a file of the page, in memory.
type file struct {
	data []byte
	tag  string
	kind string
}

// files are those of the page, by name.
type files map[string]file

func loadFiles() files {
	entries, err := web.ReadDir("web")
	if err != nil {
		panic(err) // it is embedded
	}
	out := files{}
	for _, e := range entries {
		data, err := web.ReadFile("web/" + e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(data)
		out[e.Name()] = file{data, `"` + hex.EncodeToString(sum[:8]) + `"`, contentType(e.Name())}
	}
	return out
}

// contentType does not leave it to the machine's own table of types.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return "application/octet-stream"
}

// serve answers with a file. Browsers ask each time whether it has changed: the
// files of one version belong together.
func (fs files) serve(w http.ResponseWriter, r *http.Request, name string) error {
	f, found := fs[name]
	if !found {
		return problem.NotFound("there is no %s", r.URL.Path)
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", f.tag)
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(f.data))
	return nil
}

func (fs files) index(w http.ResponseWriter, r *http.Request) error {
	return fs.serve(w, r, "index.html")
}

func (fs files) asset(w http.ResponseWriter, r *http.Request) error {
	return fs.serve(w, r, r.PathValue("file"))
}
