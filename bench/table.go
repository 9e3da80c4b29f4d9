package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tutti-go/tutti/bench/load"
)

var columns = []string{"case", "system", "on", "rate", "p50 ms", "p99 ms", "CPU ms", "MB", "also", "goals"}

// number writes a figure as exactly as it is worth.
func number(x float64) string {
	switch {
	case math.Abs(x) >= 1000:
		text := strconv.FormatFloat(x, 'f', 0, 64)
		return text[:len(text)-3] + "," + text[len(text)-3:]
	case x == math.Trunc(x) || math.Abs(x) >= 100:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case math.Abs(x) >= 10:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 2, 64)
}

// cells are the figures of a line.
func cells(o Outcome) []string {
	r := o.Result
	if r == nil {
		return []string{"", "", "", "", "", ""}
	}
	perOrder, memory := "", ""
	if r.CPU > 0 {
		perOrder = number(r.CPU)
	}
	if r.Memory > 0 {
		memory = number(r.Memory)
	}
	rate := ""
	if r.PerSecond > 0 {
		rate = number(r.PerSecond) + "/s"
	}
	return []string{rate, number(r.P50), number(r.P99), perOrder, memory, notes(r)}
}

// notes are what a result tells beside the usual.
func notes(r *load.Result) string {
	var parts []string
	if r.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d FAILED", r.Failed))
	}
	if t := r.Notes["transactions"]; t > 0 {
		parts = append(parts, fmt.Sprintf("%s records a transaction", number(r.Notes["records"]/t)))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Notes)) {
		if name != "transactions" && name != "records" {
			parts = append(parts, strings.ReplaceAll(name, "_", " ")+" "+number(r.Notes[name]))
		}
	}
	if r.Start > 0 {
		parts = append(parts, "ready in "+number(r.Start)+" ms")
	}
	return strings.Join(parts, ", ")
}

// rows are the lines of the table.
func (r *Report) rows() (rows [][]string) {
	for _, o := range r.Outcomes {
		row := append([]string{o.Case, o.System, o.Setting}, cells(o)...)
		switch {
		case o.Skipped != "":
			row[8] = "skipped: " + o.Skipped
		case o.Failed != "":
			row[8] = "FAILED: " + o.Failed
		}
		var verdicts []string
		for _, g := range r.Goals {
			if g.Case == o.Case {
				verdicts = append(verdicts, g.verdict())
			}
		}
		rows = append(rows, append(row, strings.Join(verdicts, "; ")))
	}
	return rows
}

// print writes the table and the goals for a terminal.
func (r *Report) print(w io.Writer) {
	rows := append([][]string{columns}, r.rows()...)
	const most = 70 // letters of a cell
	widths := make([]int, len(columns))
	for _, row := range rows {
		for i, cell := range row {
			if i < len(row)-1 {
				row[i] = clip(cell, most)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i >= 3 && i <= 7 {
				line.WriteString(pad + cell + "  ")
			} else {
				line.WriteString(cell + pad + "  ")
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
	fmt.Fprintln(w)
	r.goals(w, "  %-7s %s: %s\n")
	fmt.Fprintf(w, "\n%s\n", r.Machine)
}

func clip(text string, most int) string {
	text = strings.Join(strings.Fields(text), " ")
	if letters := []rune(text); len(letters) > most {
		return string(letters[:most-1]) + "…"
	}
	return text
}

// goals lists what is met, what is missed, and what this run does not tell.
func (r *Report) goals(w io.Writer, format string) {
	tally := map[string]int{}
	for _, g := range r.Goals {
		state := "missed"
		switch {
		case g.Unknown != "":
			state = "unknown"
		case g.Met():
			state = "met"
		}
		tally[state]++
		text := g.verdict()
		if g.Met() {
			text += " (" + number(g.Got) + ")"
		}
		fmt.Fprintf(w, format, state, g.Text, text)
	}
	fmt.Fprintf(w, "\nGoals: %d met, %d missed, %d not measured in this run.\n", tally["met"], tally["missed"], tally["unknown"])
}

// markdown writes the report for people who read files.
func (r *Report) markdown(w io.Writer) {
	fmt.Fprintf(w, "# Results\n\n`%s`, begun %s, %s s.\n\n%s.\n\n", r.Command, r.Begun.Format("2006-01-02 15:04 MST"), number(r.Seconds), r.Machine)
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
		parts = append(parts, name+" "+r.Versions[name])
	}
	fmt.Fprintf(w, "%s.\n\n![orders a second](results.svg)\n\n", strings.Join(parts, ", "))
	fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	for _, row := range r.rows() {
		for i := range row {
			row[i] = strings.ReplaceAll(clip(row[i], 400), "|", "\\|")
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
	}
	fmt.Fprint(w, "\n## Goals\n\n")
	r.goals(w, "- **%s** %s: %s\n")
}
