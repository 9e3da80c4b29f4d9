package event

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tutti-go/tutti/internal/fastjson"
)

// ErrMalformed is wrapped by every error that says that bytes are not a message:
// trying again cannot help.
var ErrMalformed = errors.New("malformed message")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...)
}

const (
	jsonType       = "application/json"
	structuredType = "application/cloudevents+json"
)

// Encode writes a message in CloudEvents' Kafka binary mode: attributes as ce_
// headers, the body as the value, the subject as the key
// (CloudEvents Kafka protocol binding 1.0.2, section 3.2).
// correlationid, causationid, dataversion and kind are extension attributes;
// traceparent and tracestate are plain headers (W3C trace context).
func Encode(e Envelope, data []byte) Record {
	contentType := e.ContentType
	if contentType == "" {
		contentType = jsonType
	}
	w := headerWriter{
		headers: make([]Header, 0, 14),
		buf: make([]byte, 0, 64+len(e.ID)+len(e.Source)+len(e.Type)+len(e.Key)+len(e.CorrelationID)+len(e.CausationID)+
			len(e.TraceParent)+len(e.TraceState)+len(e.Lane)+len(contentType)),
	}
	w.add("ce_specversion", "1.0")
	w.add("ce_id", e.ID)
	w.add("ce_source", e.Source)
	w.add("ce_type", e.Type)
	w.addBytes("ce_time", func(b []byte) []byte { return e.Time.UTC().AppendFormat(b, time.RFC3339Nano) })
	w.add("content-type", contentType)
	w.add("ce_subject", e.Key)
	if e.Version != 0 {
		w.addInt("ce_dataversion", int64(e.Version))
	}
	if e.Kind != KindEvent {
		w.add("ce_kind", e.Kind.String())
	}
	w.add("ce_correlationid", e.CorrelationID)
	w.add("ce_causationid", e.CausationID)
	w.add("traceparent", e.TraceParent)
	w.add("tracestate", e.TraceState)
	if e.Lane != "" {
		w.add("lane", e.Lane)
		w.addInt("seq", e.Seq)
	}
	return Record{Key: []byte(e.Key), Value: data, Headers: w.headers}
}

// headerWriter collects the header values in one buffer.
type headerWriter struct {
	headers []Header
	buf     []byte
}

func (w *headerWriter) add(key, value string) {
	if value == "" {
		return
	}
	w.addBytes(key, func(b []byte) []byte { return append(b, value...) })
}

func (w *headerWriter) addInt(key string, n int64) {
	w.addBytes(key, func(b []byte) []byte { return strconv.AppendInt(b, n, 10) })
}

func (w *headerWriter) addBytes(key string, appendTo func([]byte) []byte) {
	start := len(w.buf)
	w.buf = appendTo(w.buf)
	w.headers = append(w.headers, Header{Key: key, Value: w.buf[start:len(w.buf):len(w.buf)]})
}

// Decode reads a message in binary or structured mode. Where it fails, the error
// wraps [ErrMalformed], and the envelope holds what could be read.
func Decode(r Record) (Envelope, []byte, error) {
	if r.Structured() {
		return decodeStructured(r)
	}
	return decodeBinary(r)
}

// Structured reports whether a record is in structured mode: its value is the whole event.
func (r Record) Structured() bool {
	for _, h := range r.Headers {
		if isContentType(h.Key) && isStructured(h.Value) {
			return true
		}
	}
	return false
}

// isStructured reports whether a content type is that of structured mode, in upper or
// lower case (CloudEvents Kafka protocol binding 1.0.2, section 3).
func isStructured(contentType []byte) bool {
	return len(contentType) >= len(structuredType) && strings.EqualFold(string(contentType[:len(structuredType)]), structuredType)
}

func isContentType(key string) bool {
	return key == "content-type" || strings.EqualFold(key, "content-type")
}

// isJSON reports whether a content type is JSON, however it is spelled. JSON has no
// charset but UTF-8 (RFC 8259, section 8.1).
func isJSON(contentType string) bool {
	if contentType == jsonType || contentType == "" {
		return true
	}
	media, params, err := mime.ParseMediaType(contentType)
	charset, given := params["charset"]
	return err == nil && media == jsonType && (!given || strings.EqualFold(charset, "utf-8"))
}

func decodeBinary(r Record) (Envelope, []byte, error) {
	e := Envelope{Key: string(r.Key)}
	var spec, when, version, subject string
	var err error
	values := joined(r.Headers)
	for _, h := range r.Headers {
		value := values[:len(h.Value)]
		values = values[len(h.Value):]
		switch h.Key {
		case "ce_specversion":
			spec = value
		case "ce_id":
			e.ID = value
		case "ce_source":
			e.Source = value
		case "ce_type":
			e.Type = value
		case "ce_time":
			when = value
		case "ce_subject":
			subject = value
		case "ce_dataversion":
			version = value
		case "ce_kind":
			e.Kind = parseKind(value)
		case "ce_correlationid":
			e.CorrelationID = value
		case "ce_causationid":
			e.CausationID = value
		case "traceparent", "ce_traceparent":
			e.TraceParent = value
		case "tracestate", "ce_tracestate":
			e.TraceState = value
		case "lane":
			e.Lane = value
		case "seq":
			if e.Seq, err = strconv.ParseInt(value, 10, 64); err != nil || e.Seq < 1 {
				return e, r.Value, malformed("header seq is %q, want a number from 1", clip(value))
			}
		default:
			if isContentType(h.Key) {
				e.ContentType = value
			}
		}
	}
	if e.Key == "" {
		e.Key = subject
	}
	if isJSON(e.ContentType) {
		e.ContentType = ""
	}
	if err := e.complete(spec, when, version); err != nil {
		return e, r.Value, err
	}
	return e, r.Value, nil
}

// joined is the values of headers as one string, of which each is a part: one
// allocation, where there would be one for each of a dozen.
func joined(headers []Header) string {
	size := 0
	for _, h := range headers {
		size += len(h.Value)
	}
	var b strings.Builder
	b.Grow(size)
	for _, h := range headers {
		b.Write(h.Value)
	}
	return b.String()
}

func parseKind(s string) Kind {
	if s == KindCommand.String() {
		return KindCommand
	}
	return KindEvent
}

// complete parses the attributes that are not plain strings and checks all.
func (e *Envelope) complete(spec, when, version string) error {
	if lane := e.Lane; len(lane) > maxAttribute || !utf8.ValidString(lane) || strings.IndexByte(lane, 0) >= 0 {
		e.Lane, e.Seq = "", 0 // nobody is to keep it
		return malformed("header lane is %d bytes long or no plain text, want at most %d bytes", len(lane), maxAttribute)
	}
	if spec == "" {
		return malformed("no CloudEvents attribute specversion")
	}
	if !strings.HasPrefix(spec, "1.") {
		return malformed("CloudEvents specversion %q, want 1.0", clip(spec))
	}
	if when != "" {
		t, err := time.Parse(time.RFC3339Nano, when)
		if err != nil {
			return malformed("CloudEvents time %q is not RFC 3339", clip(when))
		}
		if t = t.UTC(); t.Year() < 0 || t.Year() > 9999 { // JSON has no such time
			return malformed("CloudEvents time %q is in no year from 0 to 9999", clip(when))
		}
		e.Time = t
	}
	if version != "" {
		n, err := strconv.Atoi(version)
		if err != nil || n < 1 {
			return malformed("attribute dataversion is %q, want a number from 1", clip(version))
		}
		e.Version = n
	}
	for _, a := range []struct{ name, value string }{{"id", e.ID}, {"source", e.Source}, {"type", e.Type}} {
		if a.value == "" {
			return malformed("no CloudEvents attribute %s", a.name)
		}
		if len(a.value) > maxAttribute || !utf8.ValidString(a.value) {
			return malformed("CloudEvents attribute %s is %d bytes long or not UTF-8, want at most %d bytes", a.name, len(a.value), maxAttribute)
		}
	}
	if len(e.Key) > MaxKey {
		return malformed("key is %d bytes long, want at most %d", len(e.Key), MaxKey)
	}
	if (e.Lane == "") != (e.Seq == 0) {
		return malformed("lane and seq must be given together")
	}
	return nil
}

// structured is the JSON event format (CloudEvents JSON format 1.0.2, section 3).
type structured struct {
	SpecVersion   string          `json:"specversion"`
	ID            string          `json:"id"`
	Source        string          `json:"source"`
	Type          string          `json:"type"`
	Time          string          `json:"time"`
	Subject       string          `json:"subject"`
	ContentType   string          `json:"datacontenttype"`
	Version       json.Number     `json:"dataversion"`
	Kind          string          `json:"kind"`
	CorrelationID string          `json:"correlationid"`
	CausationID   string          `json:"causationid"`
	TraceParent   string          `json:"traceparent"`
	TraceState    string          `json:"tracestate"`
	Data          json.RawMessage `json:"data"`
	Base64        *string         `json:"data_base64"`
}

func decodeStructured(r Record) (Envelope, []byte, error) {
	var s structured
	if err := fastjson.Unmarshal(r.Value, &s); err != nil {
		return Envelope{Key: string(r.Key)}, r.Value, malformed("structured CloudEvent: %v", err)
	}
	e := Envelope{
		ID: s.ID, Source: s.Source, Type: s.Type, Key: string(r.Key), Kind: parseKind(s.Kind),
		CorrelationID: s.CorrelationID, CausationID: s.CausationID,
		TraceParent: s.TraceParent, TraceState: s.TraceState, ContentType: s.ContentType,
	}
	if e.Key == "" {
		e.Key = s.Subject
	}
	if isJSON(e.ContentType) {
		e.ContentType = ""
	}
	if err := e.complete(s.SpecVersion, s.Time, s.Version.String()); err != nil {
		return e, r.Value, err
	}
	if s.Base64 != nil {
		data, err := base64.StdEncoding.DecodeString(*s.Base64)
		if err != nil {
			return e, r.Value, malformed("data_base64: %v", err)
		}
		return e, data, nil
	}
	return e, s.Data, nil
}

// clip bounds what a message to people quotes.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
