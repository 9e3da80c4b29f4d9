package event_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tutti-go/tutti/event"
)

type counted struct {
	N int `json:"n"`
}

func (counted) Contract() event.Contract {
	return event.Contract{Type: "counted", Version: 1, Topic: event.Topic{Name: "counts"}}
}

// tags may be empty, which is null in JSON.
type tags map[string]string

func (tags) Contract() event.Contract {
	return event.Contract{Type: "tagged", Version: 1, Topic: event.Topic{Name: "tags"}}
}

// bound keeps the binding that it is given.
type bound struct{ event.Binding[any] }

func (b *bound) Bind(binding event.Binding[any]) { b.Binding = binding }

// TestDecodeNull: null is not taken for a struct whose fields are all zero.
func TestDecodeNull(t *testing.T) {
	var one, batch, other bound
	event.On(&one, func(context.Context, any, event.Message[counted]) error { return nil })
	event.OnBatch(&batch, func(context.Context, any, []event.Message[counted]) error { return nil })
	event.On(&other, func(context.Context, any, event.Message[tags]) error { return nil })
	for _, b := range []bound{one, batch} {
		for _, text := range []string{"null", " null\n"} {
			if _, err := b.Decode(event.Envelope{Type: "counted"}, []byte(text)); !errors.Is(err, event.ErrMalformed) {
				t.Errorf("Decode(%q) = %v, want %v", text, err, event.ErrMalformed)
			}
		}
		if _, err := b.Decode(event.Envelope{Type: "counted"}, []byte(`{}`)); err != nil {
			t.Errorf("Decode({}) = %v", err)
		}
	}
	if _, err := other.Decode(event.Envelope{Type: "tagged"}, []byte("null")); err != nil {
		t.Errorf("Decode(null) of a map = %v", err)
	}
}
