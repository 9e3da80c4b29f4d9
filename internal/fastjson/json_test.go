package fastjson

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

type leaf struct {
	Name  string `json:"name"`
	Count int    `json:"count,omitempty"`
	Any   any    `json:"any"`
}

type rich struct {
	leaf
	ID      string           `json:"id"`
	Small   int8             `json:"small"`
	Plain   uint             `json:"plain"`
	Price   float64          `json:"price"`
	On      bool             `json:"on"`
	At      time.Time        `json:"at"`
	Raw     json.RawMessage  `json:"raw"`
	Bytes   []byte           `json:"bytes"`
	Leaves  []leaf           `json:"leaves"`
	Pair    [2]int           `json:"pair"`
	ByName  map[string]*leaf `json:"byName"`
	ByInt   map[int]float32  `json:"byInt"`
	Next    *rich            `json:"next"`
	Quoted  int64            `json:"quoted,string"`
	Number  json.Number      `json:"number"`
	Numbers []json.Number    `json:"numbers"`
	Untold  string           `json:"-"`
	Tagless string
}

var documents = []string{
	`{"id":"1","name":"n","count":2,"any":{"a":[1,"x",null]},"small":-3,"plain":4,"price":1.5e3,"on":true,"at":"2026-01-02T03:04:05.678Z"}`,
	`{"raw":{"a": [1, 2]},"bytes":"aGVsbG8=","leaves":[{"name":"a"},{"NAME":"b"}],"pair":[1,2,3],"byName":{"x":{"count":1},"y":null},"byInt":{"1":2.5}}`,
	`{"next":{"next":{"id":"deep"}},"quoted":"12","number":12.50,"numbers":[1,"2",-3e7],"Tagless":"t","tagless":"u","unknown":{"a":1}}`,
	`{"id":"a","id":"b"}`, `{"ID":"upper","Id":"mixed"}`, `{"id":null,"leaves":null,"number":null}`, "{\"id\":\"\xff\"}", `{"id":"\ud800"}`,
	`{"small":300}`, `{"small":1.5}`, `{"small":"1"}`, `{"quoted":12}`, `{"number":"x"}`, `{"pair":[1]}`, `{"at":"yesterday"}`, `{"bytes":"?"}`,
	`[]`, `null`, `{}`, ``, ` `, `{`, `{"id"`, `{} {}`, `nul`, `{"id":01}`, `{"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`,
}

// What is read is what encoding/json reads, whatever the document, and where one of
// them fails, the other does.
func FuzzUnmarshal(f *testing.F) {
	for _, d := range documents {
		f.Add(d)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		same[rich](t, doc)
		same[leaf](t, doc)
		same[map[string]any](t, doc)
		same[[]json.Number](t, doc)
	})
}

func same[T any](t *testing.T, doc string) {
	t.Helper()
	for _, is := range []struct {
		name      string
		got, want func(*T) error
	}{
		{"Unmarshal", func(v *T) error { return Unmarshal([]byte(doc), v) }, func(v *T) error { return json.Unmarshal([]byte(doc), v) }},
		{"Strict", func(v *T) error { return Strict([]byte(doc), v) }, func(v *T) error {
			if err := json.Unmarshal([]byte(doc), new(T)); err != nil { // what follows the first value
				return err
			}
			d := json.NewDecoder(strings.NewReader(doc))
			d.DisallowUnknownFields()
			return d.Decode(v)
		}},
	} {
		got, want := new(T), new(T)
		gotErr, wantErr := is.got(got), is.want(want)
		if (gotErr == nil) != (wantErr == nil) {
			t.Errorf("%s(%q): error %v, of encoding/json %v", is.name, doc, gotErr, wantErr)
		}
		if wantErr == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%s(%q) = %+v, of encoding/json %+v", is.name, doc, *got, *want)
		}
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	type line struct {
		SKU       string `json:"sku"`
		Quantity  int    `json:"quantity"`
		UnitPrice int64  `json:"unitPrice"`
	}
	type order struct {
		ID       string    `json:"id"`
		Customer string    `json:"customer"`
		Lines    []line    `json:"lines"`
		Total    int64     `json:"total"`
		Deadline time.Time `json:"deadline"`
	}
	doc := []byte(`{"id":"o-1","customer":"ada","lines":[{"sku":"tea","quantity":2,"unitPrice":250},{"sku":"cup","quantity":1,"unitPrice":900}],"total":1400,"deadline":"2026-01-02T03:04:05.678Z"}`)
	for _, by := range []struct {
		name string
		read func([]byte, any) error
	}{{"this", Unmarshal}, {"encoding/json", json.Unmarshal}} {
		b.Run(by.name, func(b *testing.B) {
			for b.Loop() {
				if err := by.read(doc, new(order)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
