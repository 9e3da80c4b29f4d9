package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tutti-go/tutti/bench/load"
)

// Report is a whole run: what was measured, where, and by what command.
type Report struct {
	Command  string            `json:"command"`
	Begun    time.Time         `json:"begun"`
	Seconds  float64           `json:"seconds"`
	Machine  Machine           `json:"machine"`
	Versions map[string]string `json:"versions"`
	Outcomes []Outcome         `json:"outcomes"`
	Goals    []Goal            `json:"goals"`
}

// Outcome is what became of a case: a result, or why there is none.
type Outcome struct {
	Case    string       `json:"case"`
	System  string       `json:"system"`
	Setting string       `json:"setting"`
	Result  *load.Result `json:"result,omitempty"`
	Skipped string       `json:"skipped,omitempty"`
	Failed  string       `json:"failed,omitempty"`
}

func (o Outcome) line() string {
	switch {
	case o.Skipped != "":
		return fmt.Sprintf("%-30s skipped: %s", o.Case, o.Skipped)
	case o.Failed != "":
		return fmt.Sprintf("%-30s FAILED: %s", o.Case, o.Failed)
	}
	return fmt.Sprintf("%-30s %s", o.Case, strings.Join(cells(o), "  "))
}

// of returns the result of a case, if it was measured.
func (r *Report) of(name string) *load.Result {
	for _, o := range r.Outcomes {
		if o.Case == name {
			return o.Result
		}
	}
	return nil
}

// highest is the highest rate of the closed loops whose names begin so, or 0.
func (r *Report) highest(prefix string) (rate float64) {
	for _, o := range r.Outcomes {
		if strings.HasPrefix(o.Case, prefix) && o.Result != nil && o.Result.InFlight > 0 {
			rate = max(rate, o.Result.PerSecond)
		}
	}
	return rate
}

func (r *Report) failed() bool {
	for _, o := range r.Outcomes {
		if o.Failed != "" {
			return true
		}
	}
	return false
}

// write keeps the report as data, as text and as a picture.
func (r *Report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	var text strings.Builder
	r.markdown(&text)
	err = errors.Join(
		os.WriteFile(filepath.Join(dir, "results.json"), append(data, '\n'), 0o644),
		os.WriteFile(filepath.Join(dir, "results.md"), []byte(text.String()), 0o644),
		r.plot(filepath.Join(dir, "results.svg")))
	if err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	fmt.Printf("\nwritten to %s: results.json, results.md, results.svg\n", dir)
	return nil
}
