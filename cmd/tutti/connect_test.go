package main

import (
	"strings"
	"testing"
)

// TestTopicCompletion: topics are those of the Kafka that the environment names.
func TestTopicCompletion(t *testing.T) {
	s := begin(t)
	for _, args := range []string{"tail --topic", "topics"} {
		fields := append(append([]string{"__complete"}, strings.Fields(args)...), "")
		if out := s.must(fields...); !strings.Contains(out, "test.thing\n") {
			t.Errorf("completion of %q is %q, want test.thing in it", args, out)
		}
	}
}
