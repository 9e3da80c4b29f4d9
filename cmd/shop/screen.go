package main

import (
	"io"
	"os"
	"sync"

	"github.com/mattn/go-isatty"
)

// output is where a command writes: results to stdout, all else to the screen.
type output struct {
	stdout io.Writer
	screen *screen
}

// screen is stderr. On a terminal it keeps one live line below what is written.
type screen struct {
	terminal bool

	mu   sync.Mutex
	w    io.Writer
	line string
}

func newScreen(w io.Writer) *screen {
	f, ok := w.(*os.File)
	return &screen{w: w, terminal: ok && isatty.IsTerminal(f.Fd())}
}

const clear = "\r\x1b[K" // the line that the cursor is in

// Write implements io.Writer; p ends with a newline.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line == "" {
		return s.w.Write(p)
	}
	text := append([]byte(clear), p...)
	if _, err := s.w.Write(append(text, s.line...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// live replaces the live line; an empty one takes it away. Elsewhere than on a
// terminal it does nothing.
func (s *screen) live(line string) {
	if !s.terminal {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line = line
	_, _ = io.WriteString(s.w, clear+line) // what cannot be shown is not missed
}
