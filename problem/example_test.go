package problem_test

import (
	"errors"
	"fmt"
	"net/http/httptest"

	"github.com/tutti-go/tutti/problem"
)

// The domain returns errors with a kind; the edge turns any error into a document.
func Example() {
	cancel := func(id string) error { return problem.Conflict("order %s is on its way", id) }

	for _, err := range []error{cancel("4711"), errors.New("connection to 10.0.0.7 refused")} {
		w := httptest.NewRecorder()
		problem.Write(w, httptest.NewRequest("DELETE", "/orders/4711", nil), err)
		fmt.Println(w.Code, w.Header().Get("Content-Type"))
		fmt.Print(w.Body)
	}
	// Output:
	// 409 application/problem+json
	// {"type":"about:blank","title":"Conflict","status":409,"detail":"order 4711 is on its way","instance":"/orders/4711"}
	// 500 application/problem+json
	// {"type":"about:blank","title":"Internal error","status":500,"detail":"The request could not be completed because of a fault in the service.","instance":"/orders/4711"}
}

// Kinds survive wrapping.
func ExampleKindOf() {
	err := fmt.Errorf("read order: %w", problem.NotFound("there is no order 4711"))
	fmt.Println(problem.KindOf(err) == problem.Missing, err)
	// Output: true read order: there is no order 4711
}
