package replay

import (
	"errors"
	"fmt"
	"strings"
)

// The columns that are needed. The order in the file is free, and so are further
// columns.
const (
	colInvoice = iota
	colCode
	colDescription
	colQuantity
	colDate
	colPrice
	colCustomer
	colCountry
	colCount
)

// names of the columns as the data set has them, and as its second edition does.
var names = [colCount][]string{
	colInvoice:     {"InvoiceNo", "Invoice"},
	colCode:        {"StockCode"},
	colDescription: {"Description"},
	colQuantity:    {"Quantity"},
	colDate:        {"InvoiceDate"},
	colPrice:       {"UnitPrice", "Price"},
	colCustomer:    {"CustomerID", "Customer ID"},
	colCountry:     {"Country"},
}

func columnNames() string {
	out := make([]string, colCount)
	for i, n := range names {
		out[i] = n[0]
	}
	return strings.Join(out, ", ")
}

// columns says where the columns of a file are.
type columns struct {
	at    [colCount]int
	width int // fields of a line
}

// readHeader finds the columns, and names all that are missing at once.
func readHeader(ln line) (columns, error) {
	if ln.long {
		return columns{}, fmt.Errorf("it is over %d bytes long", maxLine)
	}
	if strings.ContainsRune(ln.text, 0) {
		return columns{}, errors.New("it holds zero bytes: is the file UTF-16 or no text at all? Want UTF-8 or Latin-1")
	}
	fields, ok := splitLine(ln.text)
	if !ok {
		return columns{}, errors.New("a quote is not closed, or followed by something else than a comma")
	}
	c := columns{width: len(fields)}
	var missing []string
	for col, accepted := range names {
		c.at[col] = -1
		for i, f := range fields {
			if !matches(f, accepted) {
				continue
			}
			if c.at[col] >= 0 {
				return columns{}, fmt.Errorf("column %s is there twice", accepted[0])
			}
			c.at[col] = i
		}
		if c.at[col] < 0 {
			missing = append(missing, accepted[0])
		}
	}
	if len(missing) > 0 {
		return columns{}, fmt.Errorf("no column %s; the first line is %q", strings.Join(missing, ", "), clip(ln.text, 200))
	}
	return c, nil
}

func matches(field string, accepted []string) bool {
	for _, name := range accepted {
		if strings.EqualFold(strings.TrimSpace(field), name) {
			return true
		}
	}
	return false
}

// splitLine splits a line into its fields (RFC 4180, within one line). It reports
// whether all quotes are closed, and followed by a comma or the end.
func splitLine(text string) ([]string, bool) {
	fields := make([]string, 0, colCount)
	for {
		if !strings.HasPrefix(text, `"`) {
			field, rest, more := strings.Cut(text, ",")
			fields = append(fields, field)
			if !more {
				return fields, true
			}
			text = rest
			continue
		}
		field, rest, closed := quoted(text[1:])
		fields = append(fields, field)
		if !closed {
			return nil, false
		}
		if rest == "" {
			return fields, true
		}
		if rest[0] != ',' {
			return nil, false
		}
		text = rest[1:]
	}
}

// quoted reads a field up to its closing quote. Two quotes stand for one.
func quoted(text string) (field, rest string, closed bool) {
	var b strings.Builder
	for {
		i := strings.IndexByte(text, '"')
		if i < 0 {
			return "", "", false
		}
		b.WriteString(text[:i])
		if !strings.HasPrefix(text[i:], `""`) {
			return b.String(), text[i+1:], true
		}
		b.WriteByte('"')
		text = text[i+2:]
	}
}

// clip bounds a text to n characters.
func clip(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}
