package bulk

import (
	"iter"
	"math/bits"
	"strconv"
	"strings"
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

// Params returns n placeholders from $first on, as in "$3, $4, $5".
func Params(first, n int) string {
	var b strings.Builder
	params(&b, first, n)
	return b.String()
}

// Values returns rows of placeholders from $1 on, each of the given form: rows of
// "?, ?, 0" are "($1, $2, 0), ($3, $4, 0)".
func Values(rows int, form string) string {
	var b strings.Builder
	n := 0
	for i := range rows {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		for j := range len(form) {
			if form[j] == '?' {
				n++
				params(&b, n, 1)
			} else {
				b.WriteByte(form[j])
			}
		}
		b.WriteByte(')')
	}
	return b.String()
}

func params(b *strings.Builder, first, n int) {
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(first + i))
	}
}

// Args appends the elements of list to args.
func Args[T any](args []any, list []T) []any {
	for _, v := range list {
		args = append(args, v)
	}
	return args
}
