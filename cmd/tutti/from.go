package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
)

// from says where in the log to begin.
type from struct {
	start, end bool
	offset     *int64 // negative: so many before the end
	at         time.Time
}

// parseFrom reads start, end, an offset, a time, or a duration before now.
func parseFrom(text string, now time.Time) (from, error) {
	switch text {
	case "start":
		return from{start: true}, nil
	case "end":
		return from{end: true}, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return from{offset: &n}, nil
	}
	if d, err := time.ParseDuration(strings.TrimSpace(strings.TrimSuffix(text, "ago"))); err == nil && d >= 0 {
		return from{at: now.Add(-d)}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return from{at: t}, nil
		}
	}
	return from{}, fmt.Errorf("--from is %q, want start, end, an offset, -N for the last N, a duration before now such as 10m, or a time such as 2026-11-24T09:00:00Z", text)
}

// offsets returns where to begin in each partition, within its bounds.
func (f from) offsets(ctx context.Context, b *kafka.Bus, topics []string, bounds map[event.Partition]kafka.Bounds) (map[event.Partition]int64, error) {
	out := make(map[event.Partition]int64, len(bounds))
	var times map[event.Partition]int64
	if !f.at.IsZero() {
		var err error
		if times, err = b.OffsetsAfter(ctx, f.at, topics); err != nil {
			return nil, err
		}
	}
	for p, in := range bounds {
		at := in.End
		switch {
		case f.start:
			at = in.Start
		case f.end:
		case f.offset != nil && *f.offset < 0:
			at = in.End + *f.offset
		case f.offset != nil:
			at = *f.offset
		default:
			at = times[p]
		}
		out[p] = min(max(at, in.Start), in.End)
	}
	return out, nil
}
