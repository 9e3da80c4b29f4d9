package main

import (
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
	"time"
)

// Sizes of a plot in pixels: panels in two columns.
const (
	panelWidth, panelHeight = 460, 110
	marginLeft, marginTop   = 70, 44
	lineHeight              = 150
)

// drawPlot draws a small panel for each series as SVG, from 0 up.
func drawPlot(w io.Writer, title string, times []time.Duration, all []*series) error {
	rows := (len(all) + 1) / 2
	var b strings.Builder
	width, height := 2*(marginLeft+panelWidth)+20, marginTop+rows*lineHeight
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/><text x="%d" y="18" font-size="14">%s</text>`+"\n", width, height, marginLeft, html.EscapeString(title))
	for i, s := range all {
		panel(&b, marginLeft+i%2*(marginLeft+panelWidth), marginTop+i/2*lineHeight, times, s)
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func panel(b *strings.Builder, x, y int, times []time.Duration, s *series) {
	if len(times) == 0 {
		return
	}
	top, end := max(slices.Max(s.values)*1.1, 1), max(times[len(times)-1].Seconds(), 1)
	median, growth, flat := s.trend()
	color, verdict := "#2563eb", "flat"
	if !flat {
		color, verdict = "#dc2626", "grew"
	}
	fmt.Fprintf(b, `<text x="%d" y="%d">%s: median %.4g %s, %s (%+.3g)</text>`+"\n", x, y-4, html.EscapeString(s.name), median, s.unit, verdict, growth)
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="#ccc"/>`+"\n", x, y, panelWidth, panelHeight)
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%.3g</text><text x="%d" y="%d" text-anchor="end">0</text>`+"\n", x-4, y+10, top, x-4, y+panelHeight)
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%v</text>`+"\n", x+panelWidth, y+panelHeight+12, times[len(times)-1].Round(time.Second))
	fmt.Fprintf(b, `<polyline fill="none" stroke="%s" points="`, color)
	for i := 0; i < len(times); i += 1 + len(times)/2000 {
		fmt.Fprintf(b, "%.1f,%.1f ", float64(x)+times[i].Seconds()/end*panelWidth, float64(y)+panelHeight-s.values[i]/top*panelHeight)
	}
	b.WriteString(`"/>` + "\n")
}
