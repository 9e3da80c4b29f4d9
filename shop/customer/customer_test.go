package customer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/problem"
)

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		p    profile
		want []string // what the fault names; none: valid
	}{
		{profile{"Ann", "ann@example.com", "UK"}, nil},
		{profile{"Ann", "", ""}, nil},
		{profile{strings.Repeat("é", 200), "a@b", ""}, nil},
		{profile{"", "", ""}, []string{"name is empty"}},
		{profile{" ", "ann", "U\nK"}, []string{"name is empty", "email", "country has control characters"}},
		{profile{strings.Repeat("é", 201), "@b", ""}, []string{"name has 201 characters", "email"}},
		{profile{"Ann", "ann@", ""}, []string{"email"}},
		{profile{"Ann", "an n@b", ""}, []string{"email"}},
		{profile{"Ann", strings.Repeat("a", 253) + "@b", ""}, []string{"email"}},
	} {
		err := c.p.validate()
		if (err == nil) != (c.want == nil) || err != nil && problem.KindOf(err) != problem.Unacceptable {
			t.Errorf("validate() of %.40q = %v, want faults %q", c.p, err, c.want)
		}
		for _, want := range c.want {
			if !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("validate() of %.40q = %v, want it to name %q", c.p, err, want)
			}
		}
	}
}

func TestAdd(t *testing.T) {
	got, err := add([]spending{{"b", 5}, {"a", 7}, {"b", -2}})
	if want := []spending{{"a", 7}, {"b", 3}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("add() = %v, %v, want %v", got, err, want)
	}
	for _, all := range [][]spending{
		{{"a", math.MaxInt64}}, {{"a", math.MinInt64}}, {{"a", maxSpend}, {"a", 1}}, {{"a", -maxSpend}, {"a", -maxSpend}},
	} {
		if _, err := add(all); !errors.Is(err, errSpend) {
			t.Errorf("add(%v) = %v, want %v", all, err, errSpend)
		}
	}
}
