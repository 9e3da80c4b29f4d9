package storefront

import (
	"math"
	"testing"

	"github.com/tutti-go/tutti/problem"
)

func TestLargestTotalFits(t *testing.T) {
	c := cart{}
	for range maxLines {
		c.lines = append(c.lines, line{Total: maxQuantity * maxPrice})
	}
	if got, want := c.total(), int64(200_000_000_000_000_000); got != want || want > math.MaxInt64/2 {
		t.Errorf("total() = %d, want %d", got, want)
	}
}

func TestOnlyOpenCartsChange(t *testing.T) {
	if err := (cart{id: "c1"}).change(); err != nil {
		t.Errorf("change() of an open cart = %v", err)
	}
	if err := (cart{id: "c1", order: "web-c1"}).change(); problem.KindOf(err) != problem.Clash {
		t.Errorf("change() of a checked-out cart = %v, want a conflict", err)
	}
}

func TestCheckQuantity(t *testing.T) {
	for n, ok := range map[int64]bool{-1: false, 0: true, 1: true, maxQuantity: true, maxQuantity + 1: false, math.MaxInt64: false, math.MinInt64: false} {
		if err := checkQuantity(n); (err == nil) != ok {
			t.Errorf("checkQuantity(%d) = %v, want ok %v", n, err, ok)
		}
	}
}
