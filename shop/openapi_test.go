package shop_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// These tests hold openapi.yaml true: it is valid, lists the routes that services
// register and no others, and every answer that it lists is given by the real
// shop, in the form that it describes.

func loadAPI(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// Files of the page are text, and nothing more is said of them.
func init() {
	for _, kind := range []string{"text/html", "text/css", "text/javascript", "image/svg+xml"} {
		openapi3filter.RegisterBodyDecoder(kind, func(body io.Reader, _ http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (any, error) {
			text, err := io.ReadAll(body)
			return string(text), err
		})
	}
}

func TestOpenAPIIsValid(t *testing.T) {
	if err := loadAPI(t).Validate(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOpenAPIListsTheRoutes(t *testing.T) {
	doc := loadAPI(t)
	listed := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			listed[op.Tags[0]+": "+method+" "+path] = true
		}
	}
	registered := routesInSource(t)
	for route := range registered {
		if !listed[route] {
			t.Errorf("%s is not in openapi.yaml", route)
		}
	}
	for route := range listed {
		if !registered[route] {
			t.Errorf("%s is in openapi.yaml, but no service has it", route)
		}
	}
}

// routesInSource finds the patterns that services register, as "service: GET /path".
func routesInSource(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, name := range services {
		files, err := filepath.Glob(filepath.Join(name, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if pattern, ok := handled(n); ok {
					found[name+": "+strings.TrimSuffix(pattern, "{$}")] = true
				}
				return true
			})
		}
	}
	return found
}

// handled is the pattern of a call like s.Handle("GET /orders", …).
func handled(n ast.Node) (string, bool) {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) != 2 {
		return "", false
	}
	fn, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || fn.Sel.Name != "Handle" {
		return "", false
	}
	text, ok := call.Args[0].(*ast.BasicLit)
	if !ok {
		return "", false
	}
	pattern, err := strconv.Unquote(text.Value)
	return pattern, err == nil
}

// unreached are answers that a test cannot have in reasonable time.
var unreached = map[string]string{
	"POST /stock/{sku}/receipts 409": "a million receipts of the largest size would have to come first",
}

func TestOpenAPIHoldsTrue(t *testing.T) {
	eachStyle(t, func(s *shop) {
		c := &conversation{shop: s, doc: loadAPI(t), had: map[string]bool{}}
		c.page()
		c.products()
		c.customers()
		c.stock()
		c.carts()
		c.checkout()
		c.orders()
		c.cancellations()
		c.returns()
		c.followUps()
		c.expectAll()
	})
}

// conversation makes requests of the shop, and compares requests and answers with
// the document.
type conversation struct {
	*shop
	doc *openapi3.T
	had map[string]bool // answers: "GET /path 200"
}

// expectAll reports the answers that are listed and were not had.
func (c *conversation) expectAll() {
	for path, item := range c.doc.Paths.Map() {
		for method, op := range item.Operations() {
			for status := range op.Responses.Map() {
				answer := method + " " + path + " " + status
				if !c.had[answer] && unreached[answer] == "" {
					c.T().Errorf("%s is in openapi.yaml, but was never the answer", answer)
				}
			}
		}
	}
}

// call makes a request like "GET /orders/o1", and expects a status. An answer
// outside of the document is an error; so is a request that the shop takes and the
// document does not allow, or that the shop calls wrong in itself (400) and the
// document allows.
func (c *conversation) call(want int, request, key, body string) answer {
	c.T().Helper()
	header := http.Header{}
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	if body != "" {
		header.Set("Content-Type", "application/json")
	}
	return c.send(want, request, header, body)
}

// answer is a response that was read.
type answer struct {
	header  http.Header
	body    []byte
	allowed bool // the request, by the document
}

// broken makes a request that breaks a rule that the document has too.
func (c *conversation) broken(request, key, body string) {
	c.T().Helper()
	if c.call(422, request, key, body).allowed {
		c.T().Errorf("%s with %.200s breaks a rule, but the document allows it", request, body)
	}
}

func (c *conversation) send(want int, request string, header http.Header, body string) answer {
	t := c.T()
	t.Helper()
	method, target, _ := strings.Cut(request, " ")
	r, err := http.NewRequestWithContext(t.Context(), method, "http://shop"+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	in := c.input(r)
	allowed := openapi3filter.ValidateRequest(t.Context(), in)
	r.Body = io.NopCloser(strings.NewReader(body))
	res, err := c.HTTP(in.Route.Operation.Tags[0]).Do(r)
	if err != nil {
		t.Fatalf("%s: %v", request, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s: %v", request, err)
	}
	if res.StatusCode != want {
		t.Fatalf("%s: %d %s, want %d", request, res.StatusCode, text, want)
	}
	if want < 300 && allowed != nil {
		t.Errorf("%s is answered with %d, but the document does not allow it: %v", request, want, allowed)
	}
	if want == http.StatusBadRequest && allowed == nil {
		t.Errorf("%s with %.200s is a bad request, but the document allows it", request, body)
	}
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: res.StatusCode, Header: res.Header, Body: io.NopCloser(bytes.NewReader(text)), Options: options(),
	})
	if err != nil {
		t.Errorf("%s: %d is not as the document says: %v", request, want, err)
	}
	c.had[method+" "+in.Route.Path+" "+strconv.Itoa(want)] = true
	return answer{res.Header, text, allowed == nil}
}

func options() *openapi3filter.Options {
	return &openapi3filter.Options{IncludeResponseStatus: true}
}

// input finds the operation that a request is for.
func (c *conversation) input(r *http.Request) *openapi3filter.RequestValidationInput {
	c.T().Helper()
	best, params := "", map[string]string(nil)
	for path := range c.doc.Paths.Map() {
		if found, ok := matchPath(path, r.URL.EscapedPath()); ok && (params == nil || len(found) < len(params)) {
			best, params = path, found
		}
	}
	item := c.doc.Paths.Value(best)
	if item == nil || item.GetOperation(r.Method) == nil {
		c.T().Fatalf("%s %s is not in openapi.yaml", r.Method, r.URL.Path)
	}
	return &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Options: options(),
		Route: &routers.Route{Spec: c.doc, Path: best, PathItem: item, Method: r.Method, Operation: item.GetOperation(r.Method)},
	}
}

// matchPath compares a path with a template, and returns what its parameters are.
func matchPath(template, path string) (map[string]string, bool) {
	want, have := strings.Split(template, "/"), strings.Split(path, "/")
	params := map[string]string{}
	if len(want) != len(have) {
		return nil, false
	}
	for i, segment := range want {
		name, isParam := strings.CutPrefix(segment, "{")
		if !isParam && segment != have[i] {
			return nil, false
		}
		if isParam {
			value, err := url.PathUnescape(have[i])
			if err != nil {
				return nil, false
			}
			params[strings.TrimSuffix(name, "}")] = value
		}
	}
	return params, true
}

// text is a string in an answer's JSON.
func (c *conversation) text(a answer, field string) string {
	c.T().Helper()
	var v map[string]any
	if err := json.Unmarshal(a.body, &v); err != nil {
		c.T().Fatal(err)
	}
	s, ok := v[field].(string)
	if !ok {
		c.T().Fatalf("%s has no text %s", a.body, field)
	}
	return s
}

// settle waits until an order ends.
func (c *conversation) settle(order, status string) {
	c.T().Helper()
	var got string
	for range 600 {
		if got = c.text(c.call(200, "GET /orders/"+order, "", ""), "status"); got == status {
			return
		}
		c.Sleep(100 * time.Millisecond)
	}
	c.T().Fatalf("order %s is %s, want %s", order, got, status)
}

var large = `{"name":"` + strings.Repeat("x", 1<<20) + `"}`

// wrong makes the requests that every operation with a body refuses alike.
func (c *conversation) wrong(request, key, body string) {
	c.T().Helper()
	for _, text := range []string{"", "{", "[]", `"text"`, `{"unknown":1}`, strings.TrimSuffix(body, "}") + `,"unknown":1}`} {
		c.call(400, request, key, text)
	}
	c.call(413, request, key, large)
}

func long(n int) string { return strings.Repeat("x", n) }
