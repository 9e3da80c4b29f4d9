package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/event"
)

// TestStructuredDeadLetter: what show prints as the body is what edit takes, and a version
// that the event does not say is not made up.
func TestStructuredDeadLetter(t *testing.T) {
	s := begin(t)
	s.produce(event.Record{
		Key: []byte("s"), Headers: []event.Header{{Key: "content-type", Value: []byte("application/cloudevents+json")}},
		Value: []byte(`{"specversion":"1.0","id":"s1","source":"/s","type":"test.thing.made","data":{"id":"s","n":-1}}`),
	})
	s.dead(1)
	golden(t, "list-structured.txt", s.must("deadletters", "list", "--type", "test.thing.made"))
	golden(t, "show-structured.txt", s.must("deadletters", "show", "test.thing/0@0"))
	var d struct{ Body json.RawMessage }
	if err := json.Unmarshal([]byte(s.must("deadletters", "show", "test.thing/0@0", "--json")), &d); err != nil {
		t.Fatal(err)
	}
	s.must("deadletters", "edit", "test.thing/0@0", "--body", strings.Replace(string(d.Body), "-1", "1", 1))
	s.until("it is handled", func() bool { return s.done("s1") })
}
