package replay

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// grouped reads a file of lines of "invoice,code": its invoices with their codes, and
// the reasons of the lines that are rejected.
func grouped(t *testing.T, lines ...string) (invoices []string, rejected map[int]Reason) {
	t.Helper()
	text := "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
	for _, line := range lines {
		text += line + ",THING,1,d,1.00,1,UK\n"
	}
	path := filepath.Join(t.TempDir(), "orders.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	rejected = map[int]Reason{}
	err := eachInvoice(t.Context(), &source{path: path}, func(r row) { rejected[r.line] = r.reason }, func(inv invoice) error {
		if inv.place != len(invoices) {
			t.Errorf("invoice %s is number %d, want %d", inv.id, inv.place, len(invoices))
		}
		codes := make([]string, len(inv.lines))
		for i, r := range inv.lines {
			codes[i] = r.sku
		}
		invoices = append(invoices, inv.id+" "+strings.Join(codes, " "))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return invoices, rejected
}

// sequence is n invoices of a line each.
func sequence(n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf("%d,40000", 600000+i)
	}
	return lines
}

// Lines of other invoices between those of one do not end it, as long as they are few.
func TestLinesBetween(t *testing.T) {
	many := slices.Repeat([]string{"536365,22001"}, maxLines-1)
	for _, c := range []struct {
		name     string
		lines    []string
		first    string // invoice, if it is of interest
		invoices int
		rejected map[int]Reason
	}{
		{"no sale", []string{"536365,22001", "A536365,22002", "536365,22003", "536365,22004"}, "536365 22001 22003 22004", 1, map[int]Reason{3: NotASale}},
		{"no goods", []string{"536365,22001", "536366,POST", "536365,22003"}, "536365 22001 22003", 1, map[int]Reason{3: NotAProduct}},
		{"no goods first", []string{"536365,POST", "536366,22001", "536365,22003"}, "536366 22001", 2, map[int]Reason{2: NotAProduct}},
		{"mixed", []string{"536365,22001", "536366,22002", "536365,22003", "536366,22004"}, "536365 22001 22003", 2, nil},
		{"near", slices.Concat([]string{"536365,22001"}, sequence(15), []string{"536365,22003"}), "536365 22001 22003", 16, nil},
		{"far", slices.Concat([]string{"536365,22001"}, sequence(16), []string{"536365,22003", "536365,POST"}), "536365 22001", 17, map[int]Reason{19: SeenBefore, 20: SeenBefore}},
		{"many lines of one", slices.Concat(many, many[:2]), "", 1, map[int]Reason{maxLines + 2: ManyLines}},
		{"many lines between", slices.Concat([]string{"536366,22001"}, many, []string{"536366,22003", "536365,22001"}), "536366 22001 22003", 2, nil},
		{"too many lines between", slices.Concat([]string{"536366,22001"}, many, many[:1], []string{"536366,22003"}), "536366 22001", 2, map[int]Reason{maxLines + 3: SeenBefore}},
	} {
		t.Run(c.name, func(t *testing.T) {
			invoices, rejected := grouped(t, c.lines...)
			if len(invoices) != c.invoices || c.first != "" && invoices[0] != c.first {
				t.Errorf("%d invoices, want %d, the first is %.60q, want %q", len(invoices), c.invoices, invoices[0], c.first)
			}
			if !maps.Equal(rejected, c.rejected) {
				t.Errorf("rejected = %v, want %v", rejected, c.rejected)
			}
		})
	}
}
