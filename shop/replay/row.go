package replay

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

// Limits of what is sent to the shop.
const (
	maxQuantity = 1_000_000
	maxLines    = 2_000 // of an order
	maxID       = 60    // characters of a code, customer or invoice; leaves room for prefixes
	maxText     = 200   // characters of a name
)

// row is a data line of the file, read.
type row struct {
	line     int
	invoice  string // empty if the line is unreadable
	returned bool   // the invoice takes goods back
	customer string // empty if the file names none
	country  string
	sku      string
	name     string
	quantity int64 // goods sold or taken back; above 0
	price    int64 // in pence

	reason Reason // why it is rejected, if it is
	detail string
}

func (r row) rejected(why Reason, detail string) row {
	r.reason, r.detail = why, clip(detail, maxText)
	return r
}

// parse reads a line, and says what is wrong with it as far as the line alone can
// tell.
func (c columns) parse(ln line) row {
	r := row{line: ln.number}
	switch {
	case ln.long:
		return r.rejected(LongLine, "")
	case strings.TrimSpace(ln.text) == "":
		return r.rejected(BlankLine, "")
	}
	fields, ok := splitLine(ln.text)
	if !ok || len(fields) != c.width {
		return r.rejected(Malformed, ln.text)
	}
	field := func(col int) string { return strings.TrimSpace(fields[c.at[col]]) }
	invoice := identifier(field(colInvoice))
	quantity, whole := parseQuantity(field(colQuantity))
	price, worth := parsePence(field(colPrice))
	customer := identifier(field(colCustomer))
	if !validID(invoice) || !whole || worth == amountBad || customer != "" && !validID(customer) {
		return r.rejected(Malformed, ln.text)
	}
	r.invoice, r.customer = strings.ToUpper(invoice), customer
	r.country = cleanText(field(colCountry))
	r.name = cleanText(field(colDescription))
	r.sku = strings.ToUpper(field(colCode))
	r.quantity, r.price = quantity, price
	return r.judge(worth)
}

// judge applies the rules for a line that could be read.
func (r row) judge(worth amount) row {
	number, returned := strings.CutPrefix(r.invoice, "C")
	r.returned = returned
	if number == "" || number[0] < '0' || number[0] > '9' {
		return r.rejected(NotASale, r.invoice)
	}
	if !isProduct(r.sku) {
		return r.rejected(NotAProduct, r.sku)
	}
	if returned {
		r.quantity = -r.quantity
	}
	switch {
	case r.quantity > maxQuantity, worth == amountLarge:
		return r.rejected(OutOfRange, "")
	case r.quantity <= 0 && returned:
		return r.rejected(NotNegative, "")
	case r.quantity <= 0:
		return r.rejected(NotPositive, "")
	case worth == amountNone && !returned: // a return is paid back at the order's price
		return r.rejected(NoPrice, "")
	}
	return r
}

// parseQuantity reads a whole number, also one written as 6.0. One beyond any
// limit is cut to just beyond it.
func parseQuantity(s string) (int64, bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	if strings.Trim(fraction, "0") != "" {
		return 0, false
	}
	sign, number := int64(1), strings.TrimPrefix(whole, "+")
	if rest, negative := strings.CutPrefix(whole, "-"); negative {
		sign, number = -1, rest
	}
	if number == "" || !digits(number) {
		return 0, false
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil { // digits that do not fit
		n = math.MaxInt64
	}
	return sign * n, true
}

// identifier undoes what spreadsheets do to numbers: 17850.0 is 17850, and NaN is
// nothing.
func identifier(s string) string {
	if whole, fraction, found := strings.Cut(s, "."); found && whole != "" && digits(whole) && strings.Trim(fraction, "0") == "" {
		return whole
	}
	switch strings.ToLower(s) {
	case "nan", "na", "n/a", "null", "none":
		return ""
	}
	return s
}

// validID reports whether the shop takes s as an id: printable ASCII without
// spaces and slashes.
func validID(s string) bool {
	if s == "" || len(s) > maxID || s == "." || s == ".." {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == '/' {
			return false
		}
	}
	return true
}

// services are the codes of the data set that stand for no goods: postage,
// carriage, discounts, fees, samples, charity, debts and corrections. Every code
// of a single character is one too, and every test.
//
// Gift vouchers (gift_0001_20) and cushion pads (PADS) are goods: they are sold by
// the piece at a price of their own.
var services = map[string]bool{
	"POST": true, "DOT": true, "C2": true, "C3": true, "CRUK": true, "AMAZONFEE": true, "AMAZON": true,
	"BANK": true, "BANKCHARGES": true, "ADJUST": true, "ADJUST2": true, "DISCOUNT": true, "MANUAL": true, "POSTAGE": true,
	"SAMPLES": true, "CARRIAGE": true,
}

// isProduct reports whether an upper-case code stands for goods. Codes with a
// space, such as BANK CHARGES, do not.
func isProduct(sku string) bool {
	return validID(sku) && len(sku) > 1 && !services[sku] && !strings.HasPrefix(sku, "TEST")
}

// cleanText bounds a text, and makes one line of printable characters of it.
func cleanText(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	return strings.TrimSpace(clip(s, maxText))
}
