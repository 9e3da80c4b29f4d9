package store

import (
	"slices"
	"testing"
)

func TestPositional(t *testing.T) {
	for _, c := range []struct {
		query, text string
		order       []int
	}{
		{`SELECT 1`, `SELECT 1`, nil},
		{`SELECT $1, $2`, `SELECT ?, ?`, []int{0, 1}},
		{`a = $2 AND b = $1 AND c = $2`, `a = ? AND b = ? AND c = ?`, []int{1, 0, 1}},
		{`($1,$10,$11)`, `(?,?,?)`, []int{0, 9, 10}},
		{`x = '$1' AND y = $1`, `x = '$1' AND y = ?`, []int{0}},
		{`x = 'it''s $2' || $1`, `x = 'it''s $2' || ?`, []int{0}},
		{`"$1" = $1 -- $2` + "\n, $2", `"$1" = ? -- $2` + "\n, ?", []int{0, 1}},
		{`/* $1 ' */ $1`, `/* $1 ' */ ?`, []int{0}},
		{`a - $1 / $2`, `a - ? / ?`, []int{0, 1}},
		{`a = ? AND b = $1`, `a = ? AND b = $1`, nil},
		{`a = $name`, `a = $name`, nil},
		{`a = $0`, `a = $0`, nil},
		{`a = '?' AND b = $1`, `a = '?' AND b = ?`, []int{0}},
		{`'open $1`, `'open $1`, nil},
	} {
		text, order := positional(c.query)
		if text != c.text || !slices.Equal(order, c.order) {
			t.Errorf("positional(%q) = %q, %v, want %q, %v", c.query, text, order, c.text, c.order)
		}
	}
}

func TestArrange(t *testing.T) {
	args := []any{"a", "b"}
	for _, c := range []struct {
		order []int
		want  []any
	}{
		{nil, args},
		{[]int{0, 1}, args},
		{[]int{1, 0, 1}, []any{"b", "a", "b"}},
		{[]int{1}, []any{"b"}},
		{[]int{0, 2}, args},
	} {
		if got := arrange(args, c.order); !slices.Equal(got, c.want) {
			t.Errorf("arrange by %v = %v, want %v", c.order, got, c.want)
		}
	}
}
