package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tutti-go/tutti/shop/replay"
)

// terms are what a replay's orders follow from. Another replay on the same data would
// send other orders under the keys of those that are there.
type terms struct {
	File    string  `json:"file"` // its name, for people
	Bytes   int64   `json:"bytes"`
	SHA256  string  `json:"sha256"`
	Stock   int64   `json:"stock"`
	Decline float64 `json:"decline"`
	Style   string  `json:"style"`
}

func (r *replaying) terms(f *replay.File) terms {
	style := r.style
	if r.mixed {
		style = mixture
	}
	return terms{File: filepath.Base(r.file), Bytes: f.Size(), SHA256: f.SHA256(), Stock: r.stock, Decline: r.decline, Style: style}
}

func (t terms) String() string {
	return fmt.Sprintf("--stock %d --decline %v --style %s and the file %s (%d bytes unpacked, SHA-256 %s)",
		t.Stock, t.Decline, t.Style, t.File, t.Bytes, t.SHA256[:min(len(t.SHA256), 12)])
}

const termsFile = "replay.json"

// fit reads the terms that a directory was begun with, and refuses others. A directory
// without any fits.
func (t terms) fit(dir string) error {
	path := filepath.Join(dir, termsFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var begun terms
	if err == nil {
		err = json.Unmarshal(raw, &begun)
	}
	if err != nil {
		return fmt.Errorf("read what the replay in %s was begun with: %w", dir, err)
	}
	named := begun
	if named.File = t.File; named == t { // a file may be renamed
		return nil
	}
	return fmt.Errorf("the replay in %s was begun with %v; this is %v. Nothing is changed. "+
		"Start it as it was begun, and it goes on; or give another directory by --data", dir, begun, t)
}

// claim notes the terms in a directory that has none. Its caller has the directory to
// itself, and has placed nothing yet.
func (t terms) claim(dir string) error {
	if err := t.fit(dir); err != nil { // somebody was faster
		return err
	}
	path := filepath.Join(dir, termsFile)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	raw, err := json.Marshal(t)
	if err == nil {
		err = replace(path, append(raw, '\n'))
	}
	if err != nil {
		return fmt.Errorf("note what the replay in %s is begun with: %w", dir, err)
	}
	return nil
}

// replace puts a file in place as a whole, or not at all, and durably.
func replace(path string, text []byte) error {
	f, err := os.Create(path + ".new")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	_ = dir.Sync() // some systems cannot; then the name is as durable as they make it
	return dir.Close()
}
