package replay

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
)

// File is a file of orders that was read once, to its end: what is in it is known, and
// that it is whole.
type File struct {
	source
	plan *plan
}

// Open reads the file at path, plain or gzip; "-" is stdin. What is not a regular file
// is copied to a temporary one, since it is read again by [Run].
func Open(ctx context.Context, path string, stdin io.Reader) (*File, error) {
	src, err := openSource(ctx, path, stdin)
	if err != nil {
		return nil, err
	}
	f := &File{source: *src}
	if f.plan, err = read(ctx, &f.source); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Size is how many bytes the file has, unpacked.
func (f *File) Size() int64 { return f.content.size }

// SHA256 is the hash of what the file has, unpacked, in hexadecimal digits.
func (f *File) SHA256() string { return f.content.hash }

// Close removes the temporary copy, if one was made.
func (f *File) Close() error { return f.close() }

// source is a file that can be read twice: a regular file, or a temporary copy of
// what is not one.
type source struct {
	name    string // for messages
	path    string
	temp    bool
	content content // what it was found to have
}

// content tells files apart.
type content struct {
	size int64
	hash string
}

// meter measures what passes through.
type meter struct {
	hash.Hash
	size int64
}

func (m *meter) Write(p []byte) (int, error) {
	m.size += int64(len(p))
	return m.Hash.Write(p)
}

// openSource takes the file at path; "-" is stdin. What cannot be read twice (a
// pipe, a terminal) is copied first.
func openSource(ctx context.Context, path string, stdin io.Reader) (*source, error) {
	if path == "-" {
		if stdin == nil {
			return nil, errors.New("read standard input: there is none")
		}
		return spool(ctx, "standard input", stdin)
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
	return spool(ctx, path, f)
}

func spool(ctx context.Context, name string, r io.Reader) (*source, error) {
	f, err := os.CreateTemp("", "replay-*")
	if err != nil {
		return nil, fmt.Errorf("copy %s: %w", name, err)
	}
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(f, r)
		copied <- err
	}()
	select {
	case err = <-copied:
	case <-ctx.Done(): // whoever writes may have nothing to say for long
		err = ctx.Err()
	}
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
// unpacking or the header end it, and so does an error of fn. That the file has
// changed since it was read before is found at its end.
func (s *source) each(fn func(row) error) error {
	f, err := os.Open(s.path)
	if err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<16)
	packed := false
	if magic, _ := in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) { // a short file has no magic
		unpacked, err := unpack(in)
		if err != nil {
			return fmt.Errorf("unpack %s: %w", s.name, broken(err, true))
		}
		in, packed = bufio.NewReaderSize(unpacked, 1<<16), true
	}
	m := &meter{Hash: sha256.New()}
	lines := lineReader{in: bufio.NewReaderSize(io.TeeReader(in, m), 1<<16)}
	head, err := lines.next()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s: it is empty, want a header line with %s", s.name, columnNames())
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", s.name, broken(err, packed))
	}
	cols, err := readHeader(head)
	if err != nil {
		return fmt.Errorf("read header of %s: %w", s.name, err)
	}
	for {
		ln, err := lines.next()
		if errors.Is(err, io.EOF) {
			return s.compare(content{m.size, hex.EncodeToString(m.Sum(nil))})
		}
		if err != nil {
			return fmt.Errorf("read %s after line %d: %w", s.name, lines.number, broken(err, packed))
		}
		if err := fn(cols.parse(ln)); err != nil {
			return err
		}
	}
}

// unpacker reads one gzip member after the other. Like gzip, it ignores zeros at the end,
// with which tapes and block devices fill up.
type unpacker struct {
	*gzip.Reader
	in *bufio.Reader
}

func unpack(in *bufio.Reader) (unpacker, error) {
	z, err := gzip.NewReader(in)
	if err != nil {
		return unpacker{}, err
	}
	z.Multistream(false)
	return unpacker{z, in}, nil
}

func (u unpacker) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	switch {
	case !errors.Is(err, io.EOF):
		return n, err
	case n > 0:
		return n, nil
	}
	next, err := u.in.Peek(1)
	switch {
	case err != nil:
		return 0, err
	case next[0] == 0:
		return 0, zeros(u.in)
	}
	err = u.Reset(u.in)
	u.Multistream(false)
	return 0, err
}

// zeros reads to the end, and fails if something else than zeros comes.
func zeros(in *bufio.Reader) error {
	for {
		b, err := in.ReadByte()
		switch {
		case err != nil:
			return err
		case b != 0:
			return gzip.ErrHeader
		}
	}
}

// broken adds to an error of reading what to do about it.
func broken(err error, packed bool) error {
	switch {
	case packed && errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: the gzip file is cut off; get the whole of it (gzip -t checks that), and start again", err)
	case packed:
		return fmt.Errorf("%w: the gzip file is damaged; get a sound copy (gzip -t checks that), and start again", err)
	}
	return fmt.Errorf("%w: mend that, and start again", err)
}

// compare notes what the file has, or finds that it is not what it had before.
func (s *source) compare(now content) error {
	if s.content != (content{}) && s.content != now {
		return s.changed()
	}
	s.content = now
	return nil
}

func (s *source) changed() error {
	return fmt.Errorf("read %s: it was changed while it was replayed; start again, on new data, with a file that stays as it is", s.name)
}
