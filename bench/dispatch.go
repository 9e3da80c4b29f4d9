package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tutti-go/tutti/bench/load"
)

// dispatch runs the Go benchmark of that name.
func dispatch(ctx context.Context, s *suite, _ workplace) (result load.Result, err error) {
	times := "5x"
	if s.quick {
		times = "1x"
	}
	out, err := child(ctx, ".", "go", "test", "-run", "^$", "-bench", "Dispatch", "-benchtime", times, "./dispatch")
	if err != nil {
		return result, fmt.Errorf("%w: %s", err, tail(string(out), 1000))
	}
	result.Notes = map[string]float64{}
	for line := range bytes.Lines(out) {
		f := strings.Fields(string(line))
		if len(f) < 2 || !strings.HasPrefix(f[0], "BenchmarkDispatch/") {
			continue
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(f[0], "BenchmarkDispatch/"), "-")
		for i := 2; i+1 < len(f); i += 2 { // after the name and the count: value, unit, …
			what, each := strings.CutSuffix(f[i+1], "/event")
			if value, err := strconv.ParseFloat(f[i], 64); err == nil && each {
				result.Notes[name+"_"+what] = value
			}
		}
	}
	if len(result.Notes) == 0 {
		return result, errors.New("the benchmark printed no result: " + tail(string(out), 1000))
	}
	return result, nil
}
