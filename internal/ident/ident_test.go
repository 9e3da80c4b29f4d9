package ident

import (
	"strings"
	"testing"
)

func TestValid(t *testing.T) {
	for s, want := range map[string]bool{
		"o1": true, "a.b:c~!": true, "...": true, strings.Repeat("x", 128): true,
		"": false, ".": false, "..": false, "a/b": false, "a b": false, "a\n": false, "\x00": false, "\x7f": false, "ü": false, "\xff": false,
		strings.Repeat("x", 129): false,
	} {
		if got := Valid(s); got != want {
			t.Errorf("Valid(%q) = %v, want %v", s, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	if err := Check("order", "o1"); err != nil {
		t.Errorf("Check() of an id = %v", err)
	}
	for s, want := range map[string]string{
		"":                          `id of order is "", want 1 to 128`,
		"a\x1b[2J":                  `id of order is "a\x1b[2J", want`,
		strings.Repeat("x", 300000): `id of order is "` + strings.Repeat("x", 64) + `…", want`,
	} {
		if err := Check("order", s); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Check(%.20q) = %v, want %q", s, err, want)
		}
	}
}
