package bulk

import (
	"iter"
	"math/bits"
	"strconv"
	"strings"
	"sync"
)

// most is the longest piece. Longer ones save nothing more.
const most = 32

// Chunks cuts list into consecutive pieces whose lengths are powers of two, at
// most 32.
func Chunks[T any](list []T) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		for len(list) > 0 {
			n := min(most, 1<<(bits.Len(uint(len(list)))-1))
			if !yield(list[:n:n]) {
				return
			}
			list = list[n:]
		}
	}
}

// texts are those that were made, since statements for the few lengths of pieces come
// again and again.
var texts sync.Map // of text: string

// text is what a text was made of. Placeholders alone have no form.
type text struct {
	n, first, step int
	form           string
}

func (t text) made(write func(*strings.Builder)) string {
	if s, ok := texts.Load(t); ok {
		return s.(string)
	}
	var b strings.Builder
	write(&b)
	if t.n <= most {
		texts.Store(t, b.String())
	}
	return b.String()
}

// Params returns n placeholders from $first on, as in "$3, $4, $5".
func Params(first, n int) string { return params(first, 1, n) }

// Column returns the placeholders of a column of rows that are numbered from $1 on, each
// of a width: the first one of rows of two is "$1, $3, $5".
func Column(rows, width, column int) string { return params(column, width, rows) }

func params(first, step, n int) string {
	return text{n: n, first: first, step: step}.made(func(b *strings.Builder) {
		for i := range n {
			if i > 0 {
				b.WriteString(", ")
			}
			param(b, first+i*step)
		}
	})
}

// Values returns rows of placeholders from $1 on, each of the given form: rows of
// "?, ?, 0" are "($1, $2, 0), ($3, $4, 0)".
func Values(rows int, form string) string {
	return text{n: rows, form: form}.made(func(b *strings.Builder) { values(b, rows, form) })
}

func values(b *strings.Builder, rows int, form string) {
	n := 0
	for i := range rows {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		for j := range len(form) {
			if form[j] == '?' {
				n++
				param(b, n)
			} else {
				b.WriteByte(form[j])
			}
		}
		b.WriteByte(')')
	}
}

func param(b *strings.Builder, n int) {
	b.WriteByte('$')
	b.WriteString(strconv.Itoa(n))
}

// Args appends the elements of list to args.
func Args[T any](args []any, list []T) []any {
	for _, v := range list {
		args = append(args, v)
	}
	return args
}
