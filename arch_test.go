package tutti_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/tutti-go/tutti/"

// rule says what the packages that match a pattern may import. Patterns are paths
// below the module; a trailing "*" matches the rest.
type rule struct {
	packages string
	may      []string // packages of ours
	why      string
}

// The first rule that matches a package holds. A package without a rule fails the
// test: think about where it stands before you add its row.
var rules = []rule{
	{"event", []string{"internal/fastjson"},
		"the vocabulary is shared by all, so it must cost its users nothing"},
	{"problem", nil,
		"any layer may give an error its kind"},
	{"internal/bus", []string{"kafka", "internal/cli"},
		"the settings of the bus are the same for every command"},
	{"internal/kafkatest", []string{"event", "kafka"},
		"tests of all packages find real Kafka in the same way"},
	{"internal/*", nil,
		"a helper that needs more of ours is a part of what it needs"},
	{"kafka", []string{"event", "internal/*"},
		"the bus moves records; it knows no database and no handlers"},
	{"store", []string{"event", "internal/*"},
		"a database works without a broker, so that it can be tested and repaired alone"},
	{"job", []string{"event", "store", "internal/fastjson"},
		"jobs are recorded in a transaction; who runs them is not their business"},
	{"service", []string{"event", "job", "kafka", "problem", "store", "internal/*"},
		"the one place where bus and database meet"},
	{"saga", []string{"event", "job", "problem", "service", "store", "internal/*"},
		"a saga is handlers, jobs and tables of a service, and nothing that a service of ours could not have"},
	{"tuttitest", []string{"event", "job", "kafka", "problem", "service", "store", "internal/*"},
		"the world for tests is built of what users have"},

	{"shop/*v1", []string{"event"},
		"a contract is data only: whoever imports it gets nothing else"},
	{"shop/gateway", []string{"event", "problem", "store", "shop/*v1", "internal/*"},
		"the simulated outside world must not share code with the services that call it"},
	{"shop/replay", []string{"event", "kafka", "problem", "shop/*v1", "shop/verify", "internal/*"},
		"replay is a customer: it uses the shop's front door, and watches the log"},
	{"shop/verify", []string{"event", "kafka", "store", "shop/*v1", "internal/*"},
		"an auditor reads what is stored, and must not share the code that it audits"},
	{"shop/fulfilment", []string{"event", "saga", "service", "shop/*v1"},
		"a mediator directs others by their contracts, and does nothing itself"},
	{"shop/*", []string{"event", "job", "problem", "service", "store", "shop/*v1", "internal/bulk", "internal/card", "internal/fastjson", "internal/ident"},
		"services meet in contracts only, never in each other's code; no service touches the bus"},

	{"cmd/tutti", []string{"event", "job", "kafka", "problem", "service", "store", "internal/*"},
		"the tool serves every application, so it must not know the shop"},
	{"cmd/shop", []string{"event", "job", "kafka", "problem", "service", "store", "internal/*", "shop/*"},
		"a command wires everything"},
	{"torture", []string{"service", "internal/*", "shop/*v1", "shop/verify"},
		"it does to the shop what happens to processes, from outside: what it knows is what anybody is told"},
	{"bench*", []string{"event", "job", "kafka", "problem", "service", "store", "shop/*", "internal/*"},
		"benchmarks measure what users run"},
	{"examples/*", []string{"event", "job", "kafka", "problem", "saga", "service", "store", "tuttitest", "examples/*"},
		"examples show what a user can do, with what a user has"},
	{"shop", nil, "it holds tests over all services, and no code"},
	{"interop", nil, "it holds tests against programs of others, and no code of ours"},
	{"", nil, "the root holds tests and no code"},
}

// outside says which packages alone may import something of others.
var outside = []struct {
	imports string
	only    []string
	why     string
}{
	{"github.com/twmb/franz-go*", []string{"kafka"},
		"one package has to change with the client"},
	{"golang.org/x/oauth2*", []string{"internal/bus"},
		"tokens are fetched where the settings say from whom"},
	{"modernc.org/sqlite*", []string{"store", "torture"},
		"a driver is chosen by the store, not by services; a soak looks at files that another process has open"},
	{"github.com/jackc/pgx*", []string{"store"},
		"a driver is chosen by the store, not by services"},
	{"database/sql*", []string{"store", "torture"},
		"services write plain SQL through their transaction, where position and outbox are; a soak counts rows"},
	{"github.com/spf13/*", []string{"internal/cli", "cmd/*", "torture"},
		"only commands have flags"},
	{"github.com/mattn/go-isatty", []string{"cmd/*"},
		"only commands have a terminal"},
	{"net/http/httptest", nil,
		"a server for tests has no place in a program"},
	{"testing*", []string{"tuttitest", "internal/kafkatest"},
		"it adds flags to every program that imports it"},
}

// pkg is what go list says of a package.
type pkg struct {
	ImportPath   string
	Name         string
	Dir          string
	GoFiles      []string
	Imports      []string
	TestGoFiles  []string
	XTestGoFiles []string
}

func (p pkg) name() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, strings.TrimSuffix(module, "/")), "/")
}

func packages(t *testing.T) []pkg {
	t.Helper()
	ps, err := listed()
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

var listed = sync.OnceValues(func() (ps []pkg, err error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Dir,GoFiles,Imports,TestGoFiles,XTestGoFiles", "./...")
	out, err := cmd.Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			return nil, fmt.Errorf("go list: %w\n%s", err, failed.Stderr)
		}
		return nil, fmt.Errorf("go list: %w", err)
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return ps, nil
		} else if err != nil {
			return nil, fmt.Errorf("read go list: %w", err)
		}
		ps = append(ps, p)
	}
})

// match reports whether a path fits a pattern: "*" stands for any text.
func match(pattern, path string) bool {
	before, after, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == path
	}
	return len(path) >= len(before)+len(after) && strings.HasPrefix(path, before) && strings.HasSuffix(path, after)
}

func matchAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, path) })
}

func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		i := slices.IndexFunc(rules, func(r rule) bool { return match(r.packages, p.name()) })
		if i < 0 {
			t.Errorf("package %s has no rule in the table of arch_test.go", p.name())
			continue
		}
		for _, imported := range p.Imports {
			name, ours := strings.CutPrefix(imported, module)
			if ours && !matchAny(rules[i].may, name) {
				t.Errorf("%s imports %s: %s", p.name(), name, rules[i].why)
			}
			for _, o := range outside {
				if !ours && match(o.imports, imported) && !matchAny(o.only, p.name()) {
					t.Errorf("%s imports %s: %s", p.name(), imported, o.why)
				}
			}
		}
	}
}

// Contracts hold declarations: no functions but the methods of their types.
func TestContractsAreData(t *testing.T) {
	for _, p := range packages(t) {
		if !match("shop/*v1", p.name()) {
			continue
		}
		for _, name := range p.GoFiles {
			for _, decl := range parse(t, filepath.Join(p.Dir, name)).Decls {
				if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
					t.Errorf("%s/%s has the function %s: a contract is data only", p.name(), name, f.Name)
				}
			}
		}
	}
}

// A package of the framework says in doc.go what it is for, what it guarantees,
// what it does not do, how it behaves under concurrency, and how to test with it.
// Other packages and commands say in a comment what they are for.
func TestDocs(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) == 0 {
			continue
		}
		if strings.Contains(p.name(), "/") || p.Name == "main" {
			if !slices.ContainsFunc(p.GoFiles, func(f string) bool { return parse(t, filepath.Join(p.Dir, f)).Doc != nil }) {
				t.Errorf("package %s has no comment that says what it is for", p.name())
			}
			continue
		}
		if !slices.Contains(p.GoFiles, "doc.go") {
			t.Errorf("package %s has no doc.go", p.name())
			continue
		}
		doc := parse(t, filepath.Join(p.Dir, "doc.go")).Doc.Text()
		if !strings.HasPrefix(doc, "Package "+p.name()+" ") {
			t.Errorf("%s/doc.go does not begin with what the package is for", p.name())
		}
		for _, heading := range []string{"# Guarantees", "# What it does not do", "# Concurrency", "# Testing"} {
			if !strings.Contains(doc, heading+"\n") {
				t.Errorf("%s/doc.go has no section %q", p.name(), heading)
			}
		}
	}
}

const maxLines = 450 // of a file that is not a test

func TestFilesAreShort(t *testing.T) {
	for _, p := range packages(t) {
		for _, name := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(text, []byte("\n")); n > maxLines && !ast.IsGenerated(parse(t, filepath.Join(p.Dir, name))) {
				t.Errorf("%s/%s has %d lines, want at most %d: split it by noun", p.name(), name, n, maxLines)
			}
		}
	}
}

// Every service owns its tables: its SQL is in its own package, and it names none
// that another service's migrations create.
func TestServicesOwnTheirTables(t *testing.T) {
	owner := map[string]string{} // service, by table
	services, err := filepath.Glob("shop/*/migrations")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range services {
		for _, file := range glob(t, dir, ".sql") {
			for _, table := range created(read(t, file)) {
				service := filepath.Base(filepath.Dir(dir))
				owner[service+"."+table] = service
			}
		}
	}
	if len(services) > 0 && len(owner) == 0 {
		t.Error("no migration creates a table: does this test still read them?")
	}
	for _, dir := range services {
		service := filepath.Base(filepath.Dir(dir))
		for _, file := range glob(t, filepath.Dir(dir), ".go") {
			for _, used := range tables(t, file) {
				if owner[service+"."+used] == "" {
					t.Errorf("%s: SQL of service %s names table %s, which it does not create", file, service, used)
				}
			}
		}
	}
}

func glob(t *testing.T, dir, ext string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ext && !strings.HasSuffix(path, "_test.go") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func parse(t *testing.T, path string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// created returns the tables that SQL creates.
func created(sql string) []string { return after(sql, "TABLE") }

// tables returns the tables that the SQL in a file's string literals names.
func tables(t *testing.T, path string) []string {
	var names []string
	ast.Inspect(parse(t, path), func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		sql := strings.Trim(lit.Value, "`\"")
		first, _, _ := strings.Cut(strings.TrimSpace(sql), " ")
		if slices.Contains([]string{"SELECT", "INSERT", "UPDATE", "DELETE"}, first) {
			names = append(names, after(sql, "FROM", "INTO", "UPDATE", "JOIN")...)
		}
		return true
	})
	return names
}

// after returns the names that follow any of the keywords.
func after(sql string, keywords ...string) (names []string) {
	words := strings.FieldsFunc(sql, func(r rune) bool { return strings.ContainsRune(" \t\n(),;", r) })
	for i, w := range words[:max(len(words)-1, 0)] {
		next := words[i+1]
		if slices.Contains([]string{"SET", "SELECT", "VALUES"}, next) {
			continue
		}
		if slices.Contains(keywords, w) {
			names = append(names, strings.Trim(next, "`\""))
		}
	}
	return names
}
