package replay

import "strings"

// amount is what a decimal number of pounds means in pence.
type amount int

const (
	amountOK    amount = iota
	amountBad          // not a decimal number
	amountNone         // blank, zero, negative, or rounds to zero
	amountLarge        // over maxPrice
)

// maxPrice is the highest price of an order's line, in pence.
const maxPrice = 100_000_000

// parsePence reads pounds as pence, exactly, rounding half up.
func parsePence(s string) (int64, amount) {
	s = strings.TrimSpace(s)
	if s == "" {
		return 0, amountNone
	}
	s, negative := strings.CutPrefix(s, "-")
	if !negative {
		s = strings.TrimPrefix(s, "+")
	}
	whole, fraction, _ := strings.Cut(s, ".")
	if whole == "" && fraction == "" || !digits(whole) || !digits(fraction) {
		return 0, amountBad
	}
	if negative {
		return 0, amountNone
	}
	whole = strings.TrimLeft(whole, "0")
	if len(whole) > 9 {
		return 0, amountLarge
	}
	var pence int64
	for _, c := range whole + (fraction + "00")[:2] {
		pence = pence*10 + int64(c-'0')
	}
	if len(fraction) > 2 && fraction[2] >= '5' {
		pence++
	}
	switch {
	case pence == 0:
		return 0, amountNone
	case pence > maxPrice:
		return 0, amountLarge
	}
	return pence, amountOK
}

// digits reports whether s is nothing but decimal digits; it may be empty.
func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
