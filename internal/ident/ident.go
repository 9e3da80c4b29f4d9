// Package ident says which ids the shop takes: of orders, customers, products and requests.
package ident

import (
	"fmt"
	"strings"
)

const (
	maxLen = 128 // bytes

	// Rule is what an id must be, for messages.
	Rule = "want 1 to 128 printable ASCII characters without spaces or slashes, and not . or .."
)

// Valid reports whether s can be an id. The names "." and ".." cannot: no URL can hold
// them as a part of its path.
func Valid(s string) bool {
	return s != "" && len(s) <= maxLen && s != "." && s != ".." &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '/' })
}

// Check is an error if s cannot be the id of what it is said to be of.
func Check(of, s string) error {
	if Valid(s) {
		return nil
	}
	const quoted = 64
	if len(s) > quoted {
		s = s[:quoted] + "…"
	}
	return fmt.Errorf("id of %s is %q, %s", of, s, Rule)
}
