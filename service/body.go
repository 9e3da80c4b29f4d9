package service

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"

	"github.com/tutti-go/tutti/internal/fastjson"
	"github.com/tutti-go/tutti/problem"
)

// MaxBody is the most bytes of a request body that [ReadJSON] takes.
const MaxBody = 1 << 20

// ReadJSON decodes the request's body into v. Unknown fields, a second value, a
// wrong type or too many bytes are errors of the caller, told in terms of the
// document: "lines[1].quantity is a string, want a whole number".
func ReadJSON(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := io.ReadAll(http.MaxBytesReader(bare(w), r.Body, MaxBody))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return problem.Large("body is over %d bytes", large.Limit)
		}
		return problem.BadRequest("read body: %w", err)
	}
	if fastjson.Strict(body, v) == nil {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(body)) // it is slower, and knows where it goes wrong
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return problem.BadRequest("%s", misread(err, body, reflect.TypeOf(v)))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return problem.BadRequest("body has more than one JSON value: something follows the first, at byte %d", dec.InputOffset())
	}
	return nil
}

// misread says what is wrong with a body. The decoder's own words name types of the
// program, which are none of the caller's business.
func misread(err error, body []byte, into reflect.Type) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF):
		return "body is empty, want JSON"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Sprintf("body is no JSON: it ends too early, after %d bytes", len(body))
	case errors.As(err, &syntax):
		return fmt.Sprintf("body is no JSON: %v, at byte %d", syntax, syntax.Offset)
	case errors.As(err, &kind):
		return fmt.Sprintf("%s is %s, want %s, at byte %d", pathTo(body, kind.Offset), found(kind.Value), wanted(kind.Type), kind.Offset)
	}
	if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
		return fmt.Sprintf("body has a field %s, which is none that is known here: want %s", name, strings.Join(fields(into, "", 3), ", "))
	}
	return "body cannot be read: " + strings.TrimPrefix(err.Error(), "json: ")
}

// fields are the members that a document may have, as "address.city" and "lines[].sku".
func fields(t reflect.Type, path string, depth int) (names []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		if t.Kind() == reflect.Slice && path != "" {
			path += "[]"
		}
		t = t.Elem()
	}
	if t.Kind() == reflect.Struct && depth > 0 {
		for _, f := range reflect.VisibleFields(t) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.IsExported() && name != "" && name != "-" {
				names = append(names, fields(f.Type, strings.TrimPrefix(path+"."+name, "."), depth-1)...)
			}
		}
	}
	if names == nil && path != "" {
		names = []string{path}
	}
	return names
}

// found is what the document has, as the decoder calls it: "string", "number 1.5".
func found(value string) string {
	switch {
	case strings.HasPrefix(value, "number "):
		return "the " + value
	case value == "bool":
		return "true or false"
	case value == "object" || value == "array":
		return "an " + value
	}
	return "a " + value
}

// wanted is what a document has for a type.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return fmt.Sprintf("a whole number of at most %d bits", t.Bits())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return fmt.Sprintf("a whole number of at most %d bits, not below 0", t.Bits())
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Map, reflect.Struct:
		return "an object"
	}
	return "a string"
}

// pathTo names the value that ends, or begins, at an offset: "lines[1].quantity".
func pathTo(body []byte, offset int64) string {
	type level struct {
		array bool
		index int    // of the element that is read
		name  string // of the member that is read
		named bool   // the name has been read
	}
	var in []level
	at := func() string {
		var b strings.Builder
		for _, l := range in {
			switch {
			case l.array:
				fmt.Fprintf(&b, "[%d]", l.index)
			case b.Len() > 0:
				b.WriteString("." + l.name)
			default:
				b.WriteString(l.name)
			}
		}
		if b.Len() == 0 {
			return "body"
		}
		return b.String()
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	for {
		token, err := dec.Token()
		if err != nil {
			return at()
		}
		last := len(in) - 1
		if last >= 0 && !in[last].array && !in[last].named && token != json.Delim('}') {
			in[last].name, in[last].named = token.(string)
			continue
		}
		if dec.InputOffset() >= offset {
			return at()
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			in = append(in, level{array: token == json.Delim('[')})
			continue
		case json.Delim('}'), json.Delim(']'):
			in, last = in[:last], last-1
		}
		if last >= 0 {
			in[last].index++
			in[last].named = false
		}
	}
}
