// Package plots draws the figures of a study from run records alone. It cannot tell a simulated run from one on
// hardware, and imports neither plant.
//
// A figure sorts the records of a sweep by what their scenarios say: scheduler, packet size, number of instances. It
// takes the runs that differ in the seed alone together, and draws their mean with a band from the least to the
// greatest. Grey reference marks show the values that the thesis on SmartINCO published.
//
//	fig, err := plots.Draw("fig9", records, plots.Options{Published: true})
//	err = fig.Save("fig9.pdf") // and fig9.csv, which holds every number that is drawn
//
// Figures are made for print. They have the widths of IEEE's columns, and 8 pt text whose font, which has the metrics
// of Times, is inside the file. Colour-blind readers can tell the colours apart; dashes, markers and hatches tell
// series apart in greyscale. The same records give the same bytes.
package plots

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/smartinco/smartinco/plots/chart"
	"github.com/smartinco/smartinco/results"
)

// ErrRequest marks, in the sense of errors.Is, an error of the request: an unknown figure or format, a width out of
// range, records that do not suffice. Other errors are those of reading the records and of writing files.
var ErrRequest = chart.ErrRequest

// Widths of a figure in inches: a column of IEEE's two-column layout, and the page.
const (
	OneColumn = 3.5
	TwoColumn = 7.16
)

// Options say how to draw.
type Options struct {
	// Width of the figure in inches, from 2 to 20; OneColumn and TwoColumn are the usual ones. Zero takes the width
	// that suits the figure: one column if its panels stand one above the other, two if they stand side by side.
	Width float64
	// Published adds the thesis' values as grey reference marks.
	Published bool
}

// Info describes a figure that Draw can draw.
type Info struct {
	ID    string // for Draw
	Title string
	Needs string // which records it is drawn from
}

type figure struct {
	Info
	width float64
	draw  func([]data, Options) (*chart.Page, []string, error)
}

var figures = []figure{
	{Info{"fig6", "Saturation of one VNF alone",
		"runs with a single instance (instances.max: 1) under rising load, in one run or in several"}, OneColumn, fig6},
	{Info{"fig7", "Throughput of VNFs that run at once",
		"runs whose number of instances is fixed (autoscaler.policy: none, or instances.min equal to instances.max), " +
			"for several numbers"}, OneColumn, fig7},
	{Info{"fig8", "Mean flows and throughput of each instance, by scheduler",
		"runs with more than one instance, under one or more schedulers"}, TwoColumn, fig8},
	{Info{"fig9", "Throughput, loss and VNFs over time, by scheduler",
		"runs with more than one instance, under one or more schedulers"}, OneColumn, fig9},
	{Info{"fig10", "Throughput and VNFs over time, by packet size",
		"runs with more than one instance and a workload that states packet_size, " +
			"for one or more sizes"}, TwoColumn, fig10},
	{Info{"slowpath", "What a new flow suffers before its rule is in force",
		"runs whose flows all have one rate (workload[].flows[].rate), " +
			"for one or more rates and values of nic.install_latency"}, OneColumn, slowPath},
	{Info{"delay", "How long packets wait and stay",
		"runs that measure delays (measure.delay, with engine: packet)"}, TwoColumn, delay},
	{Info{"compare", "Policies side by side", "runs that differ in " + mayDiffer + ", as a sweep over " +
		"scheduler.policy: [all] or autoscaler.policy: [all] leaves them"}, TwoColumn, sideBySide},
	{Info{"scaling", "What autoscalers did over time", "runs whose number of instances is free to change, and that " +
		"differ in " + mayDiffer}, OneColumn, scaling},
	{Info{"cost", "Loss against instance-seconds", "runs that differ in " + mayDiffer +
		", as a sweep over autoscaler.policy leaves them"}, OneColumn, costs},
}

// Figures lists what Draw can draw.
func Figures() []Info {
	var is []Info
	for _, f := range figures {
		is = append(is, f.Info)
	}
	return is
}

// Draw draws the figure with this id; the order of the records does not matter. It leaves out the records that the
// figure cannot use, and names them in Figure.Notes. If none is left, the error is ErrRequest.
func Draw(id string, recs []*results.Record, o Options) (*Figure, error) {
	var ds []data
	for _, r := range recs {
		d, err := read(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		ds = append(ds, d)
	}
	return drawFrom(id, ds, o)
}

func drawFrom(id string, ds []data, o Options) (*Figure, error) {
	var ids []string
	for _, f := range figures {
		ids = append(ids, f.ID)
		if f.ID != id {
			continue
		}
		if o.Width == 0 {
			o.Width = f.width
		}
		if err := o.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		sortRuns(ds)
		pg, notes, err := f.draw(ds, o)
		if errors.Is(err, ErrRequest) {
			return nil, chart.Requestf("%s: %w; it needs %s", id, err, f.Needs)
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		pg.Notes = append(pg.Notes, scaleNote(ds))
		return newFigure(f.Info, pg, o, notes), nil
	}
	return nil, chart.Requestf("no figure %q: want one of %s", id, strings.Join(ids, ", "))
}

func (o Options) check() error {
	if !(o.Width >= 2 && o.Width <= 20) {
		return chart.Requestf("width %g in: want 2 to 20 in, such as %g for one column or %g for two",
			o.Width, OneColumn, TwoColumn)
	}
	return nil
}

// Figure is a figure ready to be saved, in any number of formats.
type Figure struct {
	ID    string
	Title string
	// Width and Height of the printed figure, in inches.
	Width, Height float64
	// Notes say which records were left out and why, and what of the published figure is missing.
	Notes []string
	page  *chart.Page
}

func newFigure(i Info, pg *chart.Page, o Options, notes []string) *Figure {
	return &Figure{ID: i.ID, Title: i.Title, Width: o.Width, Height: pg.Height(), Notes: notes, page: pg}
}

// Save writes the figure to path, in the format that the ending names: .pdf, .svg, .png (300 dpi) or .tex (a pgfpicture
// for \input, which takes the document's font). It writes the numbers to a file beside it with the ending .csv, and
// never replaces one that is not a figure's. Each file appears whole or not at all.
func (f *Figure) Save(path string) error {
	return f.page.Save(path, func(path string, write func(io.Writer) error) error {
		if err := results.WriteFile(path, write); err != nil {
			return fmt.Errorf("%s: %s: %w", f.ID, path, err)
		}
		return nil
	})
}

// WriteCSV writes every number that is drawn, one row for each point. Kind is line, step, points, bars or dots for
// measured series, and published or limit for reference marks, whose x or y is empty. Low and high are the ends of the
// band, empty if there is none, and n is the number of runs behind a point.
func (f *Figure) WriteCSV(w io.Writer) error { return f.page.WriteCSV(w) }
