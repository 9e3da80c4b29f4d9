package main

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to look into the database of a replay

	"github.com/tutti-go/tutti/kafka"
)

// failed runs a replay that has to fail: with 1, one JSON object that says why, and the
// same on stderr.
func failed(t *testing.T, p *process, why string) figures {
	t.Helper()
	if code := p.wait(); code != 1 {
		t.Errorf("shop replay ended with %d, want 1", code)
	}
	var f struct {
		figures
		Error string
	}
	d := json.NewDecoder(&p.stdout)
	if err := d.Decode(&f); err != nil || d.More() {
		t.Fatalf("shop replay --json wrote no single object: %v", err)
	}
	if !strings.Contains(f.Error, why) || !strings.Contains(p.stderr.String(), why) {
		t.Errorf("the error is %q, want %q in it and on stderr", f.Error, why)
	}
	if f.Rejected == nil || f.Invariants == nil {
		t.Errorf("rejected and invariants are no objects: %+v", f)
	}
	return f.figures
}

func packed(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A file that is not whole is found out before anything is made.
func TestReplayOfBrokenFile(t *testing.T) {
	dir := t.TempDir()
	cut := filepath.Join(dir, "cut.gz")
	whole := packed(t, writeOrders(t, 200))
	if err := os.WriteFile(cut, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	for file, why := range map[string]string{
		cut:                        "the gzip file is cut off; get the whole of it",
		filepath.Join(dir, "none"): "no such file",
		dir:                        "is a directory",
	} {
		data := filepath.Join(dir, "data")
		got := failed(t, start(t, "shop", "replay", file, "--json", "--data", data), why)
		if got.Lines != 0 || got.Orders != 0 {
			t.Errorf("of %s the summary is %+v, want nothing", file, got)
		}
		if _, err := os.Stat(data); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("for %s a data directory was made: %v", file, err)
		}
	}
}

// awaitOrder waits until a replay has placed an order.
func awaitOrder(t *testing.T, dir string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "order.db")+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for begin, n := time.Now(), 0; n == 0; time.Sleep(20 * time.Millisecond) {
		_ = db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM orders").Scan(&n) // before, there is no table, or no file
		if time.Since(begin) > patience {
			t.Fatal("no order is placed")
		}
	}
}

// The list of rejected lines replaces neither the orders nor the list of a replay that has
// the directory.
func TestRejectedListReplacesNothing(t *testing.T) {
	file, dir := writeOrders(t, 3), t.TempDir()
	list := filepath.Join(dir, "rejected.csv")
	if err := os.WriteFile(list, []byte("of another replay"), 0o600); err != nil {
		t.Fatal(err)
	}
	broker, err := kafka.Embed(kafka.BrokerConfig{Dir: filepath.Join(dir, "broker")})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	for path, why := range map[string]string{file: "the file of the orders", list: "another process"} {
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		err = run(t.Context(), []string{"replay", file, "--data", dir, "--rejected", path}, env(), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("replay --rejected %s = %v, want %q in it", path, err, why)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s became %q: %v", path, after, err)
		}
	}
}

// A replay that is stopped says so in its object, and how far it is.
func TestStoppedReplay(t *testing.T) {
	t.Parallel()
	file, dir := writeOrders(t, 1000), t.TempDir()
	p := start(t, "shop", "replay", file, "--json", "--data", dir, "--rate", "100")
	awaitOrder(t, dir)
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if got := failed(t, p, "stopped before the end"); got.Lines == 0 || got.Orders == 1000 {
		t.Errorf("the summary is %+v, want how far it is", got)
	}
}

// Of a file that breaks on the way, what was placed is settled and checked.
func TestReplayWhoseFileBreaks(t *testing.T) {
	t.Parallel()
	file, dir := writeOrders(t, 3000), t.TempDir()
	p := start(t, "shop", "replay", file, "--json", "--data", dir, "--rate", "400")
	awaitOrder(t, dir)
	if err := os.Truncate(file, 100); err != nil {
		t.Fatal(err)
	}
	got := failed(t, p, "it was changed while it was replayed")
	if got.Orders == 0 || got.Orders == 3000 || got.Orders != got.Confirmed+got.Cancelled {
		t.Errorf("the summary is %+v, want some orders, all of them settled", got)
	}
	if len(got.Invariants) == 0 || !got.Invariants["nothing_under_way"].OK {
		t.Errorf("invariants are %v, want nothing left under way", got.Invariants)
	}
	verified(t, "--data", dir, "--settled")
}

// Data that was begun with one file and set of options is not gone on with by another.
func TestReplayOfOtherOrders(t *testing.T) {
	t.Parallel()
	file, dir := writeOrders(t, 30), t.TempDir()
	args := func(file string, more ...string) []string {
		return append([]string{"replay", file, "--json", "--data", dir, "--decline", "20"}, more...)
	}
	want := replayed(t, args(file)...)
	other := writeOrders(t, 31)
	before := modified(t, dir)
	for _, again := range [][]string{
		args(file, "--decline", "10"), args(file, "--stock", "11"), args(file, "--style", "mixed"), args(file, "--style", "orchestration"), args(other),
	} {
		got := failed(t, start(t, "shop", again...), "was begun with --stock 10000 --decline 20 --style choreography and the file orders.csv (")
		if got.Orders != 0 {
			t.Errorf("%q: %d orders, want none", again, got.Orders)
		}
	}
	if after := modified(t, dir); before != after {
		t.Errorf("the directory was changed from\n%s to\n%s", before, after)
	}
	same := filepath.Join(t.TempDir(), "renamed.gz")
	if err := os.WriteFile(same, packed(t, file), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, again := range [][]string{args(file), args(file, "--rate", "1000"), args(same)} {
		if got := replayed(t, again...); got.Orders != want.Orders || got.Cancelled != want.Cancelled || len(got.Rejected) != len(want.Rejected) {
			t.Errorf("%q ends with %+v, want %+v", again, got, want)
		}
	}
}

// modified lists files with what a change of them changes.
func modified(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			b.WriteString(path + " " + info.ModTime().Format(time.RFC3339Nano) + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
