package admin

import "testing"

func TestMatch(t *testing.T) {
	for _, tc := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "a", true}, {"a", "ab", false}, {"*", "", true}, {"*", "a.b/c", true},
		{"shop.*", "shop.order.placed", true}, {"shop.*", "shop", false}, {"*.placed", "shop.order.placed", true},
		{"shop.*.placed", "shop.order.placed", true}, {"shop.*.placed", "shop.placed", false}, {"a*a", "a", false},
		{"*order*", "shop.order.placed", true}, {"a*b*c", "a-b-b-c", true}, {"a*b*c", "a-c-b", false}, {"[a]", "a", false},
	} {
		if got := Match(tc.pattern, tc.s); got != tc.want {
			t.Errorf("Match(%q, %q) = %v, want %v", tc.pattern, tc.s, got, tc.want)
		}
	}
}

func TestContent(t *testing.T) {
	for text, isJSON := range map[string]bool{`{"a":1}`: true, "1": true, "{": false, "": false, "\"\xff\"": false} {
		if got := ContentOf([]byte(text)); (got.Body != nil) != isJSON {
			t.Errorf("ContentOf(%q) = %+v, want JSON: %v", text, got, isJSON)
		}
	}
}
