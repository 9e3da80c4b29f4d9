package admin

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// Match reports whether s fits a pattern, in which * stands for any text.
func Match(pattern, s string) bool {
	first, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == s
	}
	if !strings.HasPrefix(s, first) {
		return false
	}
	s = s[len(first):]
	for {
		part, more, wild := strings.Cut(rest, "*")
		if !wild {
			return strings.HasSuffix(s, part)
		}
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s, rest = s[i+len(part):], more
	}
}

// ContentOf returns data as JSON if it is that, and as bytes otherwise.
func ContentOf(data []byte) Content {
	if utf8.Valid(data) && json.Valid(data) {
		return Content{Body: data}
	}
	return Content{Bytes: data}
}
