package customer

import (
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tutti-go/tutti/problem"
)

// Limits of a customer.
const (
	maxText  = 200 // characters of a name or country
	maxEmail = 254 // bytes, as RFC 5321 allows in a path
)

// profile is what a customer says of themselves.
type profile struct {
	Name    string `json:"name"`
	Email   string `json:"email"`
	Country string `json:"country"`
}

// validate reports every rule that the profile breaks.
func (p profile) validate() error {
	var faults []string
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	for _, f := range []struct{ what, text string }{{"name", p.Name}, {"country", p.Country}} {
		n := utf8.RuneCountInString(f.text)
		check(n <= maxText, "%s has %d characters, want at most %d", f.what, n, maxText)
		check(!strings.ContainsFunc(f.text, unicode.IsControl), "%s has control characters", f.what)
	}
	check(strings.TrimSpace(p.Name) != "", "name is empty")
	check(p.Email == "" || validEmail(p.Email), "email is not an address like ann@example.com of at most %d bytes", maxEmail)
	if len(faults) > 0 {
		return problem.Unprocessable("customer is not acceptable: %s", strings.Join(faults, "; "))
	}
	return nil
}

// validEmail finds slips of the pen. Only a mail that arrives proves an address.
func validEmail(s string) bool {
	at := strings.LastIndexByte(s, '@')
	return len(s) <= maxEmail && at > 0 && at < len(s)-1 && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
}

// maxSpend bounds what is kept of a customer, and of one change to it, so that no
// sum of the two leaves int64.
const maxSpend = math.MaxInt64 / 2

// spending is what a customer's spend changes by, in pence.
type spending struct {
	id     string
	amount int64
}

// add adds up what each customer's spend changes by, in the order of ids.
func add(all []spending) ([]spending, error) {
	sums := map[string]int64{}
	for _, s := range all {
		was := sums[s.id]
		if s.amount > maxSpend || s.amount < -maxSpend || was+s.amount > maxSpend || was+s.amount < -maxSpend {
			return nil, fmt.Errorf("%w: %d pence and %d more", errSpend, was, s.amount)
		}
		sums[s.id] = was + s.amount
	}
	return sorted(sums), nil
}
