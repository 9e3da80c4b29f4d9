package event_test

import (
	"encoding/json"
	"errors"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
)

func envelope() event.Envelope {
	return event.Envelope{
		ID: "order.1f.0-7", Source: "/order", Type: "shop.order.placed", Version: 1, Key: "o-1",
		Time:          time.Date(2026, 11, 24, 10, 0, 0, 123_000_000, time.UTC),
		CorrelationID: "c-1", CausationID: "m-1", Lane: "order.1f.0", Seq: 3,
		TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", TraceState: "a=b",
	}
}

func TestEncodeGolden(t *testing.T) {
	r := event.Encode(envelope(), []byte(`{"orderId":"o-1"}`))
	var got []string
	for _, h := range r.Headers {
		got = append(got, h.Key+"="+string(h.Value))
	}
	want := []string{
		"ce_specversion=1.0", "ce_id=order.1f.0-7", "ce_source=/order", "ce_type=shop.order.placed", "ce_time=2026-11-24T10:00:00.123Z",
		"content-type=application/json", "ce_subject=o-1", "ce_dataversion=1", "ce_correlationid=c-1", "ce_causationid=m-1",
		"traceparent=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate=a=b", "lane=order.1f.0", "seq=3",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("headers are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if string(r.Key) != "o-1" {
		t.Errorf("key is %q, want o-1", r.Key)
	}
}

func TestDecodeUndoesEncode(t *testing.T) {
	foreign := envelope()
	foreign.Lane, foreign.Seq, foreign.Version, foreign.Time = "", 0, 0, time.Time{}
	command := envelope()
	command.Kind = event.KindCommand
	for _, want := range []event.Envelope{envelope(), command} {
		got, data, err := event.Decode(event.Encode(want, []byte("{}")))
		if err != nil || got != want || string(data) != "{}" {
			t.Errorf("Decode(Encode()) = %+v, %q, %v, want %+v", got, data, err, want)
		}
	}
}

func TestDecodeStructured(t *testing.T) {
	r := event.Record{
		Headers: []event.Header{{Key: "Content-Type", Value: []byte("application/cloudevents+json; charset=utf-8")}},
		Value: []byte(`{"specversion":"1.0","id":"1","source":"/erp","type":"shop.order.placed","dataversion":1,"subject":"o-1",
			"time":"2026-11-24T11:00:00+01:00","correlationid":"c","data":{"orderId":"o-1"}}`),
	}
	e, data, err := event.Decode(r)
	if err != nil {
		t.Fatal(err)
	}
	want := event.Envelope{ID: "1", Source: "/erp", Type: "shop.order.placed", Version: 1, Key: "o-1", CorrelationID: "c", Time: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)}
	if e != want || string(data) != `{"orderId":"o-1"}` {
		t.Errorf("Decode() = %+v, %s, want %+v", e, data, want)
	}
	r.Value = []byte(`{"specversion":"1.0","id":"1","source":"/erp","type":"x","data_base64":"e30="}`)
	if _, data, err := event.Decode(r); err != nil || string(data) != "{}" {
		t.Errorf("Decode() of data_base64 = %s, %v, want {}", data, err)
	}
}

// TestContentTypes: JSON is known however its type is spelled, in both modes.
func TestContentTypes(t *testing.T) {
	for text, want := range map[string]string{
		"application/json": "", "application/json; charset=utf-8": "", "Application/JSON;charset=UTF-8": "",
		"application/json; charset=latin1": "application/json; charset=latin1", "text/plain": "text/plain", "json": "json",
	} {
		e := envelope()
		e.ContentType = text
		if e, _, err := event.Decode(event.Encode(e, []byte("{}"))); err != nil || e.ContentType != want {
			t.Errorf("content type %q is read as %q, %v, want %q", text, e.ContentType, err, want)
		}
		r := event.Record{
			Headers: []event.Header{{Key: "content-type", Value: []byte("application/cloudevents+json")}},
			Value:   []byte(`{"specversion":"1.0","id":"1","source":"/erp","type":"x","datacontenttype":"` + text + `","data":{}}`),
		}
		if e, _, err := event.Decode(r); err != nil || e.ContentType != want {
			t.Errorf("datacontenttype %q is read as %q, %v, want %q", text, e.ContentType, err, want)
		}
	}
}

// TestStructuredInAnyCase: the type of structured mode is known however it is spelled.
func TestStructuredInAnyCase(t *testing.T) {
	r := event.Record{
		Headers: []event.Header{{Key: "content-type", Value: []byte("Application/CloudEvents+JSON; charset=UTF-8")}},
		Value:   []byte(`{"specversion":"1.0","id":"1","source":"/erp","type":"x","data":{"n":1}}`),
	}
	if !r.Structured() {
		t.Error("Structured() = false, want true")
	}
	if e, data, err := event.Decode(r); err != nil || e.ID != "1" || string(data) != `{"n":1}` {
		t.Errorf("Decode() = %+v, %s, %v, want the message", e, data, err)
	}
}

func TestDecodeMalformed(t *testing.T) {
	header := func(key, value string) func(*event.Record) {
		return func(r *event.Record) {
			for i := range r.Headers {
				if r.Headers[i].Key == key {
					r.Headers[i].Value = []byte(value)
					return
				}
			}
			r.Headers = append(r.Headers, event.Header{Key: key, Value: []byte(value)})
		}
	}
	for name, c := range map[string]struct {
		change func(*event.Record)
		want   string
	}{
		"no headers":     {func(r *event.Record) { r.Headers = nil }, "specversion"},
		"old version":    {header("ce_specversion", "0.3"), `"0.3"`},
		"no id":          {header("ce_id", ""), "attribute id"},
		"no type":        {header("ce_type", ""), "attribute type"},
		"long source":    {header("ce_source", strings.Repeat("x", 2000)), "source is 2000 bytes"},
		"bad UTF-8":      {header("ce_type", "\xff"), "not UTF-8"},
		"bad time":       {header("ce_time", "yesterday"), "RFC 3339"},
		"late time":      {header("ce_time", "9999-12-31T23:59:59-12:00"), "year"},
		"early time":     {header("ce_time", "0000-01-01T00:00:00+12:00"), "year"},
		"bad version":    {header("ce_dataversion", "one"), "dataversion"},
		"version 0":      {header("ce_dataversion", "0"), "dataversion"},
		"bad seq":        {header("seq", "-1"), "seq"},
		"seq alone":      {header("lane", ""), "together"},
		"long lane":      {header("lane", strings.Repeat("x", 2000)), "lane is 2000 bytes"},
		"bad lane":       {header("lane", "x\x00"), "lane"},
		"long key":       {func(r *event.Record) { r.Key = make([]byte, 2000) }, "key is 2000"},
		"bad structured": {header("content-type", "application/cloudevents+json"), "structured"},
	} {
		r := event.Encode(envelope(), []byte("nonsense"))
		c.change(&r)
		e, _, err := event.Decode(r)
		if !errors.Is(err, event.ErrMalformed) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Decode() = %v, want a malformed message that names %q", name, err, c.want)
		}
		if len(e.Lane) > 1024 || strings.Contains(e.Lane, "\x00") {
			t.Errorf("%s: Decode() returns the lane %.20q…, which no database keeps", name, e.Lane)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("ce_specversion", "1.0", "content-type", "application/json", []byte("{}"))
	f.Add("ce_id", "", "content-type", "application/cloudevents+json", []byte(`{"specversion":"1.0","dataversion":"x"}`))
	f.Add("seq", "99999999999999999999", "lane", "l", []byte{})
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 string, value []byte) {
		r := event.Encode(envelope(), value)
		r.Headers = append(r.Headers, event.Header{Key: k1, Value: []byte(v1)}, event.Header{Key: k2, Value: []byte(v2)})
		e, data, err := event.Decode(r)
		if err != nil {
			if !errors.Is(err, event.ErrMalformed) {
				t.Fatalf("Decode() = %v, want ErrMalformed", err)
			}
			return
		}
		again, same, err := event.Decode(event.Encode(e, data))
		if err != nil || again != e || string(same) != string(data) {
			t.Fatalf("Decode(Encode(%+v)) = %+v, %v", e, again, err)
		}
	})
}

func TestOutcomes(t *testing.T) {
	base := errors.New("base")
	if !event.Rejected(event.Reject(base)) || !errors.Is(event.Reject(base), base) {
		t.Error("Reject does not wrap")
	}
	if event.Rejected(base) || event.Rejected(event.Later(base, time.Second)) {
		t.Error("Rejected() is true of an error that is not")
	}
	if d, ok := event.Delay(event.Later(base, time.Second)); !ok || d != time.Second {
		t.Errorf("Delay() = %v, %v, want 1s", d, ok)
	}
	if event.Reject(nil) != nil || event.Later(nil, 1) != nil {
		t.Error("an outcome of nil is not nil")
	}
}

func TestContractValidateReportsAll(t *testing.T) {
	err := event.Contract{Type: "a b", Version: 0, Topic: event.Topic{Name: "x/y", Partitions: -1, Retention: 7 * 24}, Kind: 7}.Validate()
	for _, want := range []string{"type", "version 0", "topic", "-1 partitions", "retention 168ns", "kind 7"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate() = %v, want it to name %q", err, want)
		}
	}
}

func TestSchema(t *testing.T) {
	type line struct {
		SKU string `json:"sku"`
		N   int64
	}
	type order struct {
		ID     string            `json:"id"`
		Lines  []line            `json:"lines"`
		At     time.Time         `json:"at"`
		Raw    []byte            `json:"raw"`
		Tags   map[string]string `json:"tags"`
		hidden int
		Skip   int `json:"-"`
	}
	_ = order{}.hidden
	want := event.Schema{
		"id": "string", "lines": "array", "lines[]": "object", "lines[].sku": "string", "lines[].N": "number", "at": "string", "raw": "string", "tags": "object",
	}
	got := event.SchemaOf[order]()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("SchemaOf() = %v, want %v", got, want)
	}
	if c := got.Conflicts(event.Schema{"id": "number", "lines": "array", "other": "string"}); len(c) != 1 || !strings.Contains(c[0], "id is string and number") {
		t.Errorf("Conflicts() = %v, want one on id", c)
	}
}

type (
	// Base, Place and Label are embedded.
	Base struct {
		Source string
		ID     string `json:"id"`
		Twice  string `json:"twice"`
	}
	Place struct {
		City  string
		Twice int `json:"twice"`
	}
	Label string
)

// The schema has the fields that JSON has, whatever is embedded.
func TestSchemaOfEmbedded(t *testing.T) {
	type order struct {
		Base
		*Place
		Label
		Address Place `json:"address"`
		ID      int64 `json:"id"`
	}
	text, err := json.Marshal(order{Place: &Place{}})
	if err != nil {
		t.Fatal(err)
	}
	var has map[string]any
	if err := json.Unmarshal(text, &has); err != nil {
		t.Fatal(err)
	}
	want := event.Schema{
		"Source": "string", "City": "string", "Label": "string", "address": "object", "address.City": "string", "address.twice": "number", "id": "number",
	}
	got := event.SchemaOf[order]()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("SchemaOf() = %v, want %v", got, want)
	}
	for path := range got {
		if !strings.Contains(path, ".") {
			if _, ok := has[path]; !ok {
				t.Errorf("JSON %s has no field %q", text, path)
			}
			delete(has, path)
		}
	}
	if len(has) > 0 {
		t.Errorf("the schema lacks %v", has)
	}
}

// pence is an amount that is read from a number as well as from a string.
type pence int64

func (p *pence) UnmarshalJSON(text []byte) (err error) {
	*(*int64)(p), err = strconv.ParseInt(strings.Trim(string(text), `"`), 10, 64)
	return err
}

// What a consumer's type can read is no conflict, whatever it is in Go.
func TestSchemaOfOtherTypes(t *testing.T) {
	type sent struct {
		Total, Tip int64
		Tax        string
		Count      int64 `json:",string"`
	}
	type read struct {
		Total json.Number
		Tax   pence
		Tip   *big.Int
		Count string
	}
	text, err := json.Marshal(sent{Total: 1, Tip: 2, Tax: "3", Count: 4})
	if err == nil {
		err = json.Unmarshal(text, new(read))
	}
	if err != nil {
		t.Fatal(err)
	}
	if c := event.SchemaOf[sent]().Conflicts(event.SchemaOf[read]()); c != nil {
		t.Errorf("Conflicts() = %v, want none", c)
	}
}
