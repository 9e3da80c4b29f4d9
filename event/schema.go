package event

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Schema maps the JSON fields of a body, as dotted paths, to their JSON kinds:
// "string", "number", "boolean", "object", "array" or "any". A path through an
// array carries "[]".
type Schema map[string]string

var (
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	jsonMarshaler   = reflect.TypeFor[json.Marshaler]()
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	jsonNumber      = reflect.TypeFor[json.Number]()
)

// SchemaOf derives the fields of T from its exported fields and json tags.
func SchemaOf[T any]() Schema {
	s := Schema{}
	s.add("", reflect.TypeFor[T](), 0)
	return s
}

const maxDepth = 8 // of nesting: recursive types are cut there

func (s Schema) add(path string, t reflect.Type, depth int) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	kind := jsonKind(t)
	if path != "" {
		s[path] = kind
	}
	if depth == maxDepth {
		return
	}
	switch {
	case kind == "array" && t.Kind() != reflect.String:
		s.add(path+"[]", t.Elem(), depth+1)
	case kind == "object" && t.Kind() == reflect.Struct:
		for name, f := range jsonFields(t) {
			sub := name
			if path != "" {
				sub = path + "." + name
			}
			s.add(sub, f.Type, depth+1)
			_, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if kind := s[sub]; (kind == "number" || kind == "boolean") && slices.Contains(strings.Split(options, ","), "string") {
				s[sub] = "string" // it is in quotes
			}
		}
	}
}

// jsonFields returns the fields that JSON has of a struct, by their names there. Those of
// embedded structs are its own, unless one that is less deep has the name, or another
// one as deep that says as much or more about it (encoding/json.Marshal).
func jsonFields(t reflect.Type) map[string]reflect.StructField {
	fields, taken, seen := map[string]reflect.StructField{}, map[string]bool{}, map[reflect.Type]bool{t: true}
	for level := []reflect.Type{t}; len(level) > 0; {
		var deeper []reflect.Type
		tagged, named := map[string][]reflect.StructField{}, map[string][]reflect.StructField{}
		for _, t := range level {
			for i := range t.NumField() {
				f := t.Field(i)
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				embedded := f.Type
				if embedded.Kind() == reflect.Pointer {
					embedded = embedded.Elem()
				}
				switch {
				case f.Tag.Get("json") == "-":
				case f.Anonymous && name == "" && embedded.Kind() == reflect.Struct:
					if !seen[embedded] { // twice on this level is ambiguous
						deeper = append(deeper, embedded)
					}
				case !f.IsExported():
				case name != "":
					tagged[name] = append(tagged[name], f)
				default:
					named[f.Name] = append(named[f.Name], f)
				}
			}
		}
		here := map[string]bool{}
		for _, by := range []map[string][]reflect.StructField{tagged, named} {
			for name, fs := range by {
				if !taken[name] && !here[name] && len(fs) == 1 {
					fields[name] = fs[0]
				}
				here[name] = true
			}
		}
		maps.Copy(taken, here)
		for _, t := range deeper {
			seen[t] = true
		}
		level = deeper
	}
	return fields
}

func jsonKind(t reflect.Type) string {
	if t.Implements(textMarshaler) {
		return "string"
	}
	if p := reflect.PointerTo(t); p.Implements(jsonMarshaler) || p.Implements(jsonUnmarshaler) {
		return "any" // it is read by code of its own
	}
	if t == jsonNumber {
		return "number"
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Struct, reflect.Map:
		return "object"
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return "string" // base64
		}
		return "array"
	case reflect.Interface:
		return "any"
	default:
		return "number"
	}
}

// Conflicts lists the fields that both schemas have with different kinds, in
// order. Fields that only one has are no conflict: consumers read what they need.
func (s Schema) Conflicts(other Schema) []string {
	var out []string
	for _, path := range slices.Sorted(maps.Keys(s)) {
		a, b := s[path], other[path]
		if b != "" && a != b && a != "any" && b != "any" {
			out = append(out, fmt.Sprintf("%s is %s and %s", path, a, b))
		}
	}
	return out
}
