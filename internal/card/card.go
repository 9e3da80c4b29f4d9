// Package card tells the numbers of payment cards, which no event and no log may hold.
package card

import "strings"

// In reports whether a payment token holds a card number (ISO/IEC 7812: 13 to 19 digits
// with a Luhn check digit), possibly grouped by spaces, dots or dashes. Of a token with
// the gateway's prefix, "tok_", only all that follows is taken for one: its digits are
// the gateway's own affair.
func In(token string) bool {
	rest, ofGateway := strings.CutPrefix(strings.TrimSpace(token), "tok_")
	var digits []byte
	for i := 0; i <= len(rest); i++ {
		switch {
		case i < len(rest) && rest[i] >= '0' && rest[i] <= '9':
			digits = append(digits, rest[i]-'0')
		case i < len(rest) && strings.IndexByte(" .-", rest[i]) >= 0:
		case i < len(rest) && ofGateway:
			return false
		case len(digits) >= 13 && len(digits) <= 19 && luhn(digits):
			return true
		default:
			digits = digits[:0]
		}
	}
	return false
}

// luhn checks the last digit against the others (ISO/IEC 7812-1, annex B).
func luhn(digits []byte) bool {
	sum := 0
	for i, d := range digits {
		n := int(d)
		if (len(digits)-i)%2 == 0 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}
