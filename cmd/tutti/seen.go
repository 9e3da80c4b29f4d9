package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/admin"
	"github.com/tutti-go/tutti/kafka"
)

// seenRecord is a record as tail shows it.
type seenRecord struct {
	Time          time.Time `json:"time"` // that Kafka has
	Topic         string    `json:"topic"`
	Partition     int32     `json:"partition"`
	Offset        int64     `json:"offset"`
	Mode          string    `json:"mode"` // binary, structured, or undecodable
	Type          string    `json:"type,omitempty"`
	Version       int       `json:"version,omitempty"`
	Kind          string    `json:"kind,omitempty"`
	Key           string    `json:"key"`
	EventID       string    `json:"id,omitempty"`
	Source        string    `json:"source,omitempty"`
	EventTime     time.Time `json:"eventTime,omitzero"`
	CorrelationID string    `json:"correlationId,omitempty"`
	CausationID   string    `json:"causationId,omitempty"`
	Lane          string    `json:"lane,omitempty"`
	Seq           int64     `json:"seq,omitempty"`
	admin.Content
	Error string `json:"error,omitempty"` // why it is undecodable
}

func decode(r kafka.Read) seenRecord {
	env, data, err := event.Decode(r.Record)
	s := seenRecord{
		Time: r.Time.UTC(), Topic: r.Topic, Partition: r.Number, Offset: r.Offset, Mode: "binary",
		Type: env.Type, Version: env.Version, Kind: env.Kind.String(), Key: env.Key, EventID: env.ID, Source: env.Source, EventTime: env.Time,
		CorrelationID: env.CorrelationID, CausationID: env.CausationID, Lane: env.Lane, Seq: env.Seq,
	}
	if r.Structured() {
		s.Mode = "structured"
	}
	if err != nil {
		s.Mode, s.Kind, s.Error, data = "undecodable", "", err.Error(), r.Value
	}
	if s.Content = admin.ContentOf(data); s.Mode == "undecodable" {
		s.Content = admin.Content{Bytes: data}
	}
	return s
}

const shownBytes = 64 // of what cannot be decoded

// seen prints a record.
func (c *console) seen(s seenRecord, asJSON bool) error {
	if asJSON {
		return c.line(s)
	}
	place := fmt.Sprintf("%s/%d@%d", s.Topic, s.Partition, s.Offset)
	parts := []string{c.paint(dim, s.Time.Format("2006-01-02T15:04:05.000Z")), c.paint(dim, place)}
	if s.Type != "" {
		parts = append(parts, c.paint(bold, escape(versioned(s.Type, s.Version))))
	}
	parts = append(parts, "key="+orDash(escape(s.Key)))
	if s.CorrelationID != "" {
		parts = append(parts, c.paint(dim, "correlation="+escape(s.CorrelationID)))
	}
	switch s.Mode {
	case "structured":
		parts = append(parts, "(structured)")
	case "undecodable":
		parts = append(parts, c.paint(red, "undecodable: "+escape(s.Error)))
	}
	_, err := fmt.Fprintln(c.out, strings.Join(append(parts, body(s.Content)), " "))
	return err
}

// versioned is a type with its version, which foreign events may not say.
func versioned(typ string, version int) string {
	if version == 0 {
		return typ
	}
	return fmt.Sprintf("%s/%d", typ, version)
}

// body is a body on one line.
func body(content admin.Content) string {
	if content.Body != nil {
		var b bytes.Buffer
		if err := json.Compact(&b, content.Body); err != nil {
			return escape(string(content.Body))
		}
		return escape(b.String())
	}
	data := content.Bytes
	if len(data) > 0 && utf8.Valid(data) {
		return fmt.Sprintf("text[%d] %s", len(data), escape(brief(string(data), 200)))
	}
	if len(data) > shownBytes {
		return fmt.Sprintf("hex[%d] %s…", len(data), hex.EncodeToString(data[:shownBytes]))
	}
	return fmt.Sprintf("hex[%d] %s", len(data), hex.EncodeToString(data))
}
