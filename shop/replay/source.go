package replay

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
)

// source is a file that can be read twice: a regular file, or a temporary copy of
// what is not one.
type source struct {
	name string // for messages
	path string
	temp bool
}

// openSource takes the file at path; "-" is stdin. What cannot be read twice (a
// pipe, a terminal) is copied first.
func openSource(path string, stdin io.Reader) (*source, error) {
	if path == "-" {
		if stdin == nil {
			return nil, errors.New("read standard input: there is none")
		}
		return spool("standard input", stdin)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read orders: %w", err)
	case info.IsDir():
		return nil, fmt.Errorf("read orders: %s is a directory, want a CSV file, plain or gzip", path)
	case info.Mode().IsRegular():
		return &source{name: path, path: path}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read orders: %w", err)
	}
	defer f.Close()
	return spool(path, f)
}

func spool(name string, r io.Reader) (*source, error) {
	f, err := os.CreateTemp("", "replay-*")
	if err != nil {
		return nil, fmt.Errorf("copy %s: %w", name, err)
	}
	_, err = io.Copy(f, r)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("copy %s: %w", name, err), os.Remove(f.Name()))
	}
	return &source{name: name, path: f.Name(), temp: true}, nil
}

// close removes the copy, if one was made.
func (s *source) close() error {
	if s.temp {
		return os.Remove(s.path)
	}
	return nil
}

// each calls fn with every data line of the file, in order. Errors of reading,
// unpacking or the header end it, and so does an error of fn.
func (s *source) each(fn func(row) error) error {
	f, err := os.Open(s.path)
	if err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<16)
	if magic, _ := in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) { // a short file has no magic
		unpacked, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("unpack %s: %w", s.name, err)
		}
		in = bufio.NewReaderSize(unpacked, 1<<16)
	}
	lines := lineReader{in: in}
	head, err := lines.next()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s: it is empty, want a header line with %s", s.name, columnNames())
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", s.name, err)
	}
	cols, err := readHeader(head)
	if err != nil {
		return fmt.Errorf("read header of %s: %w", s.name, err)
	}
	for {
		ln, err := lines.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s after line %d: %w", s.name, lines.number, err)
		}
		if err := fn(cols.parse(ln)); err != nil {
			return err
		}
	}
}
