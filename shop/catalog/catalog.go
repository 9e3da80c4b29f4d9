package catalog

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tutti-go/tutti/internal/ident"
	"github.com/tutti-go/tutti/problem"
)

// Limits of a product.
const (
	maxName  = 200         // characters
	maxPrice = 100_000_000 // pence
)

// product is what the shop sells. Price is in pence.
type product struct {
	SKU   string `json:"sku"`
	Name  string `json:"name"`
	Price int64  `json:"price"`
}

// validate reports the first rule that the product breaks.
func (p product) validate() error {
	switch {
	case !ident.Valid(p.SKU):
		return problem.BadRequest("SKU %q: %s", clip(p.SKU), ident.Rule)
	case p.Name == "" || utf8.RuneCountInString(p.Name) > maxName:
		return problem.Unprocessable("name has %d characters, want 1 to %d", utf8.RuneCountInString(p.Name), maxName)
	case strings.ContainsFunc(p.Name, unicode.IsControl):
		return problem.Unprocessable("name %q has control characters", clip(p.Name))
	case p.Price < 1 || p.Price > maxPrice:
		return problem.Unprocessable("price is %d pence, want 1 to %d", p.Price, maxPrice)
	}
	return nil
}

// searchText is what the words of a search are looked for in. Letters are folded
// here and not in SQL, because databases differ in what they fold.
func (p product) searchText() string { return strings.ToLower(p.Name + " " + p.SKU) }

// Limits of a search.
const (
	maxQuery = 200 // characters
	maxWords = 8
)

// words splits a search into the words that a product must contain, all of them.
func words(query string) ([]string, error) {
	if !utf8.ValidString(query) || strings.ContainsRune(query, 0) {
		return nil, problem.BadRequest("q is not text")
	}
	if utf8.RuneCountInString(query) > maxQuery {
		return nil, problem.BadRequest("q is over %d characters long", maxQuery)
	}
	ws := strings.Fields(strings.ToLower(query))
	if len(ws) > maxWords {
		return nil, problem.BadRequest("q has %d words, want at most %d", len(ws), maxWords)
	}
	return ws, nil
}

// clip bounds what an error quotes.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
