package event

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/tutti-go/tutti/internal/fastjson"
)

// Received is a message whose body has been decoded, as bindings get it. Body
// holds what the binding's Decode returned.
type Received struct {
	Envelope
	Body any
}

// Binding ties a contract to a handler that runs in a transaction of type TX.
// It is the untyped core under [On] and [OnBatch].
type Binding[TX any] struct {
	Contract Contract
	// Schema names the JSON fields that the handler's struct reads.
	Schema Schema
	// Decode parses a body. It may run before the transaction, on another
	// goroutine.
	Decode func(e Envelope, data []byte) (any, error)
	// Handle is given one message, or one or more of them if Batch is set.
	Handle func(ctx context.Context, tx TX, ms []Received) error
	Batch  bool
}

// Binder is what handlers are bound to; *service.Service is one.
type Binder[TX any] interface {
	Bind(Binding[TX])
}

// Declarer is told what a service publishes; *service.Service is one.
type Declarer interface {
	Declare(Contract, Schema)
}

// On binds a handler to the contract of T. The handler runs inside the
// transaction that also stores the position and what it publishes.
func On[T Typed, TX any](b Binder[TX], handle func(ctx context.Context, tx TX, m Message[T]) error) {
	b.Bind(Binding[TX]{
		Contract: contractOf[T](), Schema: SchemaOf[T](), Decode: decodeJSON[T],
		Handle: func(ctx context.Context, tx TX, ms []Received) error {
			for _, m := range ms {
				if err := handle(ctx, tx, Message[T]{m.Envelope, *m.Body.(*T)}); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// OnBatch binds a handler that takes consecutive messages of one type and
// partition together, where bulk SQL pays. If it fails, it is called again with
// one message at a time.
//
// A batch has many causes: before it publishes or starts a job because of a
// message, a handler says so by tx.Handling(m.Cause()).
func OnBatch[T Typed, TX any](b Binder[TX], handle func(ctx context.Context, tx TX, ms []Message[T]) error) {
	b.Bind(Binding[TX]{
		Contract: contractOf[T](), Schema: SchemaOf[T](), Decode: decodeJSON[T], Batch: true,
		Handle: func(ctx context.Context, tx TX, ms []Received) error {
			batch := make([]Message[T], len(ms))
			for i, m := range ms {
				batch[i] = Message[T]{m.Envelope, *m.Body.(*T)}
			}
			return handle(ctx, tx, batch)
		},
	})
}

// Publishes declares that a service publishes T. Publishing anything else is an
// error.
func Publishes[T Body](d Declarer) { d.Declare(contractOf[T](), SchemaOf[T]()) }

func contractOf[T Typed]() Contract {
	var zero T
	return zero.Contract()
}

func decodeJSON[T any](e Envelope, data []byte) (any, error) {
	if e.ContentType != "" {
		return nil, malformed("%s has content type %q, want %s", e.Type, clip(e.ContentType), jsonType)
	}
	body := new(T)
	if err := fastjson.Unmarshal(data, body); err != nil {
		return nil, malformed("decode %s: %v", e.Type, err)
	}
	// JSON reads null into a struct as if it were an empty object.
	if string(bytes.TrimSpace(data)) == "null" && reflect.TypeFor[T]().Kind() == reflect.Struct {
		return nil, malformed("decode %s: the body is null, want an object", e.Type)
	}
	return body, nil
}

// Appender takes outgoing messages into a transaction; *store.Tx is one.
type Appender interface {
	Append(Outgoing) error
}

// Publish appends a message to the transaction: it is sent if and only if the
// transaction commits. Its correlation and causation follow from the message
// that is being handled.
func Publish(ctx context.Context, tx Appender, body Body) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("publish %s: %w", body.Contract(), err)
	}
	data, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("publish %s: %w", body.Contract(), err)
	}
	if err := tx.Append(Outgoing{Contract: body.Contract(), Key: body.Key(), Data: data}); err != nil {
		return fmt.Errorf("publish %s: %w", body.Contract(), err)
	}
	return nil
}
