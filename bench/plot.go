package main

import (
	"bytes"
	"fmt"
	"image/color"
	"os"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// bar is one figure of a panel.
type bar struct {
	name  string
	value float64
	text  string // at its end
	color color.Color
}

// panel is bars of one unit.
type panel struct {
	title string
	bars  []bar
}

var (
	accent = color.RGBA{0x1f, 0x6f, 0xb4, 0xff} // the framework
	byHand = color.RGBA{0x7f, 0x8c, 0x8d, 0xff}
	others = color.RGBA{0xe0, 0xa0, 0x4c, 0xff}
	faint  = color.RGBA{0xe4, 0xe7, 0xea, 0xff}
	ink    = color.RGBA{0x22, 0x2b, 0x33, 0xff}
)

// panels are what the picture shows; those without figures are left out.
func (r *Report) panels() (ps []panel) {
	for _, p := range []panel{r.throughput(), r.sagas(), r.sagasAt64(), r.shop(), r.latency(), r.growth()} {
		if len(p.bars) > 0 {
			ps = append(ps, p)
		}
	}
	return ps
}

// throughput shows the best of each system in each place, and how many times the
// framework on SQLite is as fast.
func (r *Report) throughput() panel {
	p := panel{title: "Four durable steps an order: orders a second (and how often that goes into Tutti's on SQLite)"}
	base := r.highest("steps/sqlite/")
	for _, at := range places {
		p.add("Tutti: "+at.setting, r.highest("steps/"+at.name+"/"), base, accent)
		p.add("by hand: "+at.setting, r.highest("raw/"+at.name+"/"), base, byHand)
	}
	for _, other := range peers {
		p.add(other.system+": "+other.setting, r.highest(other.name+"/"), base, others)
	}
	return p
}

// add adds the bar of a rate, and how many times as much the base is.
func (p *panel) add(name string, rate, base float64, c color.Color) {
	if rate == 0 {
		return
	}
	text := number(rate)
	if base > 0 && base != rate {
		text += fmt.Sprintf("  (%s×)", number(base/rate))
	}
	p.bars = append(p.bars, bar{name, rate, text, c})
}

// sagas shows the best of each engine, and how many times a saga on SQLite is as fast.
func (r *Report) sagas() panel {
	p := panel{title: "Four steps that a saga directs: orders a second (and how often that goes into Tutti's on SQLite)"}
	base := r.highest("saga/sqlite/")
	for _, at := range places {
		p.add("Tutti: "+at.setting, r.highest("saga/"+at.name+"/"), base, accent)
	}
	if len(p.bars) == 0 {
		return p
	}
	for _, other := range peers {
		if other.name != "watermill" { // which directs nothing
			p.add(other.system+": "+other.setting, r.highest(other.name+"/"), base, others)
		}
	}
	return p
}

// sagasAt64 shows the same where little is under way.
func (r *Report) sagasAt64() panel {
	p := panel{title: "Four steps that a saga directs, 64 orders in flight"}
	at := func(name string) float64 {
		if result := r.of(name + "/64"); result != nil {
			return result.PerSecond
		}
		return 0
	}
	base := at("saga/sqlite")
	for _, place := range places {
		p.add("Tutti: "+place.setting, at("saga/"+place.name), base, accent)
	}
	if len(p.bars) == 0 {
		return p
	}
	for _, other := range peers {
		p.add(other.system+": "+other.setting, at(other.name), base, others)
	}
	return p
}

func (r *Report) shop() panel {
	p := panel{title: "The whole shop by HTTP: orders a second"}
	for _, o := range r.Outcomes {
		if strings.HasPrefix(o.Case, "shop") && o.Result != nil && o.Result.InFlight > 0 {
			p.bars = append(p.bars, bar{strings.TrimPrefix(strings.TrimPrefix(o.Case, "shop/"), "shop-") + " in flight", o.Result.PerSecond, number(o.Result.PerSecond), accent})
		}
	}
	return p
}

func (r *Report) latency() panel {
	p := panel{title: "At a steady rate: milliseconds that 99 of 100 orders stay below (half of them)"}
	for _, o := range r.Outcomes {
		if o.Result != nil && o.Result.Rate > 0 {
			p.bars = append(p.bars, bar{fmt.Sprintf("%s, %s/s", o.Case, number(o.Result.Rate)), o.Result.P99,
				fmt.Sprintf("%s  (%s)", number(o.Result.P99), number(o.Result.P50)), accent})
		}
	}
	return p
}

func (r *Report) growth() panel {
	p := panel{title: "With orders stored already: orders a second"}
	for _, o := range r.Outcomes {
		if strings.HasPrefix(o.Case, "growth") && o.Result != nil {
			p.bars = append(p.bars, bar{o.Setting, o.Result.PerSecond, number(o.Result.PerSecond), accent})
		}
	}
	return p
}

// plot draws the panels one above the other into an SVG file.
func (r *Report) plot(path string) (err error) {
	ps := r.panels()
	if len(ps) == 0 {
		return nil // nothing that a picture would show
	}
	const width, perBar, head = 26 * vg.Centimeter, 0.75 * vg.Centimeter, 2.6 * vg.Centimeter
	height := vg.Length(0)
	for _, p := range ps {
		height += head + perBar*vg.Length(len(p.bars))
	}
	canvas := vgsvg.New(width, height)
	page := draw.New(canvas)
	page.FillPolygon(color.White, []vg.Point{{X: 0, Y: 0}, {X: width, Y: 0}, {X: width, Y: height}, {X: 0, Y: height}})
	top := height
	for _, p := range ps {
		high := head + perBar*vg.Length(len(p.bars))
		drawn, err := p.plot()
		if err != nil {
			return err
		}
		const margin = 0.4 * vg.Centimeter
		drawn.Draw(draw.Crop(page, margin, -margin, top-high+margin, top-height-margin))
		top -= high
	}
	var picture bytes.Buffer
	if _, err := canvas.WriteTo(&picture); err != nil {
		return err
	}
	// Where the font is not installed, one of the same widths mostly is.
	text := bytes.ReplaceAll(picture.Bytes(), []byte("font-family:Liberation Sans"), []byte("font-family:Liberation Sans,Arimo,Arial,Helvetica,sans-serif"))
	return os.WriteFile(path, text, 0o644)
}

// plot makes horizontal bars, the first on top, each with its figure at the end.
func (p panel) plot() (*plot.Plot, error) {
	out := plot.New()
	out.Title.Text = p.title
	out.Title.TextStyle.Color = ink
	out.Title.TextStyle.Font = font.Font{Typeface: "Liberation", Variant: "Sans", Size: 12}
	out.Title.Padding = 0.2 * vg.Centimeter
	var names []string
	var ends plotter.XYLabels
	most := 0.0
	for i := len(p.bars) - 1; i >= 0; i-- { // the axis begins below
		b := p.bars[i]
		y := float64(len(names))
		chart, err := plotter.NewBarChart(plotter.Values{b.value}, 0.45*vg.Centimeter)
		if err != nil {
			return nil, err
		}
		chart.Horizontal, chart.XMin, chart.Color, chart.LineStyle.Width = true, y, b.color, 0
		out.Add(chart)
		names = append(names, b.name)
		ends.XYs = append(ends.XYs, plotter.XY{X: b.value, Y: y})
		ends.Labels = append(ends.Labels, b.text)
		most = max(most, b.value)
	}
	labels, err := plotter.NewLabels(ends)
	if err != nil {
		return nil, err
	}
	for i := range labels.TextStyle {
		labels.TextStyle[i].Color = ink
		labels.TextStyle[i].Font = font.Font{Typeface: "Liberation", Variant: "Sans", Size: 10}
		labels.TextStyle[i].YAlign = draw.YCenter
	}
	labels.Offset = vg.Point{X: 0.15 * vg.Centimeter, Y: 0}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Width = faint, 0
	out.Add(grid, labels)
	out.NominalY(names...)
	out.X.Min, out.X.Max = 0, max(most*1.22, 1)
	out.Y.Min, out.Y.Max = -0.6, float64(len(names))-0.4
	out.X.LineStyle.Width, out.X.Tick.LineStyle.Width = 0, 0
	sans := font.Font{Typeface: "Liberation", Variant: "Sans", Size: 10}
	out.Y.Padding = 0.4 * vg.Centimeter // some fonts are wider
	out.Y.Tick.Label.Font, out.X.Tick.Label.Font = sans, sans
	out.Y.Tick.Label.Color, out.X.Tick.Label.Color = ink, byHand
	out.X.Tick.Marker = thousands{}
	return out, nil
}

// thousands writes the axis as the table does.
type thousands struct{}

func (thousands) Ticks(low, high float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(low, high)
	for i := range ticks {
		if ticks[i].Label != "" {
			ticks[i].Label = number(ticks[i].Value)
		}
	}
	return ticks
}
