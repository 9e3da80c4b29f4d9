package replay

import (
	"bufio"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestParsePence(t *testing.T) {
	cases := []struct {
		in    string
		pence int64
		worth amount
	}{
		{"2.55", 255, amountOK}, {"2.5", 250, amountOK}, {"2", 200, amountOK}, {".5", 50, amountOK}, {"5.", 500, amountOK},
		{"2.554", 255, amountOK}, {"2.555", 256, amountOK}, {"2.5549999999999999", 255, amountOK}, {"0.995", 100, amountOK},
		{"0.005", 1, amountOK}, {"0.004999", 0, amountNone}, {"0.001", 0, amountNone}, {"0.0", 0, amountNone}, {"", 0, amountNone},
		{" 1.10 ", 110, amountOK}, {"+1.1", 110, amountOK}, {"-0.01", 0, amountNone}, {"-11062.06", 0, amountNone},
		{"1000000", 100_000_000, amountOK}, {"1000000.004", 100_000_000, amountOK}, {"1000000.005", 0, amountLarge},
		{"00000000000000000002.55", 255, amountOK}, {strings.Repeat("9", 400), 0, amountLarge},
		{"1e3", 0, amountBad}, {"1,5", 0, amountBad}, {"£2", 0, amountBad}, {".", 0, amountBad}, {"-", 0, amountBad}, {"1.2.3", 0, amountBad},
		{"0x10", 0, amountBad}, {"NaN", 0, amountBad}, {"1_0", 0, amountBad}, {"٣", 0, amountBad},
	}
	for _, c := range cases {
		if pence, worth := parsePence(c.in); pence != c.pence || worth != c.worth {
			t.Errorf("parsePence(%q) = %d, %d, want %d, %d", clip(c.in, 30), pence, worth, c.pence, c.worth)
		}
	}
}

func TestParseQuantity(t *testing.T) {
	for in, want := range map[string]int64{"6": 6, "-6": -6, "+6": 6, "6.0": 6, "6.": 6, "-6.00": -6, "0": 0, "99999999999999999999": 1<<63 - 1} {
		if got, ok := parseQuantity(in); !ok || got != want {
			t.Errorf("parseQuantity(%q) = %d, %v, want %d", in, got, ok, want)
		}
	}
	for _, in := range []string{"", ".", "-", "1.5", "six", "1e3", "1,000", "--1", "0x1", "6.0.0"} {
		if got, ok := parseQuantity(in); ok {
			t.Errorf("parseQuantity(%q) = %d, want none", in, got)
		}
	}
}

func TestIdentifier(t *testing.T) {
	for in, want := range map[string]string{"17850.0": "17850", "17850": "17850", "17850.5": "17850.5", "nan": "", "": "", "x.0": "x.0", ".0": ".0"} {
		if got := identifier(in); got != want {
			t.Errorf("identifier(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSplitLine(t *testing.T) {
	cases := []struct {
		in   string
		want []string // nil: malformed
	}{
		{"a,b,c", []string{"a", "b", "c"}}, {"", []string{""}}, {",", []string{"", ""}},
		{`"a,b",c`, []string{"a,b", "c"}}, {`"a ""b""",""`, []string{`a "b"`, ""}}, {`5" NAIL,b`, []string{`5" NAIL`, "b"}},
		{`"",`, []string{"", ""}}, {`"open,b`, nil}, {`"a"b,c`, nil}, {`"a""`, nil}, {`"`, nil},
	}
	for _, c := range cases {
		got, ok := splitLine(c.in)
		if ok != (c.want != nil) || !slices.Equal(got, c.want) {
			t.Errorf("splitLine(%s) = %q, %v, want %q", c.in, got, ok, c.want)
		}
	}
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	in := "\xef\xbb\xbfhead\r\n" + long + "y\n" + long[:maxLine-1] + "\n\r\n\r\r\nlast\xe9"
	r := lineReader{in: bufio.NewReaderSize(strings.NewReader(in), 4096)}
	want := []line{{1, "head", false}, {2, "", true}, {3, long[:maxLine-1], false}, {4, "", false}, {5, "", false}, {6, "lasté", false}}
	for _, w := range want {
		if got, err := r.next(); err != nil || got != w {
			t.Errorf("next() = line %d of %d bytes, %v, want line %d of %d", got.number, len(got.text), err, w.number, len(w.text))
		}
	}
	if _, err := r.next(); !errors.Is(err, io.EOF) {
		t.Errorf("next() at the end = %v", err)
	}
}

func TestHeader(t *testing.T) {
	second, err := readHeader(line{text: `"Invoice",StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country,extra`})
	if err != nil || second.width != 9 || second.at[colCustomer] != 6 {
		t.Errorf("readHeader(second edition) = %+v, %v", second, err)
	}
	if _, err := readHeader(line{text: columnNames() + ", quantity "}); err == nil || !strings.Contains(err.Error(), "Quantity is there twice") {
		t.Errorf("readHeader(twice) = %v", err)
	}
	if _, err := readHeader(line{long: true}); err == nil {
		t.Error("readHeader(long) = nil")
	}
}

// FuzzParse holds that any line becomes one row that is either acceptable to the
// shop or rejected.
func FuzzParse(f *testing.F) {
	f.Add("536365,85123A,WHITE HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom")
	f.Add(`C1,"a""b",,-1,,,1,`)
	f.Add("1,2,3,99999999999999999999,5,99999999999,7,8")
	cols, err := readHeader(line{text: columnNames()})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := cols.parse(line{number: 2, text: text})
		if r.reason != "" {
			return
		}
		if !validID(r.invoice) || !validID(r.sku) || r.customer != "" && !validID(r.customer) {
			t.Errorf("ids of %+v", r)
		}
		if r.quantity < 1 || r.quantity > maxQuantity || !r.returned && (r.price < 1 || r.price > maxPrice) {
			t.Errorf("numbers of %+v", r)
		}
	})
}
