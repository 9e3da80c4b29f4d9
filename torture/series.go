package main

import (
	"math"
	"slices"
)

// series is one figure over time.
type series struct {
	name   string
	unit   string
	noise  float64 // growth that cannot be told from none
	values []float64
}

const (
	warm   = 0.25 // of the time, in which caches fill
	slack  = 0.1  // of the median, by which a figure may drift
	points = 400  // of a series that the slope is taken from
)

// trend returns the median once it is warm, by how much it grew from there to the
// end, and whether that is as good as nothing.
func (s *series) trend() (median, growth float64, flat bool) {
	v := thin(s.values[int(float64(len(s.values))*warm):], points)
	if len(v) == 0 {
		return 0, 0, true
	}
	median = middle(slices.Clone(v))
	var slopes []float64
	for i := range v {
		for j := i + 1; j < len(v); j++ {
			slopes = append(slopes, (v[j]-v[i])/float64(j-i))
		}
	}
	if len(slopes) > 0 {
		growth = middle(slopes) * float64(len(v)-1)
	}
	return median, growth, growth <= max(s.noise, slack*math.Abs(median))
}

// thin replaces neighbours by their mean until at most n values are left.
func thin(v []float64, n int) []float64 {
	width := (len(v) + n - 1) / n
	if width <= 1 {
		return v
	}
	var out []float64
	for part := range slices.Chunk(v, width) {
		sum := 0.0
		for _, x := range part {
			sum += x
		}
		out = append(out, sum/float64(len(part)))
	}
	return out
}

func middle(v []float64) float64 {
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
