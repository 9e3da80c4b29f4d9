package bulk

import (
	"slices"
	"testing"
)

func TestChunks(t *testing.T) {
	for _, c := range []struct {
		n    int
		want []int
	}{
		{0, nil}, {1, []int{1}}, {3, []int{2, 1}}, {24, []int{16, 8}}, {32, []int{32}}, {77, []int{32, 32, 8, 4, 1}},
	} {
		list := make([]int, c.n)
		for i := range list {
			list[i] = i
		}
		var got, all []int
		for piece := range Chunks(list) {
			got, all = append(got, len(piece)), append(all, piece...)
		}
		if !slices.Equal(got, c.want) || !slices.Equal(all, list) {
			t.Errorf("Chunks(%d elements) = pieces of %v, want %v with all elements in order", c.n, got, c.want)
		}
	}
}

func TestPlaceholders(t *testing.T) {
	if got, want := Params(3, 3), "$3, $4, $5"; got != want {
		t.Errorf("Params(3, 3) = %q, want %q", got, want)
	}
	if got, want := Column(3, 2, 1), "$1, $3, $5"; got != want {
		t.Errorf("Column(3, 2, 1) = %q, want %q", got, want)
	}
	if got, want := Values(2, "?, ?, 0"), "($1, $2, 0), ($3, $4, 0)"; got != want {
		t.Errorf("Values(2) = %q, want %q", got, want)
	}
}
