package replay

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"unicode/utf8"
)

// maxLine is the most bytes of a line that are looked at. A longer one is
// rejected.
const maxLine = 1 << 20

// line is one physical line of the file, without its end.
type line struct {
	number int // from 1, the header
	text   string
	long   bool // over maxLine; text is empty
}

// lineReader splits a file at its newlines and nowhere else, so that a quote that
// is never closed spoils one line and not the rest of the file.
type lineReader struct {
	in     *bufio.Reader
	number int
	buf    []byte
}

// next returns the next line, or io.EOF. A last line needs no newline.
func (r *lineReader) next() (line, error) {
	r.buf = r.buf[:0]
	long, read := false, false
	err := bufio.ErrBufferFull
	for errors.Is(err, bufio.ErrBufferFull) {
		var chunk []byte
		chunk, err = r.in.ReadSlice('\n')
		read = read || len(chunk) > 0
		if long = long || len(r.buf)+len(chunk) > maxLine; !long {
			r.buf = append(r.buf, chunk...)
		}
	}
	if err != nil && (!read || !errors.Is(err, io.EOF)) {
		return line{}, err
	}
	r.number++
	if long {
		return line{number: r.number, long: true}, nil
	}
	text := bytes.TrimRight(r.buf, "\r\n")
	if r.number == 1 {
		text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	}
	return line{number: r.number, text: decodeText(text)}, nil
}

// decodeText reads UTF-8, and takes what is not as Latin-1, in which every byte
// is a character.
func decodeText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	out := make([]byte, 0, len(b)+len(b)/4)
	for _, c := range b {
		out = utf8.AppendRune(out, rune(c))
	}
	return string(out)
}
