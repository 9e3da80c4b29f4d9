package service_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/service"
)

// What is wrong with a body is told in terms of the document, not of the program.
func TestReadJSON(t *testing.T) {
	type line struct {
		SKU      string  `json:"sku"`
		Quantity int64   `json:"quantity"`
		Weight   float64 `json:"weight"`
	}
	type request struct {
		Name    string           `json:"name"`
		Gift    bool             `json:"gift"`
		Small   *uint8           `json:"small"`
		Lines   []line           `json:"lines"`
		Numbers map[string][]int `json:"numbers"`
		To      struct {
			City string `json:"city"`
		} `json:"to"`
	}
	for _, tc := range []struct{ name, body, want string }{
		{"fine", `{"name":"a","gift":true,"lines":[{"sku":"x","quantity":2}],"to":{"city":"Bath"}}`, ""},
		{"string for number", `{"lines":[{"quantity":1},{"sku":"x","quantity":"2"}]}`, "lines[1].quantity is a string, want a whole number of at most 64 bits, at byte 50"},
		{"number for string", `{"name":7}`, "name is a number, want a string, at byte 9"},
		{"number after others", `{"gift":false,"to":{"city":1}}`, "to.city is a number, want a string"},
		{"fraction", `{"lines":[{"quantity":1.5}]}`, "lines[0].quantity is the number 1.5, want a whole number"},
		{"too large", `{"lines":[{"quantity":99999999999999999999}]}`, "lines[0].quantity is the number 99999999999999999999, want a whole number of at most 64 bits"},
		{"below nothing", `{"small":-1}`, "small is the number -1, want a whole number of at most 8 bits, not below 0"},
		{"number for truth", `{"gift":1}`, "gift is a number, want true or false"},
		{"truth for number", `{"lines":[{"weight":true}]}`, "lines[0].weight is true or false, want a number"},
		{"object for array", `{"lines":{"sku":"x"}}`, "lines is an object, want an array"},
		{"array for object", `{"name":"a","to":[1,{"city":2}]}`, "to is an array, want an object"},
		{"string for object", `{"lines":[{"sku":"x"},"y"]}`, "lines[1] is a string, want an object"},
		{"in a map", `{"numbers":{"a":[1,2],"b":[1,2,"3"]}}`, "numbers.b[2] is a string, want a whole number"},
		{"under no name", `{"numbers":{"":["1"]}}`, "numbers.[0] is a string, want a whole number"},
		{"array for all", ` [1]`, "body is an array, want an object"},
		{"string for all", `"x"`, "body is a string, want an object"},
		{"unknown field", `{"name":"a","nmae":"b"}`, `body has a field "nmae", which is none that is known here: want name, gift, small, lines[].sku, lines[].quantity, lines[].weight, numbers, to.city`},
		{"syntax", `{"name":"a",}`, "body is no JSON: invalid character '}' looking for beginning of object key string, at byte 13"},
		{"cut off", `{"name":"a"`, "body is no JSON: it ends too early, after 11 bytes"},
		{"empty", ``, "body is empty, want JSON"},
		{"two values", `{"name":"a"} {}`, "something follows the first"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var v request
			err := service.ReadJSON(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader(tc.body)), &v)
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("ReadJSON(%s) = %v", tc.body, err)
			case tc.want == "":
			case problem.KindOf(err) != problem.Invalid || !strings.Contains(err.Error(), tc.want):
				t.Errorf("ReadJSON(%s) = %v, want %q", tc.body, err, tc.want)
			case strings.Contains(err.Error(), "Go ") || strings.Contains(err.Error(), "json:"):
				t.Errorf("ReadJSON(%s) = %v, which speaks of the program", tc.body, err)
			}
		})
	}
	large := strings.NewReader(`"` + strings.Repeat("x", service.MaxBody) + `"`)
	if err := service.ReadJSON(httptest.NewRecorder(), httptest.NewRequest("POST", "/", large), new(string)); problem.KindOf(err) != problem.TooLarge {
		t.Errorf("ReadJSON of a large body = %v, want kind %v", err, problem.TooLarge)
	}
}
