package service

import (
	"context"
	"log/slog"
	"strings"
)

// terse is a log handler that shortens texts: what others wrote may be as large as
// Kafka takes it, and so may errors that quote it.
type terse struct{ slog.Handler }

const maxLogged = 8 << 10 // bytes of a text

func (h terse) Handle(ctx context.Context, r slog.Record) error {
	long := false
	attrs := make([]slog.Attr, 0, r.NumAttrs())
	r.Attrs(func(a slog.Attr) bool {
		short, cut := shortened(a)
		attrs, long = append(attrs, short), long || cut
		return true
	})
	if long {
		again := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
		again.AddAttrs(attrs...)
		r = again
	}
	return h.Handler.Handle(ctx, r)
}

func (h terse) WithAttrs(attrs []slog.Attr) slog.Handler { return terse{h.Handler.WithAttrs(attrs)} }

func (h terse) WithGroup(name string) slog.Handler { return terse{h.Handler.WithGroup(name)} }

// shortened returns an attribute whose text is not too long, and whether it was.
func shortened(a slog.Attr) (slog.Attr, bool) {
	text := ""
	switch v := a.Value; v.Kind() {
	case slog.KindString:
		text = v.String()
	case slog.KindAny:
		if err, ok := v.Any().(error); ok && err != nil {
			text = err.Error()
		}
	default: // small
	}
	if len(text) <= maxLogged {
		return a, false
	}
	return slog.String(a.Key, strings.ToValidUTF8(text[:maxLogged], "")+"…"), true
}
