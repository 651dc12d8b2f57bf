// Package chart draws figures for print: panels of lines, steps and bars on shared axes, under one legend. It knows
// nothing of what the numbers mean.
//
//	pg := &chart.Page{Width: 3.5, Rows: [][]*chart.Panel{{p}}, Heights: []float64{110}}
//	err := pg.Save("figure.pdf", write) // and figure.csv, which holds every number that is drawn
//
// Text is 8 pt and metric-compatible with Times, and the font is inside the file. Series differ in colour and, for
// greyscale, in dashes, marker and hatch. The same page gives the same bytes on every processor.
package chart

import (
	"errors"
	"fmt"

	"gonum.org/v1/plot/vg"
)

// ErrRequest marks, in the sense of errors.Is, an error that the caller can mend by asking for something else, such as
// an unknown format. Other errors are those of writing files.
var ErrRequest = errors.New("not to be drawn")

// Requestf formats an error that is ErrRequest.
func Requestf(format string, args ...any) error { return request{fmt.Errorf(format, args...)} }

type request struct{ error }

func (request) Is(target error) bool { return target == ErrRequest }
func (r request) Unwrap() error      { return r.error }

// Page is a grid of panels under one legend. The panels of a column have the same sides, those of a row the same
// height.
type Page struct {
	Width   float64 // inches
	Rows    [][]*Panel
	Heights []float64 // of the axes of each row, in points
	Notes   []string  // after the legend, such as what the bands are; empty ones are left out
}

func (pg *Page) width() vg.Length { return vg.Length(pg.Width) * vg.Inch }

// Height of the page in inches, which follows from its panels and its legend.
func (pg *Page) Height() float64 {
	_, h := pg.layout()
	return float64(h / vg.Inch)
}

// Stack puts panels one above the other, each with axes of the given height in points, and letters them. They have the
// same x axis, and the lowest alone carries its numbers.
func Stack(width, height float64, ps ...*Panel) *Page {
	pg := &Page{Width: width}
	for i, p := range ps {
		p.Title = Letter(i) + " " + p.Title
		p.X.Bare = i+1 < len(ps)
		pg.Rows = append(pg.Rows, []*Panel{p})
		pg.Heights = append(pg.Heights, height)
	}
	return pg
}

// Letter numbers panels from 0: (a) to (z), (aa) and so on.
func Letter(i int) string {
	s := ""
	for ; i >= 0; i = i/26 - 1 {
		s = string(rune('a'+i%26)) + s
	}
	return "(" + s + ")"
}

// Panel is one pair of axes. A panel without a title, under one that has one, counts as the lower half of that.
type Panel struct {
	Title  string
	X, Y   Axis
	Top    []Tick // on the upper edge, at values of X
	TopOf  string // label of the upper edge, right of the title
	Series []Series
	Marks  []Mark
	Wide   bool   // as wide as the page, in a row of its own
	Map    *Map   // of a panel of cells, or of their key
	Beside []Axis // of a panel of Parallel: its upright axes, from left to right

	turned bool      // the names below the cells stand upright, since they need more room than there is
	every  int       // of so many names one is shown
	room   vg.Length // left of the axes, as wide as the column's widest panel needs
}

// Axis is one axis of a panel. It reaches from Min to Max; if Max is not above Min, it holds all that the panel shows.
// Without ticks, round ones are chosen.
type Axis struct {
	Label    string // quantity and unit
	Min, Max float64
	Ticks    []Tick
	Count    bool // counts things: ticks at whole numbers alone
	Bare     bool // ticks without numbers and label: the panel below, or the first of the row, carries them
	Log      bool // logarithmic: values that are not positive stand at its lower end
	Named    bool // its ticks name its values
	Zero     bool // of a logarithmic axis: linear below 1, so that 0 has a place among counts, and room before it
}

// Tick is a labelled place on an axis.
type Tick struct {
	At    float64
	Label string
}

// Series is what a panel shows of one group of measurements: Y over X. Lo and Hi, if present, are the least and the
// greatest of the N measurements whose mean Y is, or other ends of what is drawn: see Kind.
type Series struct {
	Name   string // in the legend, where each name stands once
	Look   Look
	Kind   Kind
	Thin   bool // a secondary line: hair width, no marker
	X, Y   []float64
	V      []float64 // of cells: their values, NaN for none
	Lo, Hi []float64
	N      int
	Ns     []int // in place of N, where the points differ
}

// Kind is how a series is drawn.
type Kind string

// The kinds of series. A step holds each value until the next. Points are markers without a line; Across are their
// ranges along x. Cells fill the unit squares around points of whole numbers, in the colours of the panel's Map.
//
// Dots, Box, Whiskers and Violin stand in rows that the ticks of the y axis name. Lo and Hi are ends of their ranges
// along x; a box has a line at X. A violin is as wide at X as Lo and Hi are apart, upright, around the row Y. Thin dots
// are those of single measurements.
//
// Parallel is a line over the panel's upright axes: X is the number of the axis, from 0, and Y a value on it.
const (
	Line   Kind = "line"
	Step   Kind = "step"
	Points Kind = "points"
	Bars   Kind = "bars"
	Dots   Kind = "dots"

	Across   Kind = "across"
	Cells    Kind = "cell"
	Box      Kind = "box"
	Whiskers Kind = "whiskers"
	Violin   Kind = "violin"
	Parallel Kind = "parallel"
)

// inRows reports whether series of the kind stand in the rows of a panel.
func (k Kind) inRows() bool { return k == Dots || k == Box || k == Whiskers || k == Violin }

// along reports whether ranges of the kind lie along x.
func (k Kind) along() bool { return k == Dots || k == Box || k == Whiskers || k == Across }

// Mark is a published value or another reference: a grey line at a value of Y, or of X, with half a band to either
// side.
type Mark struct {
	Label string // beside the line
	At    float64
	Half  float64
	OnX   bool
	Limit string // the legend's entry of a limit, which is dotted; empty for a published value
}
