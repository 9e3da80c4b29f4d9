package tutti_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/internal/command"
	"github.com/tutti-go/tutti/internal/lock"
)

// These tests hold the documentation true. A fenced block says after its fence what
// it is:
//
//	sh              commands that the reader types; each has to succeed
//	sh background   a program that stays; the next block runs once it is ready
//	output          what the block before prints, letter by letter; … matches any text
//	LANG file=PATH  a file that the reader writes
//
// All others are for reading only (the test command of README is not typed within itself). .ci/docs runs the commands of all documents, and
// TestGuide those of the guide.

// documents are the project's pages.
func documents(t *testing.T) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "data" || d.Name() == "bin"):
			return filepath.SkipDir
		case filepath.Ext(path) == ".md":
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) < 5 {
		t.Fatalf("only %v are documents: does this test still find them?", paths)
	}
	return paths
}

// block is a fenced block of a document.
type block struct {
	line int // of its fence
	info string
	text string
}

func (b block) file() string {
	_, path, _ := strings.Cut(b.info, " file=")
	return path
}

func blocks(t *testing.T, path string) (out []block) {
	t.Helper()
	var open *block
	for i, line := range strings.Split(read(t, path), "\n") {
		info, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && open == nil:
			open = &block{line: i + 1, info: info}
		case fence:
			out = append(out, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	if open != nil {
		t.Errorf("%s:%d: the block does not end", path, open.line)
	}
	return out
}

// TestGuide types what the guide says, in a directory beside a copy of nothing but
// this repository, and compares what is printed.
func TestGuide(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("the guide's commands need %s: %v", program, err)
		}
	}
	const guide = "docs/first-service.md"
	work := sameDir(t)
	standIn(t, filepath.Join(work, "tutti"))
	steps := blocks(t, guide)
	address := freeAddress(t)
	operators := freeAddress(t)
	script := strings.NewReplacer("127.0.0.1:8080", address, "127.0.0.1:9090", operators).Replace(scriptOf(steps, work))
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir = filepath.Join(work, "tutti")
	// The sums of all modules were checked when this module's were downloaded.
	cmd.Env = append(os.Environ(), "TUTTI_HTTP="+address, "TUTTI_ADMIN="+operators, "GOSUMDB=off", "GOWORK=off", "GOFLAGS=-buildvcs=false")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s%s", guide, err, said, outputs(steps, work))
	}
	for i, b := range steps {
		if b.info != "output" {
			continue
		}
		got := strings.ReplaceAll(read(t, outputOf(work, i-1)), address, "127.0.0.1:8080")
		if !matchText(b.text, got) {
			t.Errorf("%s:%d: the block before prints\n%swant\n%s", guide, b.line, got, b.text)
		}
	}
}

// sameDir makes a directory that is the same at each run in this checkout, because Go's
// build cache tells packages apart by their directories too. Where that cannot be, or
// another run has it, the directory is a new one.
func sameDir(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	here, e := os.Getwd()
	if errors.Join(err, e) != nil {
		return t.TempDir()
	}
	dir := filepath.Join(cache, "tutti", fmt.Sprintf("guide-%08x", crc32.ChecksumIEEE([]byte(here))))
	if os.MkdirAll(filepath.Dir(dir), 0o755) != nil {
		return t.TempDir()
	}
	release, err := lock.File(dir + ".lock")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := errors.Join(os.RemoveAll(dir), release()); err != nil {
			t.Error(err)
		}
	})
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// standIn makes a directory that looks like this repository. Its parent is for what
// the guide makes beside it.
func standIn(t *testing.T, dir string) {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(here)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.Symlink(filepath.Join(here, e.Name()), filepath.Join(dir, e.Name())); err != nil {
			t.Skipf("the guide needs a directory named tutti: %v", err)
		}
	}
}

// scriptOf joins the blocks to one script, so that cd and variables last.
func scriptOf(steps []block, work string) string {
	var s strings.Builder
	s.WriteString(`set -euo pipefail
set -m # each program in the background is a process group, which is stopped as a whole
pids=()
finish() { for p in "${pids[@]}"; do kill -INT -- "-$p" 2>/dev/null || true; wait "$p" || true; done; }
trap finish EXIT
ready() {
  for _ in $(seq 3000); do # it may have to be compiled, beside all other tests
    curl -fsS -o /dev/null http://127.0.0.1:8080/readyz 2>/dev/null && return
    kill -0 "${pids[-1]}" || { echo "the program ended before it was ready"; exit 1; }
    sleep 0.1
  done
  echo "not ready after five minutes"; exit 1
}
`)
	for i, b := range steps {
		switch {
		case b.info == "sh":
			fmt.Fprintf(&s, "{\n%s} > %q 2>&1\n", b.text, outputOf(work, i))
		case b.info == "sh background":
			fmt.Fprintf(&s, "{\n%s} > %q 2>&1 & pids+=($!); ready\n", b.text, outputOf(work, i))
		case b.file() != "":
			fmt.Fprintf(&s, "mkdir -p %q && cat > %q <<'END_OF_BLOCK'\n%sEND_OF_BLOCK\n", filepath.Dir(b.file()), b.file(), b.text)
		}
	}
	return s.String()
}

func outputOf(work string, step int) string {
	return filepath.Join(work, fmt.Sprintf("output-%d", step))
}

// outputs is what the blocks have printed, for a test that fails.
func outputs(steps []block, work string) string {
	var out strings.Builder
	for i, b := range steps {
		if text, err := os.ReadFile(outputOf(work, i)); err == nil {
			fmt.Fprintf(&out, "--- line %d\n%s%s", b.line, b.text, text)
		}
	}
	return out.String()
}

// matchText compares text line by line; "…" in want matches any text.
func matchText(want, got string) bool {
	parts := strings.Split(want, "…")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	return regexp.MustCompile("^" + strings.Join(parts, ".*") + "$").MatchString(got)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// The service that README shows is the example, from its main function on.
func TestReadmeShowsTheExample(t *testing.T) {
	_, example, found := strings.Cut(read(t, "examples/hello/main.go"), "func main()")
	if !found {
		t.Fatal("examples/hello/main.go has no main function")
	}
	shown := slices.IndexFunc(blocks(t, "README.md"), func(b block) bool { return b.info == "go" && b.text == "func main()"+example })
	if shown < 0 {
		t.Error("README.md does not show examples/hello/main.go from its main function on")
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestLinksInDocs(t *testing.T) {
	for _, path := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(prose(read(t, path)), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			target := filepath.Join(filepath.Dir(path), file)
			if file == "" {
				target = path
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: link to %s: %v", path, m[1], err)
				continue
			}
			if anchor != "" && !slices.Contains(anchors(read(t, target)), anchor) {
				t.Errorf("%s: link to %s: there is no such heading", path, m[1])
			}
		}
	}
}

var code = regexp.MustCompile("(?ms)^ *```.*?^ *```$|`[^`\n]*`")

// prose is a document's text without its code.
func prose(text string) string { return code.ReplaceAllString(text, "") }

// anchors are the names of a document's headings, as GitHub makes them.
func anchors(text string) (names []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		heading, found := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
		if !found || !strings.HasPrefix(line, "#") {
			continue
		}
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r > 0x7f:
				return r
			}
			return -1
		}, strings.ToLower(strings.TrimSpace(heading)))
		names = append(names, name)
	}
	return names
}

var testName = regexp.MustCompile("`(Test[A-Z]\\w*)`")

// A test that a document names as evidence is there.
func TestNamesInDocs(t *testing.T) {
	var tests strings.Builder
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, "_test.go") {
			tests.WriteString(read(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range documents(t) {
		for _, m := range testName.FindAllStringSubmatch(read(t, path), -1) {
			if !strings.Contains(tests.String(), "\nfunc "+m[1]+"(") {
				t.Errorf("%s names the test %s, which is not there", path, m[1])
			}
		}
	}
}

// named is a command of ours that a document names.
var named = regexp.MustCompile("(?m)(?:^|`|\\$ )(?:go run \\./cmd/)?(shop|tutti)((?: +[^`\n#|&\\\\]+)?)(?:`|$)")

// Commands, subcommands and flags that documents name are there.
func TestCommandsInDocs(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	if err := command.Build(t.Context(), bin, module+"cmd/shop", module+"cmd/tutti"); err != nil {
		t.Fatal(err)
	}
	help := map[string]string{}
	for _, path := range documents(t) {
		for _, m := range named.FindAllStringSubmatch(read(t, path), -1) {
			if err := checkCommand(bin, m[1], strings.Fields(m[2]), help); err != nil {
				t.Errorf("%s: %q: %v", path, strings.Trim(m[0], "`$ "), err)
			}
		}
	}
	if len(help) < 2 {
		t.Errorf("documents name only the commands %v: does this test still find them?", help)
	}
}

var flagName = regexp.MustCompile(`^--[a-z-]+`)

var word = regexp.MustCompile(`^[a-z]+$`)

// learnHelp asks a command for its help text.
func learnHelp(bin, name string, help map[string]string) error {
	if _, known := help[name]; known {
		return nil
	}
	fields := strings.Fields(name)
	var stderr bytes.Buffer
	cmd := exec.Command(filepath.Join(bin, fields[0]), append(fields[1:], "--help")...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%w: %s", err, stderr.String())
	}
	help[name] = string(out)
	return nil
}

// checkCommand compares a command with its help text.
func checkCommand(bin, program string, args []string, help map[string]string) error {
	name := program
	if len(args) > 0 && word.MatchString(args[0]) {
		name += " " + args[0]
	}
	if err := learnHelp(bin, name, help); err != nil {
		return err
	}
	if len(args) > 1 && word.MatchString(args[1]) { // perhaps a command below it
		below := name + " " + args[1]
		if err := learnHelp(bin, below, help); err != nil {
			return err
		}
		if strings.Contains(help[below], below+" ") {
			name = below
		}
	}
	if !strings.Contains(help[name], name+" ") {
		return errors.New("there is no such command")
	}
	for _, arg := range args {
		if flag := flagName.FindString(arg); flag != "" && !regexp.MustCompile(regexp.QuoteMeta(flag)+`\b[^-]`).MatchString(help[name]) {
			return fmt.Errorf("there is no flag %s", flag)
		}
	}
	return nil
}
