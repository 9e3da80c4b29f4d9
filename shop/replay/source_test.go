package replay

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestUnreadable(t *testing.T) {
	cut := filepath.Join(t.TempDir(), "cut.gz")
	pack(t, cut, 500)
	if err := os.Truncate(cut, size(t, cut)-9); err != nil { // what is left may hold all of the text
		t.Fatal(err)
	}
	for _, c := range []struct{ name, path, stdin, want string }{
		{"no file", "testdata/none.csv", "", "no such file"},
		{"folder", "testdata", "", "is a directory"},
		{"empty", "-", "", "it is empty"},
		{"columns", "-", "InvoiceNo,Quantity\n1,2\n", "no column StockCode, Description, InvoiceDate"},
		{"UTF-16", "-", "\xff\xfeI\x00n\x00", "UTF-16"},
		{"cut gzip header", "-", "\x1f\x8b\x08\x00", "unpack standard input: unexpected EOF: the gzip file is cut off"},
		{"cut gzip", cut, "", "unexpected EOF: the gzip file is cut off; get the whole of it"},
	} {
		if _, err := Open(t.Context(), c.path, strings.NewReader(c.stdin)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Open() = %v, want %q in it", c.name, err, c.want)
		}
	}
	if _, err := Open(t.Context(), "-", nil); err == nil || !strings.Contains(err.Error(), "there is none") {
		t.Errorf("Open() without stdin = %v", err)
	}
}

// TestAfterGzip: as gzip does, it goes on with what is packed behind, and ignores zeros at
// the end; other things there are damage.
func TestAfterGzip(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for i, text := range []string{"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n", "1,40001,JAR,1,1,1,1,UK\n"} {
		if i > 0 {
			z.Reset(&b)
		}
		_, _ = z.Write([]byte(text))
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	zeros := strings.Repeat("\x00", 100_000)
	for _, c := range []struct{ name, more, want string }{
		{"nothing", "", ""}, {"zeros", zeros, ""}, {"text", "x", "the gzip file is cut off"}, {"much text", zeros[1:5] + strings.Repeat("x", 20), "the gzip file is damaged"},
		{"more behind zeros", zeros + b.String(), "the gzip file is damaged"},
	} {
		f, err := Open(t.Context(), "-", strings.NewReader(b.String()+c.more))
		switch {
		case err == nil && c.want == "":
			if f.plan.lines != 1 {
				t.Errorf("%s: %d lines, want 1", c.name, f.plan.lines)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		case err == nil || c.want == "" || !strings.Contains(err.Error(), c.want):
			t.Errorf("%s: Open() = %v, want %q", c.name, err, c.want)
		}
	}
}

// pack writes a file with invoices.
func pack(t *testing.T, path string, invoices int) {
	t.Helper()
	raw, err := os.ReadFile(bigFile(t, invoices))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(raw)
	if err := errors.Join(z.Close(), os.WriteFile(path, b.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestFileBreaks: a file that breaks while it is replayed ends the replay, once all that
// was placed has ended.
func TestFileBreaks(t *testing.T) {
	for _, c := range []struct {
		name   string
		harm   func(path string) error
		placed bool
		want   string
	}{
		{"cut off", func(path string) error { return os.Truncate(path, size(t, path)/2) }, true, "unexpected EOF: the gzip file is cut off"},
		{"removed", os.Remove, false, "no such file"},
		{"replaced", func(path string) error {
			pack(t, path, 600)
			return nil
		}, true, "it was changed while it was replayed"},
		{"shorter", func(path string) error {
			pack(t, path, 300)
			return nil
		}, true, "it was changed while it was replayed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "orders.gz")
			pack(t, path, 20_000)
			if c.name != "cut off" {
				pack(t, path, 500)
			}
			synctest.Test(t, func(t *testing.T) {
				shop := newFakeShop(t)
				file := opened(t, path)
				if err := c.harm(path); err != nil {
					t.Fatal(err)
				}
				s, err := Run(t.Context(), file, Config{Handler: shop, Outcomes: shop.tell})
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("Run() = %v, want %q in it", err, c.want)
				}
				if s.Complete() || !s.Settled || s.Unsettled > 0 || s.Orders != s.Confirmed+s.Cancelled || s.Orders != len(shop.orders) || s.Orders > 0 != c.placed {
					t.Errorf("of %d orders that were placed, the summary is %+v", len(shop.orders), s)
				}
			})
		})
	}
}

// Whoever waits for a pipe can be stopped.
func TestStoppedAtPipe(t *testing.T) {
	silent, writer := io.Pipe()
	defer writer.Close()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := Open(ctx, "-", silent); !errors.Is(err, context.Canceled) {
		t.Errorf("Open() = %v, want %v", err, context.Canceled)
	}
}

// And whoever reads a long file that has no invoice.
func TestStoppedAmongBlankLines(t *testing.T) {
	file := filepath.Join(t.TempDir(), "blank.csv")
	text := columnNames() + strings.Repeat("\n", 1000)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := Open(t.Context(), file, nil); err != nil || f.plan.lines != 999 {
		t.Fatalf("Open() = %+v, %v", f, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, file, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Open() = %v, want %v", err, context.Canceled)
	}
}
